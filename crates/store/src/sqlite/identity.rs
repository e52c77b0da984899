//! The identity database in SQLite. Its statements are in `crate::identity::sql`.

use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use sqlx::query_builder::Separated;
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
use crate::sqlite::group::{ForRows, Group, Row};
use crate::sqlite::{Durability, Sqlite, failed};

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("../../migrations/identity/sqlite");

/// How exactly the last use of a token is noted: each note is a write.
const NOTED_EVERY: Duration = Duration::from_secs(60);
/// Pages of the write-ahead log (64 MiB). Sessions go into their indexes at random places: where the log is copied into the file
/// more seldom, a page that was written again and again is copied once, and fewer logins wait for the copying.
const LOG_PAGES: u32 = 16_000;

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
        let database =
            Sqlite::open_with_log(address, &MIGRATIONS, Durability::Full, LOG_PAGES).await?;
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

    async fn insert(&self, session: &Session) -> StoreResult<()> {
        let row = NewSession {
            public_id: session.public_id.as_str().to_owned(),
            browser_hash: sql::hex(&session.browser_hash),
            challenge: session.challenge.clone(),
            status: session.status.as_str(),
            return_url: session.return_url.clone(),
            app_name: session.app_name.clone(),
            app_icon: session.app_icon.clone(),
            created_at: ms(session.created_at),
            expires_at: ms(session.expires_at),
            token_hash: sql::hex(&session.token_hash),
            phone_token_hash: sql::hex(&session.phone_token_hash),
        };
        self.group.row(row).await?;
        Ok(())
    }

    async fn try_step(&self, id: &SessionId, step: &Step, now: Timestamp) -> StoreResult<bool> {
        let row = SessionStep {
            public_id: id.as_str().to_owned(),
            now: ms(now),
            columns: StepColumns::from(step),
        };
        self.group.row(row).await
    }

    async fn close_all(&self) {
        self.database.close().await;
    }
}

/// A session that is new.
struct NewSession {
    public_id: String,
    browser_hash: String,
    challenge: String,
    status: &'static str,
    return_url: Option<String>,
    app_name: Option<String>,
    app_icon: Option<String>,
    created_at: i64,
    expires_at: i64,
    token_hash: String,
    phone_token_hash: String,
}

impl Row for NewSession {
    fn statement(&self) -> &'static ForRows {
        static STATEMENT: ForRows = ForRows {
            doing: "keeping a session",
            before: "INSERT INTO auth_sessions (public_id, browser_hash, challenge, status, return_url, \
                     app_name, app_icon, created_at, expires_at, token_hash, phone_token_hash) ",
            after: " RETURNING public_id",
        };
        &STATEMENT
    }

    fn key(&self) -> &str {
        &self.public_id
    }

    fn bind(&self, row: &mut Separated<'_, sqlx::Sqlite, &'static str>) {
        row.push_bind(&self.public_id)
            .push_bind(&self.browser_hash)
            .push_bind(&self.challenge)
            .push_bind(self.status)
            .push_bind(&self.return_url)
            .push_bind(&self.app_name)
            .push_bind(&self.app_icon)
            .push_bind(self.created_at)
            .push_bind(self.expires_at)
            .push_bind(&self.token_hash)
            .push_bind(&self.phone_token_hash);
    }
}

/// A step of a session, where it stands so that it can be done.
struct SessionStep {
    public_id: String,
    now: i64,
    columns: StepColumns,
}

impl Row for SessionStep {
    fn statement(&self) -> &'static ForRows {
        static STATEMENT: ForRows = ForRows {
            doing: "changing a session",
            before: "WITH step (id, also_from, now, status, user_id, username, public_key, approved_at, \
                     token_expires_at, reason) AS (",
            after: ") UPDATE auth_sessions AS it SET status = step.status, user_id = step.user_id, \
                    username = step.username, public_key = step.public_key, approved_at = step.approved_at, \
                    last_used_at = step.approved_at, token_expires_at = step.token_expires_at, \
                    reason = step.reason FROM step WHERE it.public_id = step.id \
                    AND it.status IN ('waiting', step.also_from) AND it.expires_at > step.now \
                    RETURNING public_id",
        };
        &STATEMENT
    }

    fn key(&self) -> &str {
        &self.public_id
    }

    fn bind(&self, row: &mut Separated<'_, sqlx::Sqlite, &'static str>) {
        row.push_bind(&self.public_id)
            .push_bind(self.columns.also_from)
            .push_bind(self.now)
            .push_bind(self.columns.status)
            .push_bind(&self.columns.user_id)
            .push_bind(&self.columns.username)
            .push_bind(&self.columns.public_key)
            .push_bind(self.columns.approved_at)
            .push_bind(self.columns.token_expires_at)
            .push_bind(&self.columns.reason);
    }
}

sql_identity_store!(SqliteIdentity, failed);
sql_request_store!(SqliteIdentity, failed);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use tana_protocol::login::{SessionId, SessionStatus};
    use tana_protocol::{Hash32, Timestamp};

    use super::{MIGRATIONS, SqliteIdentity};
    use crate::identity::{IdentityStore, SessionKey, conformance};
    use crate::sqlite::{Durability, Sqlite};

    #[tokio::test]
    async fn the_embedded_identity_database_conforms() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("identity.db");
        let store = SqliteIdentity::open(path.to_str().unwrap()).await.unwrap();
        conformance::check(&store).await.unwrap();
    }

    #[tokio::test]
    async fn a_database_from_before_the_shorter_indexes_keeps_its_sessions() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("identity.db");
        let path = path.to_str().unwrap();
        let before = MIGRATIONS.iter().take(2).cloned().collect();
        let before = sqlx::migrate::Migrator::with_migrations(before);
        let database = Sqlite::open(path, &before, Durability::Full).await.unwrap();
        let browser = SessionId::from_random([1; 16]);
        let key = SessionKey::of(&browser);
        let (token, phone_token) = (Hash32::of(b"token"), Hash32::of(b"phone"));
        let user = "50af7e9c-3932-8279-a7b7-fa81d558acbe";
        let public_key = tana_protocol::SecretKey::from_seed(&[1; 32]).public();
        sqlx::query(
            "INSERT INTO auth_sessions (public_id, browser_hash, challenge, status, return_url, app_name, \
             app_icon, created_at, expires_at, approved_at, user_id, username, public_key, token_hash, \
             phone_token_hash, token_expires_at, last_used_at) VALUES ('sess_0123456789abcdef', $1, 'c', \
             'approved', 'https://a/', 'Shop', 'https://i/', 1, 2, 3, $2, '@alice', $3, $4, $5, 1000, 4)",
        )
        .bind(key.hash.to_hex())
        .bind(user)
        .bind(public_key.to_string())
        .bind(token.to_hex())
        .bind(phone_token.to_hex())
        .execute(database.writer())
        .await
        .unwrap();
        database.close().await;

        let store = SqliteIdentity::open(path).await.unwrap();
        let session = store.session(&key).await.unwrap().unwrap();
        assert_eq!(session.public_id.as_str(), "sess_0123456789abcdef");
        assert_eq!(session.status, SessionStatus::Approved);
        assert_eq!(session.return_url.as_deref(), Some("https://a/"));
        assert_eq!(session.app_name.as_deref(), Some("Shop"));
        assert_eq!(session.app_icon.as_deref(), Some("https://i/"));
        assert_eq!(
            (session.token_hash, session.phone_token_hash),
            (token, phone_token)
        );
        let login = session.login.unwrap();
        assert_eq!(login.user_id.to_string(), user);
        assert_eq!(login.public_key, public_key);
        let times = [
            login.approved_at,
            login.last_used_at,
            login.token_expires_at,
        ];
        assert_eq!(times, [3, 4, 1000].map(Timestamp::from_ms));
        for token in [token, phone_token] {
            let live = store.login(token, Timestamp::from_ms(999)).await.unwrap();
            assert_eq!(live.unwrap().id, session.public_id);
        }
        store.close().await;
    }
}
