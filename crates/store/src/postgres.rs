//! PostgreSQL as this crate uses it: one pool, migrations checked at the start.
//!
//! The tables' own SQL is in the modules below, one a trait.

mod identity;

use std::str::FromStr;
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use url::Url;

use crate::error::{StoreError, StoreResult};

pub use identity::PostgresIdentity;

/// How long one waits for a connection.
const PATIENCE: Duration = Duration::from_secs(10);
/// Connections at most.
const CONNECTIONS: u32 = 16;

/// An open PostgreSQL database. Clones share its connections.
#[derive(Clone, Debug)]
pub struct Postgres {
    pool: PgPool,
}

impl Postgres {
    /// Connects to a `postgres://` address and brings the tables to the newest migration.
    ///
    /// # Errors
    /// One sentence for each: no server there, a newer version's tables, no permission.
    pub async fn open(address: &str, migrations: &Migrator) -> StoreResult<Self> {
        let database = shown(address);
        let unreachable = |source: sqlx::Error| StoreError::Unreachable {
            database: database.clone(),
            source: source.into(),
        };
        let options = PgConnectOptions::from_str(address)
            .map_err(unreachable)?
            .application_name("tana");
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(PATIENCE)
            .connect_with(options)
            .await
            .map_err(unreachable)?;
        match migrations.run(&pool).await {
            Ok(()) => Ok(Self { pool }),
            Err(MigrateError::VersionMissing(found) | MigrateError::VersionTooNew(found, _)) => {
                Err(StoreError::Newer { database, found })
            }
            Err(MigrateError::VersionMismatch(found)) => {
                Err(StoreError::Foreign { database, found })
            }
            Err(other) => Err(StoreError::Unreachable {
                database,
                source: other.into(),
            }),
        }
    }

    pub(crate) const fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// Closes every connection.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

/// The address without its password.
fn shown(address: &str) -> String {
    let Ok(mut url) = Url::parse(address) else {
        return "the PostgreSQL database".to_owned();
    };
    // Both fail only on addresses that can hold no password.
    let _no_password = url.set_password(None);
    url.set_query(None);
    url.into()
}

/// Turns an error of a statement into the store's. A statement that the server refused was not done; one whose
/// connection broke may have been.
pub(crate) fn failed(doing: &'static str) -> impl FnOnce(sqlx::Error) -> StoreError {
    move |error| match &error {
        // disk_full
        sqlx::Error::Database(refused) if refused.code().as_deref() == Some("53100") => {
            StoreError::Full
        }
        // data_corrupted, index_corrupted
        sqlx::Error::Database(refused)
            if matches!(refused.code().as_deref(), Some("XX001" | "XX002")) =>
        {
            StoreError::Damaged {
                what: "database".to_owned(),
                detail: error.to_string(),
            }
        }
        sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed => {
            StoreError::OutcomeUnknown {
                doing,
                source: error.into(),
            }
        }
        _ => StoreError::Failed {
            doing,
            source: error.into(),
        },
    }
}

#[cfg(test)]
pub(crate) mod test {
    //! An empty database of its own for each test, on the server that `TANA_TEST_POSTGRES_URL` names.
    #![allow(clippy::unwrap_used)]

    use sqlx::AssertSqlSafe;
    use sqlx::postgres::PgPool;
    use url::Url;

    /// A database that is there for one test.
    pub(crate) struct Scratch {
        server: PgPool,
        name: String,
        pub(crate) address: String,
    }

    impl Scratch {
        pub(crate) async fn create() -> Self {
            // A test is told where the server is by `cargo xtask test`, which brings it.
            #[allow(clippy::disallowed_methods)]
            let server = std::env::var("TANA_TEST_POSTGRES_URL").expect(
                "this test needs a PostgreSQL: run cargo xtask test, or set TANA_TEST_POSTGRES_URL",
            );
            let name = format!("tana_test_{}", uuid::Uuid::new_v4().simple());
            let mut address = Url::parse(&server).unwrap();
            address.set_path(&name);
            let server = PgPool::connect(&server).await.unwrap();
            sqlx::query(AssertSqlSafe(format!("CREATE DATABASE {name}")))
                .execute(&server)
                .await
                .unwrap();
            Self {
                server,
                name,
                address: address.into(),
            }
        }

        pub(crate) async fn remove(self) {
            let drop = format!("DROP DATABASE {} WITH (FORCE)", self.name);
            sqlx::query(AssertSqlSafe(drop))
                .execute(&self.server)
                .await
                .unwrap();
        }
    }
}
