//! The identity service's bodies.

use serde::{Deserialize, Serialize};

use crate::id::{UserId, Username};
use crate::key::{PublicKey, Signature};
use crate::login::{QrData, SessionId, SessionStatus};
use crate::time::{Timestamp, either};

/// `POST /auth/session/create`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CreateSession {
    /// Where the browser goes afterwards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub return_url: Option<String>,
    /// The site's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_name: Option<String>,
    /// The site's icon.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_icon: Option<String>,
}

/// The answer to `POST /auth/session/create`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionCreated {
    /// The browser's id: who has it gets the token.
    pub session_id: SessionId,
    /// 64 hex digits.
    pub challenge: String,
    /// What the QR code says.
    pub qr_data: QrData,
    /// The same, shorter.
    pub qr_uri: String,
    /// Seconds that the code lives.
    pub expires_in: u64,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// `GET /auth/session/{id}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionView {
    /// The id it was asked by.
    pub session_id: SessionId,
    /// Where it stands.
    pub status: SessionStatus,
    /// The site's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_name: Option<String>,
    /// The site's icon.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_icon: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When the code ends.
    pub expires_at: Timestamp,
    /// When it was approved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved_at: Option<Timestamp>,
    /// By the public id while open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub challenge: Option<String>,
    /// By the browser's id once approved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_token: Option<String>,
    /// By the browser's id once approved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<UserId>,
    /// By the browser's id once approved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<Username>,
}

/// The answer to `POST …/scan`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Scanned {
    /// Always true.
    pub success: bool,
    /// The id it was scanned by.
    pub session_id: SessionId,
    /// 64 hex digits.
    pub challenge: String,
    /// The site's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_name: Option<String>,
}

/// `POST …/approve`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ApproveSession {
    /// The user's id.
    pub user_id: String,
    /// The user's name, with or without `@`.
    pub username: String,
    /// The user's key.
    pub public_key: PublicKey,
    /// Over `message`.
    pub signature: Signature,
    /// The text that was signed: a [`crate::login::LoginMessage`].
    pub message: String,
}

/// The answer to `POST …/approve`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionApproved {
    /// Always true.
    pub success: bool,
    /// The phone's own token.
    pub session_token: String,
    /// Who approved.
    pub user_id: UserId,
    /// Who approved.
    pub username: Username,
}

/// `POST …/reject`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RejectSession {
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// `success` and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Success {
    /// Always true.
    pub success: bool,
}

/// What happened to a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionEventType {
    /// The stream is open; carries the present status.
    Connected,
    /// The status changed, the session is open still.
    StatusUpdate,
    /// A phone approved. The stream ends.
    Approved,
    /// A phone rejected. The stream ends.
    Rejected,
    /// The code expired. The stream ends.
    Expired,
}

/// One event of `GET …/events`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionEvent {
    /// What happened.
    #[serde(rename = "type")]
    pub kind: SessionEventType,
    /// The id that the stream was opened by.
    pub session_id: SessionId,
    /// Where the session stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<SessionStatus>,
    /// When.
    #[serde(with = "either")]
    pub timestamp: Timestamp,
    /// On approval, on the browser's stream alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_token: Option<String>,
    /// On approval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<UserId>,
    /// On approval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<Username>,
    /// On rejection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// `POST /auth/session/validate`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ValidateToken {
    /// The token.
    pub session_token: String,
}

/// The answer to a token's check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TokenClaims {
    /// Whether the token holds.
    pub valid: bool,
    /// Whose it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<UserId>,
    /// Whose it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<Username>,
    /// Whose it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_key: Option<PublicKey>,
    /// When it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

/// One entry of `GET /auth/sessions`: a live login of the user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LoginView {
    /// The session's public id.
    pub id: SessionId,
    /// The site's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_name: Option<String>,
    /// When it was approved.
    pub created_at: Timestamp,
    /// When its token was last used, to the minute.
    pub last_used_at: Timestamp,
    /// When its token ends.
    pub expires_at: Timestamp,
    /// Whether it is the one that asks.
    pub current: bool,
}

/// The answer to `DELETE /auth/sessions` and `/auth/sessions/{id}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoggedOut {
    /// Always true.
    pub success: bool,
    /// How many logins ended.
    pub ended: u64,
}
