//! Writes that come at the same time are committed together: the disk is waited for once for all of them. Each is one
//! statement, which SQLite undoes alone where it fails, or one row of a statement that they share. Nothing is answered before
//! its commit.

mod rows;

use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnection, SqlitePool};
use tokio::sync::{mpsc, oneshot};

use super::{SQLITE_FULL, failed, primary_code};
use crate::error::{StoreError, StoreResult};
use rows::WaitingRow;
pub(crate) use rows::{ForRows, Row};

/// Writes that are committed together at most.
const TOGETHER: usize = 256;
/// SQLite's code for a row that may not be: the statement is undone, the transaction goes on.
const SQLITE_CONSTRAINT: i32 = 19;

/// Hands writes to the one who commits them. Clones share it.
#[derive(Clone)]
pub(crate) struct Group(mpsc::Sender<Waiting>);

/// A write that waits.
enum Waiting {
    Statement(Box<dyn Write>),
    Row(WaitingRow),
}

impl std::fmt::Debug for Group {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Group")
    }
}

impl Group {
    /// Commits on the one connection of a pool, until the last clone is gone.
    pub(crate) fn on(writer: SqlitePool) -> Self {
        let (group, waiting) = mpsc::channel(TOGETHER);
        // It ends with the last who could wait for it, and has no failure that is not theirs.
        #[allow(clippy::disallowed_methods)]
        tokio::spawn(commit_all(writer, waiting));
        Self(group)
    }

    /// Runs one statement and answers once it is committed, also where the caller does not wait that long.
    pub(crate) async fn write<T, F>(&self, doing: &'static str, statement: F) -> StoreResult<T>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, sqlx::Result<T>>
            + Send
            + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let one = One {
            doing,
            statement: Some(statement),
            done: None,
            answer,
        };
        self.send(doing, Waiting::Statement(Box::new(one)), answered)
            .await
    }

    /// Writes one row, answers whether its statement did something with it once that is committed, also where the caller does
    /// not wait that long.
    pub(crate) async fn row(&self, row: impl Row) -> StoreResult<bool> {
        let doing = row.statement().doing;
        let (answer, answered) = oneshot::channel();
        let row = WaitingRow::new(row, answer);
        self.send(doing, Waiting::Row(row), answered).await
    }

    async fn send<T>(
        &self,
        doing: &'static str,
        waiting: Waiting,
        answered: oneshot::Receiver<StoreResult<T>>,
    ) -> StoreResult<T> {
        let sent = self.0.send(waiting).await;
        sent.map_err(|_ended| failed(doing)(sqlx::Error::PoolClosed))?;
        answered
            .await
            .unwrap_or_else(|_ended| Err(failed(doing)(sqlx::Error::WorkerCrashed)))
    }
}

async fn commit_all(writer: SqlitePool, mut waiting: mpsc::Receiver<Waiting>) {
    let mut together = Vec::new();
    while waiting.recv_many(&mut together, TOGETHER).await > 0 {
        let mut connection = match writer.acquire().await {
            Ok(connection) => connection,
            Err(error) => {
                tell(&mut together, &Err(Arc::new(error)));
                continue;
            }
        };
        // Kept while more waits: giving it back has it looked at.
        while !together.is_empty() {
            let committed = commit(&mut connection, &mut together)
                .await
                .map_err(Arc::new);
            tell(&mut together, &committed);
            if committed.is_err() {
                break;
            }
            while together.len() < TOGETHER
                && let Ok(next) = waiting.try_recv()
            {
                together.push(next);
            }
        }
    }
}

fn tell(together: &mut Vec<Waiting>, committed: &Result<(), Arc<sqlx::Error>>) {
    for write in together.drain(..) {
        match write {
            Waiting::Statement(write) => write.tell(committed.clone()),
            Waiting::Row(row) => row.tell(committed.clone()),
        }
    }
}

/// All of them or none, but for those that fail alone.
async fn commit(connection: &mut SqliteConnection, together: &mut [Waiting]) -> sqlx::Result<()> {
    let mut change = connection.begin_with("BEGIN IMMEDIATE").await?;
    let mut rows = Vec::new();
    for write in together {
        match write {
            Waiting::Statement(write) => write.run(&mut change).await?,
            Waiting::Row(row) => rows.push(row),
        }
    }
    rows::write(&mut change, rows).await?;
    change.commit().await
}

/// A statement of its own.
trait Write: Send {
    /// Runs it, in a transaction that goes on.
    ///
    /// # Errors
    /// What ends the whole transaction.
    fn run<'c>(
        &'c mut self,
        connection: &'c mut SqliteConnection,
    ) -> BoxFuture<'c, sqlx::Result<()>>;

    /// Tells who waits, whether or not it was run.
    fn tell(self: Box<Self>, committed: Result<(), Arc<sqlx::Error>>);
}

struct One<T, F> {
    doing: &'static str,
    statement: Option<F>,
    done: Option<sqlx::Result<T>>,
    answer: oneshot::Sender<StoreResult<T>>,
}

impl<T, F> Write for One<T, F>
where
    T: Send,
    F: for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, sqlx::Result<T>> + Send,
{
    fn run<'c>(
        &'c mut self,
        connection: &'c mut SqliteConnection,
    ) -> BoxFuture<'c, sqlx::Result<()>> {
        async move {
            let Some(statement) = self.statement.take() else {
                return Ok(());
            };
            match statement(connection).await {
                Err(error) if !fails_alone(&error) => Err(error),
                done => {
                    self.done = Some(done);
                    Ok(())
                }
            }
        }
        .boxed()
    }

    fn tell(self: Box<Self>, committed: Result<(), Arc<sqlx::Error>>) {
        // Who has gone away does not need it; what is written stays written.
        let _gone = self.answer.send(told(self.doing, committed, self.done));
    }
}

/// What one is told of its write.
fn told<T>(
    doing: &'static str,
    committed: Result<(), Arc<sqlx::Error>>,
    done: Option<sqlx::Result<T>>,
) -> StoreResult<T> {
    match (committed, done) {
        // Known to have failed, whatever became of the others.
        (_, Some(Err(error))) => Err(failed(doing)(error)),
        (Ok(()), Some(Ok(done))) => Ok(done),
        (Ok(()), None) => Err(failed(doing)(sqlx::Error::WorkerCrashed)),
        (Err(error), _) => Err(failed_together(doing, error)),
    }
}

/// Whether the transaction goes on after this error: only a row that may not be, or an answer that could not be read, leave it
/// as it was. On a full disk for example SQLite undoes all of it by itself.
fn fails_alone(error: &sqlx::Error) -> bool {
    match primary_code(error) {
        Some(code) => code == SQLITE_CONSTRAINT,
        None => matches!(
            error,
            sqlx::Error::RowNotFound
                | sqlx::Error::ColumnDecode { .. }
                | sqlx::Error::ColumnIndexOutOfBounds { .. }
                | sqlx::Error::ColumnNotFound(_)
                | sqlx::Error::Decode(_)
                | sqlx::Error::TypeNotFound { .. }
        ),
    }
}

/// As [`failed`], of an error that several share.
fn failed_together(doing: &'static str, error: Arc<sqlx::Error>) -> StoreError {
    match primary_code(&error) {
        Some(SQLITE_FULL) => StoreError::Full,
        Some(_) => StoreError::Failed {
            doing,
            source: error.into(),
        },
        None => StoreError::OutcomeUnknown {
            doing,
            source: error.into(),
        },
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use futures::FutureExt as _;
    use sqlx::sqlite::SqlitePoolOptions;

    use super::Group;
    use crate::error::StoreError;

    #[tokio::test]
    async fn what_comes_together_is_committed_together_and_fails_alone() {
        let pool = SqlitePoolOptions::new()
            .max_connections(1)
            .connect("sqlite::memory:")
            .await
            .unwrap();
        sqlx::raw_sql("CREATE TABLE numbers (number INTEGER PRIMARY KEY) STRICT")
            .execute(&pool)
            .await
            .unwrap();
        let group = Group::on(pool.clone());
        // While the connection is taken they all wait.
        let taken = pool.acquire().await.unwrap();
        let writes = (0..100_i64).map(|number| {
            let query = sqlx::query("INSERT INTO numbers VALUES ($1)").bind(number % 90);
            group.write("counting", move |connection| {
                query.execute(connection).boxed()
            })
        });
        let all = futures::future::join_all(writes);
        let (done, ()) = futures::join!(all, async {
            tokio::task::yield_now().await;
            drop(taken);
        });
        let failed: Vec<_> = done
            .iter()
            .enumerate()
            .filter_map(|(number, done)| Some((number, done.as_ref().err()?)))
            .collect();
        assert_eq!(failed.len(), 10, "{failed:?}");
        for (number, error) in failed {
            assert!(number >= 90, "{number} was there once");
            assert!(matches!(error, StoreError::Failed { .. }), "{error:?}");
        }
        let kept: i64 = sqlx::query_scalar("SELECT count(*) FROM numbers")
            .fetch_one(&pool)
            .await
            .unwrap();
        assert_eq!(kept, 90);
    }

    #[tokio::test]
    async fn where_nothing_could_be_committed_nobody_is_told_that_it_was() {
        let directory = tempfile::tempdir().unwrap();
        let address = format!(
            "sqlite:{}?mode=rwc",
            directory.path().join("group.db").display()
        );
        let pool = SqlitePoolOptions::new()
            .max_connections(1)
            .after_release(|connection, _| Box::pin(crate::sqlite::is_clean(connection)))
            .connect(&address)
            .await
            .unwrap();
        sqlx::raw_sql("CREATE TABLE numbers (number INTEGER PRIMARY KEY) STRICT")
            .execute(&pool)
            .await
            .unwrap();
        let group = Group::on(pool.clone());
        let taken = pool.acquire().await.unwrap();
        let write = |text: &'static str| {
            group.write("counting", move |connection| {
                sqlx::query(text).execute(connection).boxed()
            })
        };
        // The second breaks the transaction off: of the others, too, nothing is kept.
        let writes = [
            write("INSERT INTO numbers VALUES (1)"),
            write("INSERT INTO nothing VALUES (1)"),
            write("INSERT INTO numbers VALUES (2)"),
        ];
        let all = futures::future::join_all(writes);
        let (done, ()) = futures::join!(all, async {
            tokio::task::yield_now().await;
            drop(taken);
        });
        assert!(done.iter().all(Result::is_err), "{done:?}");
        // And the next goes on.
        write("INSERT INTO numbers VALUES (3)").await.unwrap();
        let kept: Vec<i64> = sqlx::query_scalar("SELECT number FROM numbers")
            .fetch_all(&pool)
            .await
            .unwrap();
        assert_eq!(kept, [3]);
    }
}
