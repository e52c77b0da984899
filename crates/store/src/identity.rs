//! What the identity service keeps: login sessions, transaction requests, devices.
//!
//! Secrets arrive here as SHA-256 only. Whether a phone may approve is decided by the daemon's rules; a method here is
//! one transaction that changes a session if it still can be changed, and says so when it cannot.

pub mod conformance;
pub mod requests;
pub(crate) mod sql;

use futures::future::BoxFuture;
use tana_protocol::login::{SessionId, SessionStatus};
use tana_protocol::{Hash32, PublicKey, Timestamp, UserId, Username};

use crate::error::StoreResult;

/// A login session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The id that is in the QR code.
    pub public_id: SessionId,
    /// SHA-256 of the browser's id.
    pub browser_hash: Hash32,
    /// 64 hex digits that the phone signs.
    pub challenge: String,
    /// Where it stands.
    pub status: SessionStatus,
    /// Where the browser goes afterwards.
    pub return_url: Option<String>,
    /// The site's name.
    pub app_name: Option<String>,
    /// The site's icon.
    pub app_icon: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When the code ends.
    pub expires_at: Timestamp,
    /// SHA-256 of the browser's token, which holds once a phone has approved.
    pub token_hash: Hash32,
    /// SHA-256 of the phone's own token.
    pub phone_token_hash: Hash32,
    /// Who approved, and what came of it.
    pub login: Option<Login>,
    /// Why a phone rejected.
    pub reason: Option<String>,
}

/// What an approval makes of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// Who approved.
    pub user_id: UserId,
    /// Who approved.
    pub username: Username,
    /// With which key.
    pub public_key: PublicKey,
    /// When.
    pub approved_at: Timestamp,
    /// When the tokens end.
    pub token_expires_at: Timestamp,
    /// When a token was last used, to the minute.
    pub last_used_at: Timestamp,
}

/// How a session is asked for: by either id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionKey {
    /// As the public id.
    pub id: SessionId,
    /// As the browser's.
    pub hash: Hash32,
}

impl SessionKey {
    /// An id that may be either.
    #[must_use]
    pub fn of(id: &SessionId) -> Self {
        Self {
            id: id.clone(),
            hash: Hash32::of(id.as_str().as_bytes()),
        }
    }
}

/// What a phone does to an open session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// It read the code.
    Scan,
    /// It approved.
    Approve(Box<Login>),
    /// It rejected, for a reason perhaps.
    Reject(Option<String>),
}

impl Session {
    /// The session, which was open, once a step is done.
    #[must_use]
    pub fn after(self, step: &Step) -> Self {
        match step {
            Step::Scan => Self {
                status: SessionStatus::Scanned,
                ..self
            },
            Step::Approve(login) => Self {
                status: SessionStatus::Approved,
                login: Some((**login).clone()),
                ..self
            },
            Step::Reject(reason) => Self {
                status: SessionStatus::Rejected,
                reason: reason.clone(),
                ..self
            },
        }
    }
}

/// What became of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stepped {
    /// The session stands as [`Session::after`] says.
    Done,
    /// It was not open, or not waiting, any more; it stands like this.
    TooLate(Box<Session>),
    /// There is no such session.
    Unknown,
}

/// A live login of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveLogin {
    /// The session's public id.
    pub id: SessionId,
    /// The site's name.
    pub app_name: Option<String>,
    /// What came of the approval.
    pub login: Login,
}

/// The identity service's store.
pub trait IdentityStore: requests::RequestStore {
    /// Keeps a new session.
    fn create<'a>(&'a self, session: &'a Session) -> BoxFuture<'a, StoreResult<()>>;

    /// A session by either id.
    fn session<'a>(&'a self, key: &'a SessionKey) -> BoxFuture<'a, StoreResult<Option<Session>>>;

    /// Does a step if the session is open (for a scan: waiting) and its code lives at `now`. Of two at once one is done.
    fn step<'a>(
        &'a self,
        id: &'a SessionId,
        step: &'a Step,
        now: Timestamp,
    ) -> BoxFuture<'a, StoreResult<Stepped>>;

    /// When the next open session's code ends.
    fn next_expiry(&self) -> BoxFuture<'_, StoreResult<Option<Timestamp>>>;

    /// Marks the open sessions expired whose codes ended at `now` or before, and answers them.
    fn expire(&self, now: Timestamp) -> BoxFuture<'_, StoreResult<Vec<SessionId>>>;

    /// The live login that a token belongs to; notes that it was used when the last note is older than a minute.
    fn login(
        &self,
        token_hash: Hash32,
        now: Timestamp,
    ) -> BoxFuture<'_, StoreResult<Option<LiveLogin>>>;

    /// A user's live logins, newest first.
    fn logins<'a>(
        &'a self,
        user: &'a UserId,
        now: Timestamp,
    ) -> BoxFuture<'a, StoreResult<Vec<LiveLogin>>>;

    /// Ends one live login of a user (`Some`), or all; answers how many.
    fn revoke<'a>(
        &'a self,
        user: &'a UserId,
        session: Option<&'a SessionId>,
        now: Timestamp,
    ) -> BoxFuture<'a, StoreResult<u64>>;

    /// Forgets sessions whose code ended before `before` and that are no live login at `now`, a thousand at most;
    /// answers how many.
    fn forget(&self, before: Timestamp, now: Timestamp) -> BoxFuture<'_, StoreResult<u64>>;

    /// Whether the database answers.
    fn ping(&self) -> BoxFuture<'_, StoreResult<()>>;

    /// Closes every connection.
    fn close(&self) -> BoxFuture<'_, ()>;
}
