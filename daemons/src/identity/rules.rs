//! What the identity service accepts, as functions over values: no clock, no database, no ledger.

use std::time::Duration;

use tana_protocol::api::identity::{ApproveSession, CreateSession};
use tana_protocol::login::{LoginMessage, SessionId, SessionStatus};
use tana_protocol::{PublicKey, Timestamp, UserId, Username};
use tana_store::identity::Session;
use url::Url;

use super::error::IdentityError;
use super::users::Known;

/// How far a signed time may lie from the service's clock.
const WINDOW: Duration = Duration::from_secs(5 * 60);
/// Longer messages are refused unread: a login message has about 250 bytes.
const MESSAGE: usize = 4096;

type Rule<T> = Result<T, IdentityError>;

fn malformed<T>(why: impl Into<String>) -> Rule<T> {
    Err(IdentityError::Malformed(why.into()))
}

fn text(name: &str, text: Option<&str>, most: usize) -> Rule<()> {
    match text {
        Some(text) if text.len() > most => malformed(format!("{name} has at most {most} bytes")),
        Some(text) if text.chars().any(char::is_control) => {
            malformed(format!("{name} must hold no control characters"))
        }
        _ => Ok(()),
    }
}

/// What a site says of itself. Where the browser returns to may carry nothing that a browser would run.
pub(super) fn creation(request: &CreateSession, schemes: &[String]) -> Rule<()> {
    text("returnUrl", request.return_url.as_deref(), 2048)?;
    text("appName", request.app_name.as_deref(), 100)?;
    text("appIcon", request.app_icon.as_deref(), 512)?;
    if let Some(url) = &request.return_url {
        let scheme = match Url::parse(url) {
            Ok(url) => url.scheme().to_owned(),
            Err(_) => {
                return malformed("returnUrl must be a whole URL, such as https://example.org/");
            }
        };
        let runs = ["javascript", "data", "vbscript", "file", "blob", "about"];
        let listed = matches!(scheme.as_str(), "http" | "https") || schemes.contains(&scheme);
        if !listed || runs.contains(&scheme.as_str()) {
            return malformed(format!(
                "returnUrl begins with {scheme}:, which is neither http, https nor a scheme listed in appSchemes"
            ));
        }
    }
    if let Some(Ok(url)) = request.app_icon.as_deref().map(Url::parse)
        && !matches!(url.scheme(), "http" | "https")
    {
        return malformed("appIcon must be an http or https URL");
    }
    Ok(())
}

/// Where a session stands at `now`, whether or not its expiry has been marked.
pub(super) fn status(session: &Session, now: Timestamp) -> SessionStatus {
    if session.status.is_open() && session.expires_at <= now {
        SessionStatus::Expired
    } else {
        session.status
    }
}

/// Whether a session can be scanned, approved and rejected.
pub(super) fn open(session: &Session, now: Timestamp) -> Rule<()> {
    match status(session, now) {
        SessionStatus::Waiting | SessionStatus::Scanned => Ok(()),
        SessionStatus::Expired => Err(IdentityError::Expired),
        other => Err(IdentityError::NotOpen(other)),
    }
}

/// Who a phone says approves. The ledger has not been asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Claim {
    pub(super) user_id: UserId,
    pub(super) username: Username,
    pub(super) public_key: PublicKey,
}

/// Checks what a phone signed, field by field: against the session, what it is sent with, and the clock; then the
/// signature itself.
pub(super) fn approval(
    asked: &SessionId,
    session: &Session,
    body: &ApproveSession,
    now: Timestamp,
) -> Rule<Claim> {
    open(session, now)?;
    if body.message.len() > MESSAGE {
        return malformed(format!("message has at most {MESSAGE} bytes"));
    }
    let message: LoginMessage = match serde_json::from_str(&body.message) {
        Ok(message) => message,
        Err(error) => {
            return malformed(format!(
                "message is not the JSON of a login message: {error}"
            ));
        }
    };
    let claim = Claim {
        user_id: match body.user_id.parse() {
            Ok(id) => id,
            Err(error) => return malformed(format!("userId: {error}")),
        },
        username: match body.username.parse() {
            Ok(name) => name,
            Err(error) => return malformed(format!("username: {error}")),
        },
        public_key: body.public_key,
    };
    // Spellings may differ where they mean the same; what was signed is checked as it was spelt, by the signature.
    let fields = [
        ("sessionId", message.session_id == *asked),
        ("challenge", message.challenge == session.challenge),
        ("userId", message.user_id.parse() == Ok(claim.user_id)),
        (
            "username",
            message.username.parse().as_ref() == Ok(&claim.username),
        ),
    ];
    for (name, fits) in fields {
        if !fits {
            return Err(IdentityError::Differs(name));
        }
    }
    let distance = message.timestamp.distance(now);
    if distance > WINDOW {
        return Err(IdentityError::Stale(distance));
    }
    body.public_key
        .verify(&body.message, &body.signature)
        .map_err(|_| IdentityError::Signature)?;
    Ok(claim)
}

/// Whether the ledger knows the user as the phone says.
pub(super) fn known(claim: &Claim, user: &Known) -> Rule<()> {
    if user.public_key != claim.public_key {
        return Err(IdentityError::WrongKey(claim.username.clone()));
    }
    if user.username != claim.username {
        return Err(IdentityError::WrongName(user.username.clone()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use tana_protocol::api::identity::CreateSession;

    #[test]
    fn a_login_returns_nowhere_that_a_browser_would_run() {
        let schemes = ["myapp".to_owned(), "javascript".to_owned()];
        let returns = |url: &str| {
            let request = CreateSession {
                return_url: Some(url.to_owned()),
                ..CreateSession::default()
            };
            super::creation(&request, &schemes).is_ok()
        };
        for good in [
            "https://example.org/a?b",
            "http://127.0.0.1:1/",
            "myapp://done",
            "MyApp:x",
        ] {
            assert!(returns(good), "{good}");
        }
        for bad in [
            "javascript:alert(1)",
            "JavaScript:alert(1)",
            " javascript:alert(1)",
            "java\tscript:alert(1)",
            "data:text/html,x",
            "file:///etc/passwd",
            "other://x",
            "/relative",
            "",
        ] {
            assert!(!returns(bad), "{bad:?}");
        }
    }
}
