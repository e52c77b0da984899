//! The chain's data in SQLite. What is written travels as the values of a statement of many rows; keys that are asked for
//! as one JSON parameter, so that they cost one statement whatever their number. What is written and read is in `crate::ledger`.

use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::{Value, json};
use sqlx::query::Query as Statement;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{AssertSqlSafe, QueryBuilder, Row};

use crate::error::{StoreError, StoreResult};
use crate::ledger::{
    Answer, Argument, Backend, Cell, Column, Kind, Query, Table, Transaction, list,
};
use crate::sqlite::{Durability, Sqlite, failed};

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("../../migrations/ledger/sqlite");

const READING: &str = "reading the ledger";
const WRITING: &str = "committing a block";

/// The chain's data in one SQLite file. Clones share its connections.
#[derive(Clone, Debug)]
pub struct SqliteLedger(Sqlite);

impl SqliteLedger {
    /// Opens a file (a path, or a `sqlite:` address), and makes it where there is none.
    ///
    /// # Errors
    /// One sentence for each: no database, a newer version's, no room, no permission.
    pub async fn open(address: &str) -> StoreResult<Self> {
        Sqlite::open(address, &MIGRATIONS, Durability::Full)
            .await
            .map(Self)
    }

    /// Closes every connection.
    pub async fn close(&self) {
        self.0.close().await;
    }
}

/// A statement with its arguments.
fn statement(
    sql: String,
    arguments: Vec<Argument>,
) -> Statement<'static, sqlx::Sqlite, SqliteArguments> {
    let statement = sqlx::query(AssertSqlSafe(sql));
    arguments
        .into_iter()
        .fold(statement, |statement, argument| match argument {
            Argument::Cell(Cell::Null) => statement.bind(None::<String>),
            Argument::Cell(Cell::Integer(value)) => statement.bind(value),
            Argument::Cell(Cell::Text(value)) => statement.bind(value),
            Argument::Cell(Cell::Bytes(value)) => statement.bind(value),
            Argument::Texts(list) => statement.bind(json!(list).to_string()),
            Argument::Integers(list) => statement.bind(json!(list).to_string()),
            Argument::Blobs(list) => {
                let list: Vec<String> = list.iter().map(hex::encode).collect();
                statement.bind(json!(list).to_string())
            }
        })
}

fn cells(row: &SqliteRow, kinds: &[(&'static str, Kind)]) -> Result<Vec<Cell>, sqlx::Error> {
    (0..kinds.len())
        .zip(kinds)
        .map(|(at, (_, kind))| {
            Ok(match kind {
                Kind::Integer => row
                    .try_get::<Option<i64>, _>(at)?
                    .map_or(Cell::Null, Cell::Integer),
                // As bytes: a text that somebody changed need not be one.
                Kind::Text => match row.try_get_unchecked::<Option<Vec<u8>>, _>(at)? {
                    None => Cell::Null,
                    Some(bytes) => String::from_utf8(bytes)
                        .map_or_else(|error| Cell::Bytes(error.into_bytes()), Cell::Text),
                },
                Kind::Bytes => row
                    .try_get::<Option<Vec<u8>>, _>(at)?
                    .map_or(Cell::Null, Cell::Bytes),
            })
        })
        .collect()
}

async fn read<'e, E>(executor: E, query: Query) -> StoreResult<Answer>
where
    E: sqlx::Executor<'e, Database = sqlx::Sqlite>,
{
    let Query {
        sql,
        arguments,
        table,
        columns,
    } = query;
    let rows = statement(sql, arguments)
        .fetch_all(executor)
        .await
        .map_err(failed(READING))?;
    let rows = rows.iter().map(|row| cells(row, &columns)).collect();
    Ok(Answer {
        table,
        rows: Result::map_err(rows, failed(READING))?,
        columns,
    })
}

impl Backend for SqliteLedger {
    type Transaction = SqliteTransaction;

    const NAME: &'static str = "sqlite";

    fn one_of(number: usize) -> String {
        format!(" IN (SELECT value FROM json_each(${number}))")
    }

    fn texts(number: usize) -> String {
        format!("json_each(${number})")
    }

    fn pairs(columns: &[Column], keys: &[Vec<Cell>]) -> (String, Vec<Argument>) {
        let named: Vec<String> = columns
            .iter()
            .enumerate()
            .map(|(at, (name, kind))| match kind {
                Kind::Bytes => format!("unhex(value ->> {at}) AS \"{name}\""),
                Kind::Integer | Kind::Text => format!("value ->> {at} AS \"{name}\""),
            })
            .collect();
        let sql = format!("(SELECT {} FROM json_each($1)) asked", named.join(", "));
        let list: Vec<Value> = keys.iter().map(|key| json_row(key)).collect();
        let list = Cell::Text(json!(list).to_string());
        (sql, vec![Argument::Cell(list)])
    }

    fn read(&self, query: Query) -> BoxFuture<'_, StoreResult<Answer>> {
        read(self.0.readers(), query).boxed()
    }

    fn view(&self) -> BoxFuture<'_, StoreResult<SqliteTransaction>> {
        async {
            let begun = self.0.readers().begin().await;
            begun.map(SqliteTransaction).map_err(failed(READING))
        }
        .boxed()
    }

    fn begin(&self) -> BoxFuture<'_, StoreResult<SqliteTransaction>> {
        async {
            let begun = self.0.writer().begin_with("BEGIN IMMEDIATE").await;
            begun.map(SqliteTransaction).map_err(failed(WRITING))
        }
        .boxed()
    }

    // The file is not lost and found again.
    fn again<'a>(&'a self, _: &'a StoreError, _: u32) -> BoxFuture<'a, bool> {
        std::future::ready(false).boxed()
    }
}

/// A transaction of SQLite.
pub(crate) struct SqliteTransaction(sqlx::Transaction<'static, sqlx::Sqlite>);

impl Transaction for SqliteTransaction {
    fn read(&mut self, query: Query) -> BoxFuture<'_, StoreResult<Answer>> {
        read(&mut *self.0, query).boxed()
    }

    fn write<'a>(
        &'a mut self,
        table: &'static Table,
        rows: &'a [Vec<Cell>],
    ) -> BoxFuture<'a, StoreResult<()>> {
        self.write_values(table, rows).boxed()
    }

    fn remove<'a>(
        &'a mut self,
        table: &'static Table,
        keys: &'a [Vec<Cell>],
    ) -> BoxFuture<'a, StoreResult<()>> {
        let (asked, arguments) = SqliteLedger::pairs(table.key_columns(), keys);
        let columns = list(table.key_columns());
        let sql = format!(
            "DELETE FROM {} WHERE ({columns}) IN (SELECT {columns} FROM {asked})",
            table.name
        );
        async move {
            let done = statement(sql, arguments).execute(&mut *self.0).await;
            done.map(drop).map_err(failed(WRITING))
        }
        .boxed()
    }

    fn commit(self) -> BoxFuture<'static, StoreResult<()>> {
        async { self.0.commit().await.map_err(failed(WRITING)) }.boxed()
    }
}

/// Rows that a statement writes. One length for nearly all of them: the prepared statement is found again.
const CHUNK: usize = 64;

impl SqliteTransaction {
    async fn write_values(&mut self, table: &'static Table, rows: &[Vec<Cell>]) -> StoreResult<()> {
        for part in rows.chunks(CHUNK) {
            let mut query = QueryBuilder::<sqlx::Sqlite>::new(table.insert());
            query.push(" ");
            query.push_values(part, |mut values, row| {
                for cell in row {
                    match cell {
                        Cell::Null => values.push_bind(None::<String>),
                        Cell::Integer(value) => values.push_bind(*value),
                        Cell::Text(value) => values.push_bind(value.as_str()),
                        Cell::Bytes(value) => values.push_bind(value.as_slice()),
                    };
                }
            });
            query.push(table.or_replace());
            let done = query.build().execute(&mut *self.0).await;
            done.map_err(failed(WRITING))?;
        }
        Ok(())
    }
}

fn json_row(row: &[Cell]) -> Value {
    row.iter()
        .map(|cell| match cell {
            Cell::Null => Value::Null,
            Cell::Integer(value) => (*value).into(),
            Cell::Text(value) => value.as_str().into(),
            Cell::Bytes(value) => hex::encode(value).into(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::SqliteLedger;
    use crate::error::StoreError;
    use crate::ledger::conformance;

    #[tokio::test]
    async fn the_embedded_ledger_conforms() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ledger.db");
        let store = SqliteLedger::open(path.to_str().unwrap()).await.unwrap();
        conformance::check(&store).await.unwrap();
        store.close().await;
        let again = SqliteLedger::open(path.to_str().unwrap()).await.unwrap();
        conformance::check_reopened(&again).await.unwrap();
    }

    #[tokio::test]
    async fn what_is_no_database_is_refused_in_one_sentence() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ledger.db");
        std::fs::write(
            &path,
            b"this is a letter to my aunt, not a database\n".repeat(200),
        )
        .unwrap();
        let error = SqliteLedger::open(path.to_str().unwrap())
            .await
            .unwrap_err();
        assert!(
            matches!(error, StoreError::NotADatabase { .. }),
            "{error:?}"
        );
        assert!(error.to_string().contains("ledger.db"), "{error}");
    }

    #[tokio::test]
    async fn a_database_of_a_newer_version_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ledger.db");
        let store = SqliteLedger::open(path.to_str().unwrap()).await.unwrap();
        sqlx::query(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
             VALUES (9999, 'of tomorrow', 1, x'00', 0)",
        )
        .execute(store.0.writer())
        .await
        .unwrap();
        store.close().await;
        let error = SqliteLedger::open(path.to_str().unwrap())
            .await
            .unwrap_err();
        assert!(
            matches!(error, StoreError::Newer { found: 9999, .. }),
            "{error:?}"
        );
    }

    #[tokio::test]
    async fn a_full_disk_is_said_and_changes_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ledger.db");
        let store = SqliteLedger::open(path.to_str().unwrap()).await.unwrap();
        let pages: i64 = sqlx::query_scalar("PRAGMA page_count")
            .fetch_one(store.0.writer())
            .await
            .unwrap();
        // SQLite's own limit stands for the disk's: it gives the same SQLITE_FULL.
        sqlx::query(sqlx::AssertSqlSafe(format!(
            "PRAGMA max_page_count = {pages}"
        )))
        .execute(store.0.writer())
        .await
        .unwrap();
        let error = conformance::commit_large(&store).await.unwrap_err();
        assert!(matches!(error, StoreError::Full), "{error:?}");
        assert_eq!(crate::ledger::LedgerStore::tip(&store).await.unwrap(), None);
    }
}
