//! PostgreSQL as this crate uses it: one pool, migrations checked at the start.
//!
//! The tables' own SQL is in the modules below, one a trait.

mod identity;
mod ledger;

use std::str::FromStr;
use std::time::Duration;

use sqlx::Connection as _;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use url::Url;

use crate::error::{StoreError, StoreResult};

pub use identity::PostgresIdentity;
pub use ledger::PostgresLedger;

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
        // A pool would only say that it waited: one connection says why there is none.
        let first = PgConnection::connect_with(&options)
            .await
            .map_err(|error| opening(&database, error))?;
        // The server ends what breaks off.
        let _closed = first.close().await;
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

fn opening(database: &str, error: sqlx::Error) -> StoreError {
    let database = database.to_owned();
    let code = |error: &sqlx::Error| Some(error.as_database_error()?.code()?.into_owned());
    match (code(&error).as_deref(), &error) {
        // invalid_authorization_specification, invalid_password
        (Some("28000" | "28P01"), _) => StoreError::Login {
            database,
            source: error.into(),
        },
        // invalid_catalog_name
        (Some("3D000"), _) => StoreError::NoDatabase { database },
        // The server starts or stops.
        (Some("57P03"), _) | (_, sqlx::Error::Io(_)) => StoreError::Away {
            database,
            source: error.into(),
        },
        _ => StoreError::Unreachable {
            database,
            source: error.into(),
        },
    }
}

/// Whether a statement failed by what passes: the connection is gone, or another's transaction was in the way.
pub(crate) fn is_passing(error: &StoreError) -> bool {
    match error {
        StoreError::OutcomeUnknown { .. } => true,
        StoreError::Failed { source, .. } => source
            .downcast_ref::<sqlx::Error>()
            .and_then(sqlx::Error::as_database_error)
            .and_then(sqlx::error::DatabaseError::code)
            // unique_violation: somebody else has just written the same; serialization_failure, deadlock_detected
            .is_some_and(|code| matches!(&*code, "23505" | "40001" | "40P01")),
        _ => false,
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
        // admin_shutdown, crash_shutdown, cannot_connect_now: the connection ends with them.
        sqlx::Error::Database(refused)
            if matches!(refused.code().as_deref(), Some("57P01" | "57P02" | "57P03")) =>
        {
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
