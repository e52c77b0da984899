//! The identity service: login sessions, from the browser's side and from the phone's.

use tana_protocol::api::approval::{RequestStatus, RequestView};
use tana_protocol::api::health::Health;
use tana_protocol::api::identity::{
    ApproveSession, CreateSession, RejectSession, Scanned, SessionApproved, SessionCreated,
    SessionEvent, SessionEventType, SessionView, Success, TokenClaims, ValidateToken,
};
use tana_protocol::login::{LoginMessage, SessionId};
use tana_protocol::{SecretKey, ServiceToken, UserId, Username};

use crate::clock::now;
use crate::error::ClientError;
use crate::events::{EventStream, StreamEvent};
use crate::http::{Http, Repeat};
use crate::page::{Page, PageQuery};

impl StreamEvent for SessionEvent {
    fn decode(name: &str, data: &str) -> Result<Option<Self>, serde_json::Error> {
        match name {
            // Events of a session have no name.
            "message" => serde_json::from_str(data).map(Some),
            _ => Ok(None),
        }
    }

    fn is_last(&self) -> bool {
        // A stream that opens on a session that is over says so in `connected` alone.
        matches!(
            self.kind,
            SessionEventType::Approved | SessionEventType::Rejected | SessionEventType::Expired
        )
    }
}

/// A client of one identity service.
#[derive(Clone, Debug)]
pub struct IdentityClient(Http);

impl IdentityClient {
    /// A client of the service at a base URL. Nothing is connected yet.
    ///
    /// # Errors
    /// When the URL is none.
    pub fn new(base: &str) -> Result<Self, ClientError> {
        Http::to("identity service", base).map(Self)
    }

    /// Where it is.
    #[must_use]
    pub fn base(&self) -> &str {
        self.0.base()
    }

    /// Whether it lives and is ready, and what is not.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn health(&self) -> Result<Health, ClientError> {
        self.0.health().await
    }

    /// Makes a session.
    ///
    /// # Errors
    /// When there is no usable answer.
    pub async fn create(&self, session: &CreateSession) -> Result<SessionCreated, ClientError> {
        self.0
            .post(&["auth", "session", "create"], session, Repeat::Forbidden)
            .await
    }

    /// Where a session stands. The first read by the public id marks it scanned.
    ///
    /// # Errors
    /// `not-found` where there is none.
    pub async fn session(&self, id: &SessionId) -> Result<SessionView, ClientError> {
        self.0.get(&["auth", "session", id.as_str()]).await
    }

    /// Marks a session scanned.
    ///
    /// # Errors
    /// `not-found`, `expired`, or another problem.
    pub async fn scan(&self, id: &SessionId) -> Result<Scanned, ClientError> {
        let path = ["auth", "session", id.as_str(), "scan"];
        self.0
            .post(&path, &serde_json::json!({}), Repeat::Forbidden)
            .await
    }

    /// Approves a session with a user's key, as a phone does.
    ///
    /// # Errors
    /// `wrong-key` where the ledger knows another key, `conflict`, `expired`, or another problem.
    pub async fn approve(
        &self,
        id: &SessionId,
        challenge: &str,
        user: &UserId,
        username: &Username,
        key: &SecretKey,
    ) -> Result<SessionApproved, ClientError> {
        let message = LoginMessage {
            session_id: id.clone(),
            challenge: challenge.to_owned(),
            user_id: user.to_string(),
            username: username.to_string(),
            timestamp: now(),
        }
        .text();
        let body = ApproveSession {
            user_id: user.to_string(),
            username: username.to_string(),
            public_key: key.public(),
            signature: key.sign(&message),
            message,
        };
        let path = ["auth", "session", id.as_str(), "approve"];
        self.0.post(&path, &body, Repeat::Forbidden).await
    }

    /// Rejects a session.
    ///
    /// # Errors
    /// `conflict` where it is no longer open, or another problem.
    pub async fn reject(
        &self,
        id: &SessionId,
        reason: Option<String>,
    ) -> Result<Success, ClientError> {
        let path = ["auth", "session", id.as_str(), "reject"];
        self.0
            .post(&path, &RejectSession { reason }, Repeat::Forbidden)
            .await
    }

    /// Whose token this is.
    ///
    /// # Errors
    /// When there is no usable answer; a token that does not hold is an answer.
    pub async fn validate(&self, token: &str) -> Result<TokenClaims, ClientError> {
        let call = self
            .0
            .request(reqwest::Method::POST, &["auth", "session", "validate"])
            .body(&ValidateToken {
                session_token: token.to_owned(),
            });
        let request = call.name();
        let (status, _, body) = call.answer().await?;
        match status {
            200 | 401 => self.0.decode(&request, &body),
            _ => Err(self.0.problem(&request, status, &body)),
        }
    }

    /// Transactions that users were asked for, newest first, at one status or at any. For this node's operator: a token of
    /// its identity service.
    ///
    /// # Errors
    /// `bad-token`, or when there is no usable answer.
    pub async fn requests(
        &self,
        status: Option<RequestStatus>,
        page: &PageQuery,
        token: &ServiceToken,
    ) -> Result<Page<RequestView>, ClientError> {
        let status = status.map(|status| ("status", status.to_string()));
        let call = self
            .0
            .request(reqwest::Method::GET, &["auth", "transactions"])
            .query(status.into_iter().collect())
            .query(page.pairs())
            .token(token);
        let request = call.name();
        let (headers, body) = call.send().await?;
        Ok(Page {
            items: self.0.decode(&request, &body)?,
            next: self.0.next_page(&headers),
        })
    }

    /// A session's changes as they happen; ends with the session. By the browser's id it carries the token.
    #[must_use]
    pub fn events(&self, id: &SessionId) -> EventStream<SessionEvent> {
        let path = ["auth", "session", id.as_str(), "events"];
        EventStream::open(self.0.clone(), &path, Vec::new())
    }
}
