//! The identity database in PostgreSQL. Its statements are in `crate::identity::sql`.

use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use sqlx::postgres::{PgConnection, PgPool};
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
use crate::postgres::{Postgres, failed};

/// How exactly the last use of a token is noted: each note is a write.
const NOTED_EVERY: Duration = Duration::from_secs(60);

/// The identity database in PostgreSQL. Clones share its connections.
#[derive(Clone, Debug)]
pub struct PostgresIdentity(Postgres);

impl PostgresIdentity {
    /// Connects to a `postgres://` address and makes the tables where there are none.
    ///
    /// # Errors
    /// One sentence for each: no server there, a newer version's tables, no permission.
    pub async fn open(address: &str) -> StoreResult<Self> {
        let mut migrations = sqlx::migrate!("../../migrations/identity/postgres");
        // The ledger may live in the same database, and counts its migrations too.
        migrations.dangerous_set_table_name("_sqlx_migrations_identity");
        Postgres::open(address, &migrations).await.map(Self)
    }

    /// Each on a connection of its own: the server commits together what comes at the same time.
    async fn write<T, F>(&self, doing: &'static str, statement: F) -> StoreResult<T>
    where
        F: for<'c> FnOnce(&'c mut PgConnection) -> BoxFuture<'c, sqlx::Result<T>> + Send,
    {
        let mut connection = self.0.pool().acquire().await.map_err(failed(doing))?;
        statement(&mut connection).await.map_err(failed(doing))
    }

    const fn reader(&self) -> &PgPool {
        self.0.pool()
    }

    async fn insert(&self, session: &Session) -> StoreResult<()> {
        let query = sqlx::query(
            "INSERT INTO auth_sessions (public_id, browser_hash, challenge, status, return_url, \
             app_name, app_icon, created_at, expires_at, token_hash, phone_token_hash) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        )
        .bind(session.public_id.as_str())
        .bind(sql::hex(&session.browser_hash))
        .bind(&session.challenge)
        .bind(session.status.as_str())
        .bind(&session.return_url)
        .bind(&session.app_name)
        .bind(&session.app_icon)
        .bind(ms(session.created_at))
        .bind(ms(session.expires_at))
        .bind(sql::hex(&session.token_hash))
        .bind(sql::hex(&session.phone_token_hash));
        self.write("keeping a session", move |connection| {
            query.execute(connection).boxed()
        })
        .await?;
        Ok(())
    }

    async fn try_step(&self, id: &SessionId, step: &Step, now: Timestamp) -> StoreResult<bool> {
        let columns = StepColumns::from(step);
        let query = sqlx::query(
            "UPDATE auth_sessions SET status = $4, user_id = $5, username = $6, \
             public_key = $7, approved_at = $8, last_used_at = $8, token_expires_at = $9, \
             reason = $10 \
             WHERE public_id = $1 AND status IN ('waiting', $2) AND expires_at > $3",
        )
        .bind(id.as_str())
        .bind(columns.also_from)
        .bind(ms(now))
        .bind(columns.status)
        .bind(columns.user_id)
        .bind(columns.username)
        .bind(columns.public_key)
        .bind(columns.approved_at)
        .bind(columns.token_expires_at)
        .bind(columns.reason);
        let done = self
            .write("changing a session", move |connection| {
                query.execute(connection).boxed()
            })
            .await?;
        Ok(done.rows_affected() > 0)
    }

    async fn close_all(&self) {
        self.0.close().await;
    }
}

sql_identity_store!(PostgresIdentity, failed);
sql_request_store!(PostgresIdentity, failed);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::identity::{IdentityStore, conformance};
    use tana_scratch::Scratch;

    #[tokio::test]
    async fn the_identity_database_in_postgresql_conforms() {
        let scratch = Scratch::create().await;
        let store = super::PostgresIdentity::open(&scratch.address)
            .await
            .unwrap();
        conformance::check(&store).await.unwrap();
        store.close().await;
        scratch.remove().await;
    }
}
