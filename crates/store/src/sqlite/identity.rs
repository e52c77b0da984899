//! The identity database in SQLite. Its statements are in `crate::identity::sql`.

use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use sqlx::sqlite::{SqliteConnection, SqlitePool};
use tana_protocol::api::approval::RequestStatus;
use tana_protocol::login::{RequestId, SessionId};
use tana_protocol::{Hash32, Timestamp, UserId};

use crate::error::StoreResult;
use crate::identity::requests::{
    self, Added, Device, RequestFilter, RequestRow, RequestStep, RequestStepped, RequestStore,
    Room, TransactionRequest, request_columns, sql_request_store,
};
use crate::identity::sql::{
    self, SessionRow, StepColumns, ms, session_columns, sql_identity_store,
};
use crate::identity::{IdentityStore, LiveLogin, Session, SessionKey, Step, Stepped};
use crate::sqlite::group::Group;
use crate::sqlite::{Durability, Sqlite, failed};

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("../../migrations/identity/sqlite");

/// How exactly the last use of a token is noted: each note is a write.
const NOTED_EVERY: Duration = Duration::from_secs(60);

/// The identity database in one SQLite file. Clones share its connections.
#[derive(Clone, Debug)]
pub struct SqliteIdentity {
    database: Sqlite,
    group: Group,
}

impl SqliteIdentity {
    /// Opens the file, and makes it where there is none.
    ///
    /// # Errors
    /// One sentence for each: no database, a newer version's, no room, no permission.
    pub async fn open(address: &str) -> StoreResult<Self> {
        let database = Sqlite::open(address, &MIGRATIONS, Durability::Full).await?;
        Ok(Self {
            group: Group::on(database.writer().clone()),
            database,
        })
    }

    async fn write<T, F>(&self, doing: &'static str, statement: F) -> StoreResult<T>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, sqlx::Result<T>>
            + Send
            + 'static,
    {
        self.group.write(doing, statement).await
    }

    const fn reader(&self) -> &SqlitePool {
        self.database.readers()
    }

    async fn close_all(&self) {
        self.database.close().await;
    }
}

sql_identity_store!(SqliteIdentity, failed);
sql_request_store!(SqliteIdentity, failed);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    #[tokio::test]
    async fn the_embedded_identity_database_conforms() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("identity.db");
        let store = super::SqliteIdentity::open(path.to_str().unwrap())
            .await
            .unwrap();
        crate::identity::conformance::check(&store).await.unwrap();
    }
}
