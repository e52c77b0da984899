//! The statements of [`super::IdentityStore`], the same text for SQLite and PostgreSQL, and their rows.
//!
//! The macro makes the implementation for a backend: a type with `write()`, which runs one statement and answers when it is
//! committed, a `reader()` pool, and a function that maps its errors. What each login does has each backend do in its own way:
//! `insert()` a session, and `try_step()`, which answers whether it did.

use tana_protocol::login::SessionId;
use tana_protocol::{Hash32, Timestamp};

use super::{LiveLogin, Login, Session, Step};
use crate::error::{StoreError, StoreResult};

/// A time as the databases hold it.
pub(crate) fn ms(at: Timestamp) -> i64 {
    i64::try_from(at.ms()).unwrap_or(i64::MAX)
}

fn time(ms: i64) -> Timestamp {
    Timestamp::from_ms(u64::try_from(ms).unwrap_or_default())
}

fn parse<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> StoreResult<T> {
    text.parse().map_err(|error: T::Err| StoreError::Damaged {
        what: "session".to_owned(),
        detail: format!("{text:?}: {error}"),
    })
}

#[derive(sqlx::FromRow)]
pub(crate) struct SessionRow {
    public_id: String,
    browser_hash: String,
    challenge: String,
    status: String,
    return_url: Option<String>,
    app_name: Option<String>,
    app_icon: Option<String>,
    created_at: i64,
    expires_at: i64,
    approved_at: Option<i64>,
    reason: Option<String>,
    user_id: Option<String>,
    username: Option<String>,
    public_key: Option<String>,
    token_hash: String,
    phone_token_hash: String,
    token_expires_at: Option<i64>,
    last_used_at: Option<i64>,
}

impl SessionRow {
    fn login(&self) -> StoreResult<Option<Login>> {
        let (Some(user_id), Some(username), Some(key), Some(approved), Some(ends), Some(used)) = (
            &self.user_id,
            &self.username,
            &self.public_key,
            self.approved_at,
            self.token_expires_at,
            self.last_used_at,
        ) else {
            return Ok(None);
        };
        Ok(Some(Login {
            user_id: parse(user_id)?,
            username: parse(username)?,
            public_key: parse(key)?,
            approved_at: time(approved),
            token_expires_at: time(ends),
            last_used_at: time(used),
        }))
    }
}

impl TryFrom<SessionRow> for Session {
    type Error = StoreError;

    fn try_from(row: SessionRow) -> StoreResult<Self> {
        Ok(Self {
            public_id: parse(&row.public_id)?,
            browser_hash: parse(&row.browser_hash)?,
            status: parse(&row.status)?,
            created_at: time(row.created_at),
            expires_at: time(row.expires_at),
            token_hash: parse(&row.token_hash)?,
            phone_token_hash: parse(&row.phone_token_hash)?,
            login: row.login()?,
            challenge: row.challenge,
            return_url: row.return_url,
            app_name: row.app_name,
            app_icon: row.app_icon,
            reason: row.reason,
        })
    }
}

impl TryFrom<SessionRow> for LiveLogin {
    type Error = StoreError;

    fn try_from(row: SessionRow) -> StoreResult<Self> {
        let login = row.login()?.ok_or_else(|| StoreError::Damaged {
            what: format!("session {}", row.public_id),
            detail: "it is approved and nobody approved it".to_owned(),
        })?;
        Ok(Self {
            id: parse(&row.public_id)?,
            app_name: row.app_name,
            login,
        })
    }
}

/// What a step writes, column by column; `None` keeps what is there.
#[derive(Default)]
pub(crate) struct StepColumns {
    pub(crate) status: &'static str,
    /// The status it needs, besides `waiting`.
    pub(crate) also_from: &'static str,
    pub(crate) user_id: Option<String>,
    pub(crate) username: Option<String>,
    pub(crate) public_key: Option<String>,
    pub(crate) approved_at: Option<i64>,
    pub(crate) token_expires_at: Option<i64>,
    pub(crate) reason: Option<String>,
}

impl From<&Step> for StepColumns {
    fn from(step: &Step) -> Self {
        match step {
            Step::Scan => Self {
                status: "scanned",
                also_from: "waiting",
                ..Self::default()
            },
            Step::Approve(login) => Self {
                status: "approved",
                also_from: "scanned",
                user_id: Some(login.user_id.to_string()),
                username: Some(login.username.to_string()),
                public_key: Some(login.public_key.to_string()),
                approved_at: Some(ms(login.approved_at)),
                token_expires_at: Some(ms(login.token_expires_at)),
                reason: None,
            },
            Step::Reject(reason) => Self {
                status: "rejected",
                also_from: "scanned",
                reason: reason.clone(),
                ..Self::default()
            },
        }
    }
}

pub(crate) fn hex(hash: &Hash32) -> String {
    hash.to_hex()
}

/// What a hash is looked up by: its first ten digits. Each new session goes into three indexes of hashes, at random places: the
/// smaller they are, the fewer pages a commit writes.
pub(crate) fn head(hash: &Hash32) -> String {
    let mut digits = hash.to_hex();
    digits.truncate(10);
    digits
}

pub(crate) fn ids(found: &[String]) -> StoreResult<Vec<SessionId>> {
    found.iter().map(|id| parse(id)).collect()
}

macro_rules! session_columns {
    ($before:literal, $after:literal) => {
        concat!(
            $before,
            " public_id, browser_hash, challenge, status, return_url, app_name, app_icon, created_at, \
             expires_at, approved_at, reason, user_id, username, public_key, token_hash, \
             phone_token_hash, token_expires_at, last_used_at ",
            $after
        )
    };
}
pub(crate) use session_columns;

/// The implementation for one backend.
macro_rules! sql_identity_store {
    ($store:ty, $failed:path) => {
        impl $store {
            async fn find(&self, key: &SessionKey) -> StoreResult<Option<Session>> {
                let found: Option<SessionRow> = sqlx::query_as(session_columns!(
                    "SELECT",
                    "FROM auth_sessions WHERE public_id = $1 \
                     OR (substr(browser_hash, 1, 10) = $3 AND browser_hash = $2)"
                ))
                .bind(key.id.as_str())
                .bind(sql::hex(&key.hash))
                .bind(sql::head(&key.hash))
                .fetch_optional(self.reader())
                .await
                .map_err($failed("reading a session"))?;
                found.map(Session::try_from).transpose()
            }

            async fn take_step(
                &self,
                id: &SessionId,
                step: &Step,
                now: Timestamp,
            ) -> StoreResult<Stepped> {
                if self.try_step(id, step, now).await? {
                    return Ok(Stepped::Done);
                }
                let found: Option<SessionRow> = sqlx::query_as(session_columns!(
                    "SELECT",
                    "FROM auth_sessions WHERE public_id = $1"
                ))
                .bind(id.as_str())
                .fetch_optional(self.reader())
                .await
                .map_err($failed("changing a session"))?;
                Ok(match found {
                    Some(row) => Stepped::TooLate(Box::new(row.try_into()?)),
                    None => Stepped::Unknown,
                })
            }

            async fn soonest(&self) -> StoreResult<Option<Timestamp>> {
                let found: Option<i64> = sqlx::query_scalar(
                    "SELECT min(expires_at) FROM auth_sessions WHERE status IN ('waiting', 'scanned')",
                )
                .fetch_one(self.reader())
                .await
                .map_err($failed("looking for codes that end"))?;
                Ok(found.map(|ms| Timestamp::from_ms(u64::try_from(ms).unwrap_or_default())))
            }

            async fn end_codes(&self, now: Timestamp) -> StoreResult<Vec<SessionId>> {
                let query = sqlx::query_scalar(
                    "UPDATE auth_sessions SET status = 'expired' \
                     WHERE status IN ('waiting', 'scanned') AND expires_at <= $1 RETURNING public_id",
                )
                .bind(ms(now));
                let found: Vec<String> = self
                    .write("ending codes", move |connection| {
                        query.fetch_all(connection).boxed()
                    })
                    .await?;
                sql::ids(&found)
            }

            async fn find_login(
                &self,
                token_hash: Hash32,
                now: Timestamp,
            ) -> StoreResult<Option<LiveLogin>> {
                const DOING: &str = "checking a token";
                let found: Option<SessionRow> = sqlx::query_as(session_columns!(
                    "SELECT",
                    "FROM auth_sessions WHERE ((substr(token_hash, 1, 10) = $3 AND token_hash = $1) \
                     OR (substr(phone_token_hash, 1, 10) = $3 AND phone_token_hash = $1)) \
                     AND status = 'approved' AND revoked_at IS NULL AND token_expires_at > $2"
                ))
                .bind(sql::hex(&token_hash))
                .bind(ms(now))
                .bind(sql::head(&token_hash))
                .fetch_optional(self.reader())
                .await
                .map_err($failed(DOING))?;
                let Some(row) = found else {
                    return Ok(None);
                };
                let live = LiveLogin::try_from(row)?;
                if now.since(live.login.last_used_at) > NOTED_EVERY {
                    let query = sqlx::query("UPDATE auth_sessions SET last_used_at = $2 WHERE public_id = $1")
                        .bind(live.id.as_str())
                        .bind(ms(now));
                    self.write(DOING, move |connection| {
                        query.execute(connection).boxed()
                    })
                    .await?;
                }
                Ok(Some(live))
            }

            async fn list(&self, user: &UserId, now: Timestamp) -> StoreResult<Vec<LiveLogin>> {
                let found: Vec<SessionRow> = sqlx::query_as(session_columns!(
                    "SELECT",
                    "FROM auth_sessions WHERE user_id = $1 AND status = 'approved' \
                     AND revoked_at IS NULL AND token_expires_at > $2 \
                     ORDER BY approved_at DESC, public_id LIMIT 500"
                ))
                .bind(user.to_string())
                .bind(ms(now))
                .fetch_all(self.reader())
                .await
                .map_err($failed("listing a user's sessions"))?;
                found.into_iter().map(LiveLogin::try_from).collect()
            }

            async fn end_logins(
                &self,
                user: &UserId,
                session: Option<&SessionId>,
                now: Timestamp,
            ) -> StoreResult<u64> {
                let query = sqlx::query(
                    "UPDATE auth_sessions SET revoked_at = $3 WHERE user_id = $1 \
                     AND (CAST($2 AS TEXT) IS NULL OR public_id = CAST($2 AS TEXT)) \
                     AND status = 'approved' AND revoked_at IS NULL AND token_expires_at > $3",
                )
                .bind(user.to_string())
                .bind(session.map(|id| id.as_str().to_owned()))
                .bind(ms(now));
                let done = self
                    .write("ending sessions", move |connection| {
                        query.execute(connection).boxed()
                    })
                    .await?;
                Ok(done.rows_affected())
            }

            async fn delete_old(&self, before: Timestamp, now: Timestamp) -> StoreResult<u64> {
                let query = sqlx::query(
                    "DELETE FROM auth_sessions WHERE public_id IN (SELECT public_id FROM auth_sessions \
                     WHERE expires_at < $1 AND NOT (status = 'approved' AND revoked_at IS NULL \
                     AND token_expires_at > $2) LIMIT 1000)",
                )
                .bind(ms(before))
                .bind(ms(now));
                let done = self
                    .write("forgetting old sessions", move |connection| {
                        query.execute(connection).boxed()
                    })
                    .await?;
                Ok(done.rows_affected())
            }

            async fn answers(&self) -> StoreResult<()> {
                sqlx::query("SELECT 1")
                    .execute(self.reader())
                    .await
                    .map_err($failed("asking the database"))?;
                Ok(())
            }
        }

        impl IdentityStore for $store {
            fn create<'a>(&'a self, session: &'a Session) -> BoxFuture<'a, StoreResult<()>> {
                self.insert(session).boxed()
            }

            fn session<'a>(
                &'a self,
                key: &'a SessionKey,
            ) -> BoxFuture<'a, StoreResult<Option<Session>>> {
                self.find(key).boxed()
            }

            fn step<'a>(
                &'a self,
                id: &'a SessionId,
                step: &'a Step,
                now: Timestamp,
            ) -> BoxFuture<'a, StoreResult<Stepped>> {
                self.take_step(id, step, now).boxed()
            }

            fn next_expiry(&self) -> BoxFuture<'_, StoreResult<Option<Timestamp>>> {
                self.soonest().boxed()
            }

            fn expire(&self, now: Timestamp) -> BoxFuture<'_, StoreResult<Vec<SessionId>>> {
                self.end_codes(now).boxed()
            }

            fn login(
                &self,
                token_hash: Hash32,
                now: Timestamp,
            ) -> BoxFuture<'_, StoreResult<Option<LiveLogin>>> {
                self.find_login(token_hash, now).boxed()
            }

            fn logins<'a>(
                &'a self,
                user: &'a UserId,
                now: Timestamp,
            ) -> BoxFuture<'a, StoreResult<Vec<LiveLogin>>> {
                self.list(user, now).boxed()
            }

            fn revoke<'a>(
                &'a self,
                user: &'a UserId,
                session: Option<&'a SessionId>,
                now: Timestamp,
            ) -> BoxFuture<'a, StoreResult<u64>> {
                self.end_logins(user, session, now).boxed()
            }

            fn forget(&self, before: Timestamp, now: Timestamp) -> BoxFuture<'_, StoreResult<u64>> {
                self.delete_old(before, now).boxed()
            }

            fn ping(&self) -> BoxFuture<'_, StoreResult<()>> {
                self.answers().boxed()
            }

            fn close(&self) -> BoxFuture<'_, ()> {
                self.close_all().boxed()
            }
        }
    };
}
pub(crate) use sql_identity_store;
