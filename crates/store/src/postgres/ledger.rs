//! The chain's data in PostgreSQL. Rows that are only ever added travel by `COPY`; batches that replace rows, and those
//! that are asked for, travel as arrays, a parameter a column, and are unnested: a batch costs one statement whatever its
//! length. What is written and read is in `crate::ledger`.

use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query as Statement;
use sqlx::{AssertSqlSafe, Row};

use crate::error::{StoreError, StoreResult};
use crate::ledger::{
    Answer, Argument, Backend, Cell, Column, Kind, Query, Rows, Table, Transaction, list, same_key,
};
use crate::postgres::{Postgres, failed, is_passing};

const READING: &str = "reading the ledger";
const WRITING: &str = "committing a block";

/// The first wait before something is tried again; each next is twice as long.
const WAIT: Duration = Duration::from_millis(20);
/// Fewer rows than this are written by a statement: `COPY` takes a round trip more.
const WORTH_COPYING: usize = 16;
/// Tries at most: a server that was started again is back within them.
const TRIES: u32 = 10;

/// The chain's data in PostgreSQL. Clones share its connections.
#[derive(Clone, Debug)]
pub struct PostgresLedger(Postgres);

impl PostgresLedger {
    /// Connects to a `postgres://` address and makes the tables where there are none.
    ///
    /// # Errors
    /// One sentence for each: no server there, a newer version's tables, no permission.
    pub async fn open(address: &str) -> StoreResult<Self> {
        let mut migrations = sqlx::migrate!("../../migrations/ledger/postgres");
        // The identity service may live in the same database, and counts its migrations too.
        migrations.dangerous_set_table_name("_sqlx_migrations_ledger");
        Postgres::open(address, &migrations).await.map(Self)
    }

    /// Closes every connection.
    pub async fn close(&self) {
        self.0.close().await;
    }

    async fn read_again(&self, query: Query) -> StoreResult<Answer> {
        let mut tries = 0;
        loop {
            match read(self.0.pool(), query.clone()).await {
                Err(error) => {
                    tries += 1;
                    if !self.again(&error, tries).await {
                        return Err(error);
                    }
                }
                answer => return answer,
            }
        }
    }
}

/// A statement with its arguments.
fn statement(
    sql: String,
    arguments: Vec<Argument>,
) -> Statement<'static, sqlx::Postgres, PgArguments> {
    let statement = sqlx::query(AssertSqlSafe(sql));
    arguments
        .into_iter()
        .fold(statement, |statement, argument| match argument {
            Argument::Cell(Cell::Null) => statement.bind(None::<String>),
            Argument::Cell(Cell::Integer(value)) => statement.bind(value),
            Argument::Cell(Cell::Text(value)) => statement.bind(value),
            Argument::Cell(Cell::Bytes(value)) => statement.bind(value),
            Argument::Texts(list) => statement.bind(list),
            Argument::Integers(list) => statement.bind(list),
            Argument::Blobs(list) => statement.bind(list),
        })
}

fn cells(row: &PgRow, kinds: &[(&'static str, Kind)]) -> Result<Vec<Cell>, sqlx::Error> {
    (0..kinds.len())
        .zip(kinds)
        .map(|(at, (_, kind))| {
            Ok(match kind {
                Kind::Integer => row
                    .try_get::<Option<i64>, _>(at)?
                    .map_or(Cell::Null, Cell::Integer),
                Kind::Text => row.try_get::<Option<String>, _>(at)?.into(),
                Kind::Bytes => row
                    .try_get::<Option<Vec<u8>>, _>(at)?
                    .map_or(Cell::Null, Cell::Bytes),
            })
        })
        .collect()
}

async fn read<'e, E>(executor: E, query: Query) -> StoreResult<Answer>
where
    E: sqlx::Executor<'e, Database = sqlx::Postgres>,
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

impl Backend for PostgresLedger {
    type Transaction = PostgresTransaction;

    const NAME: &'static str = "postgres";

    fn one_of(number: usize) -> String {
        format!(" = ANY(${number})")
    }

    fn texts(number: usize) -> String {
        format!("(SELECT UNNEST(${number}::text[]) AS value)")
    }

    fn pairs(columns: &[Column], keys: &[Vec<Cell>]) -> (String, Vec<Argument>) {
        let names = list(columns);
        let arrays: Vec<String> = (1..)
            .zip(columns)
            .map(|(number, (_, kind))| array(number, *kind))
            .collect();
        let sql = format!("UNNEST({}) AS asked ({names})", arrays.join(", "));
        let arguments = columns.iter().enumerate().map(|(at, (_, kind))| {
            let column = keys.iter().map(|row| row.get(at).unwrap_or(&Cell::Null));
            match kind {
                Kind::Integer => Argument::Integers(column.filter_map(integer).collect()),
                Kind::Text => Argument::Texts(column.filter_map(text).map(str::to_owned).collect()),
                Kind::Bytes => {
                    Argument::Blobs(column.filter_map(bytes).map(<[u8]>::to_vec).collect())
                }
            }
        });
        (sql, arguments.collect())
    }

    fn read(&self, query: Query) -> BoxFuture<'_, StoreResult<Answer>> {
        self.read_again(query).boxed()
    }

    fn view(&self) -> BoxFuture<'_, StoreResult<PostgresTransaction>> {
        async {
            let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY";
            let begun = self.0.pool().begin_with(begin).await;
            begun.map(PostgresTransaction).map_err(failed(READING))
        }
        .boxed()
    }

    fn begin(&self) -> BoxFuture<'_, StoreResult<PostgresTransaction>> {
        async {
            let begun = self.0.pool().begin().await;
            begun.map(PostgresTransaction).map_err(failed(WRITING))
        }
        .boxed()
    }

    fn again<'a>(&'a self, error: &'a StoreError, tries: u32) -> BoxFuture<'a, bool> {
        async move {
            if tries >= TRIES || !is_passing(error) {
                return false;
            }
            tokio::time::sleep(WAIT * 2_u32.pow(tries.min(8) - 1)).await;
            true
        }
        .boxed()
    }
}

/// A transaction of PostgreSQL.
pub(crate) struct PostgresTransaction(sqlx::Transaction<'static, sqlx::Postgres>);

impl Transaction for PostgresTransaction {
    fn read(&mut self, query: Query) -> BoxFuture<'_, StoreResult<Answer>> {
        read(&mut *self.0, query).boxed()
    }

    fn write<'a>(
        &'a mut self,
        table: &'static Table,
        rows: &'a [Vec<Cell>],
    ) -> BoxFuture<'a, StoreResult<()>> {
        if table.rows == Rows::History && rows.len() >= WORTH_COPYING {
            return self.copy(table, rows).boxed();
        }
        let columns: Vec<String> = (1..)
            .zip(table.columns)
            .map(|(number, (_, kind))| array(number, *kind))
            .collect();
        let sql = format!(
            "{} SELECT * FROM UNNEST({}){}",
            table.insert(),
            columns.join(", "),
            table.or_replace()
        );
        async move {
            let mut statement = sqlx::query(AssertSqlSafe(sql));
            for (at, (_, kind)) in table.columns.iter().enumerate() {
                let column = rows.iter().map(|row| row.get(at).unwrap_or(&Cell::Null));
                statement = match kind {
                    Kind::Integer => statement.bind(column.map(integer).collect::<Vec<_>>()),
                    Kind::Text => statement.bind(column.map(text).collect::<Vec<_>>()),
                    Kind::Bytes => statement.bind(column.map(bytes).collect::<Vec<_>>()),
                };
            }
            let done = statement.execute(&mut *self.0).await;
            done.map(drop).map_err(failed(WRITING))
        }
        .boxed()
    }

    fn remove<'a>(
        &'a mut self,
        table: &'static Table,
        keys: &'a [Vec<Cell>],
    ) -> BoxFuture<'a, StoreResult<()>> {
        let (asked, arguments) = PostgresLedger::pairs(table.key_columns(), keys);
        let sql = format!(
            "DELETE FROM {} t USING {asked} WHERE {}",
            table.name,
            same_key(table)
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

impl PostgresTransaction {
    /// Adds rows by `COPY`, which costs the server a fraction of what a statement does, but replaces none.
    async fn copy(&mut self, table: &'static Table, rows: &[Vec<Cell>]) -> StoreResult<()> {
        let sql = format!(
            "COPY {} ({}) FROM STDIN (FORMAT binary)",
            table.name,
            list(table.columns)
        );
        let done = async {
            let mut copy = self.0.copy_in_raw(&sql).await?;
            copy.send(binary(table.columns, rows)).await?;
            copy.finish().await
        };
        done.await.map(drop).map_err(failed(WRITING))
    }
}

/// Rows in the binary format of `COPY`: a signature, flags and an extension's length, for each row the number of its
/// fields and each field with its length (-1: null), and -1 at the end.
fn binary(columns: &[Column], rows: &[Vec<Cell>]) -> Vec<u8> {
    let mut out = Vec::with_capacity(64 + rows.len() * 256);
    out.extend_from_slice(b"PGCOPY\n\xff\r\n\0");
    out.extend_from_slice(&[0; 8]);
    let fields = i16::try_from(columns.len()).unwrap_or(i16::MAX);
    for row in rows {
        out.extend_from_slice(&fields.to_be_bytes());
        for (at, (_, kind)) in columns.iter().enumerate() {
            let cell = row.get(at).unwrap_or(&Cell::Null);
            match kind {
                Kind::Integer => match integer(cell) {
                    Some(value) => field(&mut out, Some(&value.to_be_bytes())),
                    None => field(&mut out, None),
                },
                Kind::Text => field(&mut out, text(cell).map(str::as_bytes)),
                Kind::Bytes => field(&mut out, bytes(cell)),
            }
        }
    }
    out.extend_from_slice(&(-1_i16).to_be_bytes());
    out
}

fn field(out: &mut Vec<u8>, value: Option<&[u8]>) {
    // The server takes no field that is longer than a GiB, and no message either.
    let length = value.map_or(-1, |bytes| i32::try_from(bytes.len()).unwrap_or(i32::MAX));
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(value.unwrap_or_default());
}

fn array(number: usize, kind: Kind) -> String {
    match kind {
        Kind::Integer => format!("${number}::bigint[]"),
        Kind::Text => format!("${number}::text[]"),
        Kind::Bytes => format!("${number}::bytea[]"),
    }
}

const fn integer(cell: &Cell) -> Option<i64> {
    match cell {
        Cell::Integer(value) => Some(*value),
        _ => None,
    }
}

fn text(cell: &Cell) -> Option<&str> {
    match cell {
        Cell::Text(value) => Some(value),
        _ => None,
    }
}

fn bytes(cell: &Cell) -> Option<&[u8]> {
    match cell {
        Cell::Bytes(value) => Some(value),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::atomic::AtomicUsize;
    use std::sync::atomic::Ordering::Relaxed;

    use sqlx::AssertSqlSafe;

    use super::PostgresLedger;
    use crate::error::StoreError;
    use crate::ledger::{LedgerStore as _, conformance};
    use tana_scratch::Scratch;

    #[tokio::test]
    async fn the_ledger_in_postgresql_conforms() {
        let scratch = Scratch::create().await;
        let store = PostgresLedger::open(&scratch.address).await.unwrap();
        conformance::check(&store).await.unwrap();
        store.close().await;
        let again = PostgresLedger::open(&scratch.address).await.unwrap();
        conformance::check_reopened(&again).await.unwrap();
        again.close().await;
        scratch.remove().await;
    }

    #[tokio::test]
    async fn ledger_and_identity_may_share_one_database() {
        let scratch = Scratch::create().await;
        let ledger = PostgresLedger::open(&scratch.address).await.unwrap();
        let identity = crate::postgres::PostgresIdentity::open(&scratch.address)
            .await
            .unwrap();
        ledger.close().await;
        crate::identity::IdentityStore::close(&identity).await;
        PostgresLedger::open(&scratch.address)
            .await
            .unwrap()
            .close()
            .await;
        scratch.remove().await;
    }

    #[tokio::test]
    async fn a_connection_that_breaks_during_commits_leaves_nothing_unknown() {
        let scratch = Scratch::create().await;
        let store = PostgresLedger::open(&scratch.address).await.unwrap();
        let (server, name) = (scratch.server(), scratch.name());
        let broken = AtomicUsize::new(0);
        let breaking = async {
            let sql = format!(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
            );
            let mut seen = None;
            loop {
                tokio::time::sleep(std::time::Duration::from_millis(30)).await;
                // Not again before a commit has come through: who breaks faster than a connection is made lets none.
                let height = store.height().await.unwrap_or(seen);
                if height == seen {
                    continue;
                }
                seen = height;
                let sql = AssertSqlSafe(sql.clone());
                let ended = sqlx::query(sql).fetch_all(&server).await.unwrap();
                broken.fetch_add(ended.len(), Relaxed);
            }
        };
        tokio::select! {
            done = conformance::commit_many(&store, 150) => done.unwrap(),
            never = breaking => never,
        }
        let broken = broken.into_inner();
        assert!(broken > 5, "only {broken} connections were broken");
        conformance::check_many(&store, 150).await.unwrap();
        store.close().await;
        scratch.remove().await;
    }

    #[tokio::test]
    async fn what_cannot_be_opened_is_said_in_one_sentence_without_the_password() {
        let scratch = Scratch::create().await;
        let store = PostgresLedger::open(&scratch.address).await.unwrap();
        sqlx::query(
            "INSERT INTO _sqlx_migrations_ledger (version, description, success, checksum, execution_time) \
             VALUES (9999, 'of tomorrow', true, decode('00', 'hex'), 0)",
        )
        .execute(store.0.pool())
        .await
        .unwrap();
        store.close().await;
        let newer = PostgresLedger::open(&scratch.address).await.unwrap_err();
        assert!(
            matches!(newer, StoreError::Newer { found: 9999, .. }),
            "{newer:?}"
        );
        let with = |change: fn(&mut url::Url)| {
            let mut address = url::Url::parse(&scratch.address).unwrap();
            address.set_password(Some("geheim")).unwrap();
            change(&mut address);
            String::from(address)
        };
        let missing = with(|address| address.set_path("/tana_no_such_database"));
        let missing = PostgresLedger::open(&missing).await.unwrap_err();
        assert!(
            matches!(missing, StoreError::NoDatabase { .. }),
            "{missing:?}"
        );
        let away = with(|address| address.set_port(Some(1)).unwrap());
        let away = PostgresLedger::open(&away).await.unwrap_err();
        assert!(matches!(away, StoreError::Away { .. }), "{away:?}");
        // The test's server lets everybody in who has a role.
        let stranger = with(|address| address.set_username("nobody_known").unwrap());
        let stranger = PostgresLedger::open(&stranger).await.unwrap_err();
        assert!(matches!(stranger, StoreError::Login { .. }), "{stranger:?}");
        for said in [newer, missing, away, stranger] {
            let said = said.to_string();
            assert!(
                !said.contains("geheim") && said.contains("postgres://"),
                "{said}"
            );
        }
        scratch.remove().await;
    }
}
