//! What a database must be able to do to hold the ledger. Everything else is the same for all of them and is written
//! once, in the modules beside this one; so is the SQL, whose parameters are `$1`, `$2` ….

use futures::future::BoxFuture;

use super::table::{Answer, Cell, Column, Table, list};
use crate::error::{StoreError, StoreResult};

/// A value that is handed to a statement.
#[derive(Clone, Debug)]
pub(crate) enum Argument {
    Cell(Cell),
    Texts(Vec<String>),
    Integers(Vec<i64>),
    Blobs(Vec<Vec<u8>>),
}

/// A statement that reads, with its arguments.
#[derive(Clone, Debug)]
pub(crate) struct Query {
    pub(crate) sql: String,
    pub(crate) arguments: Vec<Argument>,
    pub(crate) table: &'static str,
    pub(crate) columns: Vec<Column>,
}

impl Query {
    /// `SELECT columns FROM table`, to be continued.
    pub(crate) fn select(table: &'static Table, columns: Vec<Column>) -> Self {
        let sql = format!("SELECT {} FROM {}", list(&columns), table.name);
        Self::new(sql, table.name, columns)
    }

    /// A statement that begins with this text and answers these columns.
    pub(crate) const fn new(sql: String, table: &'static str, columns: Vec<Column>) -> Self {
        Self {
            sql,
            arguments: Vec::new(),
            table,
            columns,
        }
    }

    pub(crate) fn push(&mut self, sql: &str) -> &mut Self {
        self.sql.push_str(sql);
        self
    }

    /// Adds a parameter and hands its value over.
    pub(crate) fn bind(&mut self, value: impl Into<Cell>) -> &mut Self {
        self.arguments.push(Argument::Cell(value.into()));
        let number = self.arguments.len();
        self.push(&format!("${number}"))
    }

    /// Adds ` IN` a list of texts.
    pub(crate) fn one_of<B: Backend>(&mut self, texts: Vec<String>) -> &mut Self {
        self.arguments.push(Argument::Texts(texts));
        let one_of = B::one_of(self.arguments.len());
        self.push(&one_of)
    }

    /// The rows with these keys of two columns.
    pub(crate) fn with_keys<B: Backend>(table: &'static Table, keys: &[Vec<Cell>]) -> Self {
        let (asked, arguments) = B::pairs(table.key_columns(), keys);
        let names: Vec<String> = table
            .columns
            .iter()
            .map(|(name, _)| format!("t.\"{name}\""))
            .collect();
        let mut query = Self::new(
            format!(
                "SELECT {} FROM {asked} CROSS JOIN {} t WHERE {}",
                names.join(", "),
                table.name,
                same_key(table)
            ),
            table.name,
            table.columns.to_vec(),
        );
        query.arguments = arguments;
        query
    }

    /// `SELECT columns FROM table WHERE` a column holds one of these texts.
    pub(crate) fn among<B: Backend>(
        table: &'static Table,
        columns: Vec<Column>,
        column: &str,
        texts: Vec<String>,
    ) -> Self {
        let mut query = Self::select(table, columns);
        query.push(" WHERE \"").push(column).push("\"");
        query.one_of::<B>(texts);
        query
    }
}

/// That the row `t` has the key `asked`.
pub(crate) fn same_key(table: &Table) -> String {
    let same: Vec<String> = table
        .key_columns()
        .iter()
        .map(|(name, _)| format!("t.\"{name}\" = asked.\"{name}\""))
        .collect();
    same.join(" AND ")
}

/// A database that holds the ledger. Clones share its connections.
pub(crate) trait Backend: Clone + Send + Sync + 'static {
    /// A transaction of the database.
    type Transaction: Transaction;

    /// `sqlite` or `postgres`.
    const NAME: &'static str;

    /// ` IN` the list of texts that is parameter `number`.
    fn one_of(number: usize) -> String;

    /// The list of texts that is parameter `number` as a table of one column, `value`.
    fn texts(number: usize) -> String;

    /// Keys of two columns as a table `asked` with these columns, and its arguments, which are the first.
    fn pairs(columns: &[Column], keys: &[Vec<Cell>]) -> (String, Vec<Argument>);

    /// Reads with one statement.
    fn read(&self, query: Query) -> BoxFuture<'_, StoreResult<Answer>>;

    /// Begins to read with several statements what is of one moment.
    fn view(&self) -> BoxFuture<'_, StoreResult<Self::Transaction>>;

    /// Begins to write.
    fn begin(&self) -> BoxFuture<'_, StoreResult<Self::Transaction>>;

    /// Whether doing the same again, now that so many tries have failed with `error`, is worth it. Waits as long as it
    /// should be waited before.
    fn again<'a>(&'a self, error: &'a StoreError, tries: u32) -> BoxFuture<'a, bool>;
}

/// A transaction of a database; dropped without [`Transaction::commit`] it has changed nothing.
pub(crate) trait Transaction: Send {
    /// Reads with one statement.
    fn read(&mut self, query: Query) -> BoxFuture<'_, StoreResult<Answer>>;

    /// Writes rows of a table, in as few statements as it takes.
    fn write<'a>(
        &'a mut self,
        table: &'static Table,
        rows: &'a [Vec<Cell>],
    ) -> BoxFuture<'a, StoreResult<()>>;

    /// Removes the rows with these keys of two columns.
    fn remove<'a>(
        &'a mut self,
        table: &'static Table,
        keys: &'a [Vec<Cell>],
    ) -> BoxFuture<'a, StoreResult<()>>;

    /// Makes what was written lasting.
    fn commit(self) -> BoxFuture<'static, StoreResult<()>>;
}
