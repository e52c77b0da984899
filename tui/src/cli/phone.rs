//! `tana phone`: does what a phone does with a login code, for testing. The console's Login screen uses the same.

use std::io::Read;

use clap::{Args, Subcommand};
use serde_json::json;
use tana_client::{ClientError, IdentityClient, LedgerClient};
use tana_home::UserFile;
use tana_protocol::Code;
use tana_protocol::api::identity::SessionApproved;
use tana_protocol::login::ScannedCode;

use super::context::Context;
use super::exit::{Exit, failure};
use super::submit::username;

/// No code is longer.
const LONGEST: u64 = 8 * 1024;

#[derive(Debug, Subcommand)]
pub(crate) enum Phone {
    /// Scan a code and log its user in
    Approve(Answer),
    /// Scan a code and refuse
    Reject(Answer),
}

#[derive(Debug, Args)]
pub(crate) struct Answer {
    /// What the QR code says, either form; - reads standard input
    code: String,
    /// The user, whose key is in this home
    #[arg(long, value_name = "NAME")]
    user: String,
}

impl Phone {
    pub(crate) async fn execute(self, context: &Context) -> anyhow::Result<Exit> {
        match self {
            Self::Approve(answer) => {
                let (code, user) = answer.read(context)?;
                let approved = approve(&context.ledger()?, &code, &user).await?;
                // The phone's own token is a secret of the phone's: shown to scripts alone.
                context.out.show(&approved, || {
                    format!("approved as {}  {}\n", approved.username, code.session_id)
                })?;
            }
            Self::Reject(answer) => {
                let (code, user) = answer.read(context)?;
                reject(&code).await?;
                let value = json!({"success": true, "sessionId": code.session_id});
                context.out.show(&value, || {
                    format!("rejected as {}  {}\n", user.username, code.session_id)
                })?;
            }
        }
        Ok(Exit::Done)
    }
}

impl Answer {
    fn read(&self, context: &Context) -> anyhow::Result<(ScannedCode, UserFile)> {
        let text = if self.code == "-" {
            let mut text = String::new();
            std::io::stdin().take(LONGEST).read_to_string(&mut text)?;
            text
        } else {
            self.code.clone()
        };
        let code = text
            .parse()
            .map_err(|error| failure(Exit::Misuse, format!("the code cannot be used: {error}")))?;
        let name = username(&self.user)?;
        let user = UserFile::read(&context.home().user_file(name.bare()))?;
        Ok((code, user))
    }
}

/// Scans a code and approves it with a user's key.
pub(crate) async fn approve(
    ledger: &LedgerClient,
    code: &ScannedCode,
    user: &UserFile,
) -> anyhow::Result<SessionApproved> {
    let identity = IdentityClient::new(code.server.as_str())?;
    let scanned = identity.scan(&code.session_id).await?;
    if let Some(shown) = &code.challenge
        && *shown != scanned.challenge
    {
        return Err(failure(
            Exit::Refused,
            "the code's challenge is not the session's: the code may be forged; nothing was signed",
        ));
    }
    let known = match ledger.user_with_key(&user.public_key).await {
        Ok(known) => known,
        Err(error) if error.code() == Some(Code::NotFound) => {
            return Err(failure(
                Exit::Refused,
                format!(
                    "{} is not on the chain yet; first: tana deploy user {} --wait",
                    user.username,
                    user.username.bare()
                ),
            ));
        }
        Err(error) => return Err(error.into()),
    };
    Ok(identity
        .approve(
            &code.session_id,
            &scanned.challenge,
            &known.id,
            &known.username,
            &user.secret_key,
        )
        .await?)
}

/// Scans a code and rejects it.
pub(crate) async fn reject(code: &ScannedCode) -> Result<(), ClientError> {
    let identity = IdentityClient::new(code.server.as_str())?;
    identity.scan(&code.session_id).await?;
    identity.reject(&code.session_id, None).await?;
    Ok(())
}
