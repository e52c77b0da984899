//! The login session this console has made: its code, where it stands, what happened so far.

use tana_protocol::Timestamp;
use tana_protocol::api::identity::SessionCreated;
use tana_protocol::login::SessionStatus;

#[derive(Debug, Clone, Default)]
pub(crate) struct Model {
    pub(crate) state: State,
    /// Which of the users of this machine the test phone is.
    pub(crate) user: usize,
}

#[derive(Debug, Clone, Default)]
pub(crate) enum State {
    /// The screen was never opened.
    #[default]
    Closed,
    Making,
    Failed {
        why: String,
        at: Timestamp,
    },
    Open(Box<Session>),
}

#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) created: SessionCreated,
    pub(crate) status: SessionStatus,
    pub(crate) username: Option<String>,
    pub(crate) token: Option<Token>,
    pub(crate) so_far: Vec<(Timestamp, String)>,
    /// The stream broke: since when, and why; it reconnects by itself.
    pub(crate) silent: Option<(Timestamp, String)>,
}

/// A session token. Never in a debug print; the screen shows it shortened.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Token(pub(crate) String);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}

impl Model {
    pub(crate) fn session(&self) -> Option<&Session> {
        match &self.state {
            State::Open(session) => Some(session),
            _ => None,
        }
    }

    /// When the code ends, while that matters.
    pub(crate) fn expires(&self) -> Option<Timestamp> {
        self.session()
            .filter(|s| s.status.is_open())
            .map(|s| s.created.expires_at)
    }
}

/// The texts of the code, the richest first: what the QR code may say.
pub(crate) fn texts(session: &Session) -> [String; 2] {
    let rich = serde_json::to_string(&session.created.qr_data).unwrap_or_default();
    [rich, session.created.qr_uri.clone()]
}
