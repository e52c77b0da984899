//! SQLite as this crate uses it: WAL, one writer connection, a pool of readers, migrations checked at the start.
//!
//! The tables' own SQL is in the modules below, one a trait.

mod group;
mod identity;
mod ledger;
mod mesh;
mod parts;
mod queue;

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use sqlx::Connection as _;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};

use crate::error::{StoreError, StoreResult};

pub use identity::SqliteIdentity;
pub use ledger::SqliteLedger;
pub use mesh::SqliteMesh;
pub use queue::SqliteQueue;

/// How long one waits for another process's write.
const BUSY: Duration = Duration::from_secs(10);
/// Readers at most; each costs a thread and up to [`CACHE_KIB`].
const READERS: u32 = 4;
/// Page cache of a reader.
const CACHE_KIB: i32 = 2048;
/// Page cache of the writer: a block's rows go to as many pages of the indexes, again and again.
const WRITER_CACHE_KIB: i32 = 16 * 1024;
/// Pages that the write-ahead log grows to before they are copied into the file. SQLite's own default is about one full
/// block, so that each would wait for the copying.
const LOG_PAGES: u32 = 4000;

/// When a write is on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Before it is answered.
    Full,
    /// At the next full write or checkpoint: for what may be done again after a power cut.
    Normal,
}

/// An open SQLite database. Clones share its connections.
#[derive(Clone, Debug)]
pub struct Sqlite {
    path: PathBuf,
    writer: SqlitePool,
    readers: SqlitePool,
}

impl Sqlite {
    /// Opens a file (a path, or a `sqlite:` address), makes it where there is none, and brings it to the newest
    /// migration.
    ///
    /// # Errors
    /// One sentence for each: no database, a newer version's, no room, no permission.
    pub async fn open(
        address: &str,
        migrations: &Migrator,
        durability: Durability,
    ) -> StoreResult<Self> {
        Self::open_with_log(address, migrations, durability, LOG_PAGES).await
    }

    /// The same with a write-ahead log that grows to so many pages.
    pub(crate) async fn open_with_log(
        address: &str,
        migrations: &Migrator,
        durability: Durability,
        log_pages: u32,
    ) -> StoreResult<Self> {
        let options =
            options(address, durability)?.pragma("wal_autocheckpoint", log_pages.to_string());
        let path = options.get_filename().to_owned();
        let pool = |most: u32| {
            SqlitePoolOptions::new()
                .max_connections(most)
                .acquire_timeout(BUSY)
                // An idle pool costs nothing: no reaper wakes up.
                .idle_timeout(None)
                .max_lifetime(None)
                .test_before_acquire(false)
                .after_release(|connection, _| Box::pin(is_clean(connection)))
        };
        let writer = pool(1)
            .connect_with((options.clone()).pragma("cache_size", format!("-{WRITER_CACHE_KIB}")))
            .await
            .map_err(|error| opening(&path, error))?;
        migrate(&path, migrations, &writer).await?;
        let readers =
            pool(READERS).connect_lazy_with(options.read_only(true).create_if_missing(false));
        Ok(Self {
            path,
            writer,
            readers,
        })
    }

    /// Where the writes go: one connection, so that writers wait in order instead of colliding.
    pub(crate) const fn writer(&self) -> &SqlitePool {
        &self.writer
    }

    /// Where the reads go.
    pub(crate) const fn readers(&self) -> &SqlitePool {
        &self.readers
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Closes every connection; the write-ahead log is merged.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

/// Whether a connection may be used again. A full disk makes SQLite roll back by itself; the driver's own rollback then
/// fails and leaves it believing that a transaction is open, in which no other can begin.
async fn is_clean(connection: &mut SqliteConnection) -> sqlx::Result<bool> {
    // What is to be rolled back is, before the answer.
    connection.ping().await?;
    Ok(!connection.is_in_transaction())
}

fn options(address: &str, durability: Durability) -> StoreResult<SqliteConnectOptions> {
    let options = if address.starts_with("sqlite:") {
        SqliteConnectOptions::from_str(address).map_err(|error| StoreError::Unreachable {
            database: address.to_owned(),
            source: error.into(),
        })?
    } else {
        SqliteConnectOptions::new().filename(address)
    };
    Ok(options
        .create_if_missing(true)
        .foreign_keys(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(match durability {
            Durability::Full => SqliteSynchronous::Full,
            Durability::Normal => SqliteSynchronous::Normal,
        })
        .busy_timeout(BUSY)
        .pragma("cache_size", format!("-{CACHE_KIB}"))
        .pragma("temp_store", "memory"))
}

async fn migrate(path: &Path, migrations: &Migrator, writer: &SqlitePool) -> StoreResult<()> {
    let database = || path.display().to_string();
    match migrations.run(writer).await {
        Ok(()) => Ok(()),
        Err(MigrateError::VersionMissing(found) | MigrateError::VersionTooNew(found, _)) => {
            Err(StoreError::Newer {
                database: database(),
                found,
            })
        }
        Err(MigrateError::VersionMismatch(found)) => Err(StoreError::Foreign {
            database: database(),
            found,
        }),
        Err(MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _)) => {
            Err(opening(path, error))
        }
        Err(other) => Err(StoreError::Unreachable {
            database: database(),
            source: other.into(),
        }),
    }
}

/// SQLite's primary result code of an error, where it has one.
fn primary_code(error: &sqlx::Error) -> Option<i32> {
    let code: i32 = error.as_database_error()?.code()?.parse().ok()?;
    Some(code & 0xff)
}

const SQLITE_CORRUPT: i32 = 11;
const SQLITE_FULL: i32 = 13;
const SQLITE_NOTADB: i32 = 26;

fn opening(path: &Path, error: sqlx::Error) -> StoreError {
    let database = path.display().to_string();
    match primary_code(&error) {
        Some(SQLITE_NOTADB | SQLITE_CORRUPT) => StoreError::NotADatabase { database },
        Some(SQLITE_FULL) => StoreError::Full,
        _ => StoreError::Unreachable {
            database,
            source: error.into(),
        },
    }
}

/// Turns an error of a statement into the store's. SQLite answers a failed commit with a rollback, so "failed" is
/// known unless the connection itself is gone.
pub(crate) fn failed(doing: &'static str) -> impl FnOnce(sqlx::Error) -> StoreError {
    move |error| match primary_code(&error) {
        Some(SQLITE_FULL) => StoreError::Full,
        Some(SQLITE_CORRUPT | SQLITE_NOTADB) => StoreError::Damaged {
            what: "database".to_owned(),
            detail: error.to_string(),
        },
        Some(_) => StoreError::Failed {
            doing,
            source: error.into(),
        },
        None => match error {
            sqlx::Error::WorkerCrashed | sqlx::Error::Io(_) | sqlx::Error::Protocol(_) => {
                StoreError::OutcomeUnknown {
                    doing,
                    source: error.into(),
                }
            }
            other => StoreError::Failed {
                doing,
                source: other.into(),
            },
        },
    }
}
