//! `tana phone`: does what a phone does with a login code, for testing. The console's Login screen uses the same.

use std::io::Read;

use clap::{Args, Subcommand};
use serde_json::json;
use tana_client::{ClientError, IdentityClient, LedgerClient, MeshClient};
use tana_home::UserFile;
use tana_protocol::Code;
use tana_protocol::api::identity::SessionApproved;
use tana_protocol::decision::DecisionCode;
use tana_protocol::login::ScannedCode;

use super::context::Context;
use super::exit::{Exit, failure};
use super::submit::username;

/// No code is longer.
const LONGEST: u64 = 8 * 1024;

#[derive(Debug, Subcommand)]
pub(crate) enum Phone {
    /// Scan a code and do what it asks for: log its user in, or sign a sovereign's decision on a node
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
            Self::Approve(mut answer) => {
                if answer.is_decision()? {
                    answer.decide(context).await?;
                    return Ok(Exit::Done);
                }
                let (code, user) = answer.read(context)?;
                let approved = approve(&context.ledger()?, &code, &user).await?;
                // The phone's own token is a secret of the phone's: shown to scripts alone.
                context.out.show(&approved, || {
                    format!("approved as {}  {}\n", approved.username, code.session_id)
                })?;
            }
            Self::Reject(mut answer) => {
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
    /// What the code says.
    fn text(&mut self) -> anyhow::Result<&str> {
        if self.code == "-" {
            self.code.clear();
            std::io::stdin()
                .take(LONGEST)
                .read_to_string(&mut self.code)?;
        }
        Ok(&self.code)
    }

    fn is_decision(&mut self) -> anyhow::Result<bool> {
        Ok(self.text()?.parse::<DecisionCode>().is_ok())
    }

    /// Signs a decision with the user's key, and hands it to the mesh that the code names.
    async fn decide(&mut self, context: &Context) -> anyhow::Result<()> {
        let code: DecisionCode = self.text()?.parse()?;
        let name = username(&self.user)?;
        let user = UserFile::read(&context.home().user_file(name.bare()))?;
        let signature = user.secret_key.sign(&code.message());
        let mesh = MeshClient::new(code.server.as_str())?;
        let decided = mesh
            .decide_signed(
                code.decision,
                &code.node_id,
                user.public_key,
                code.at,
                signature,
            )
            .await?;
        context.out.show(&decided, || {
            format!(
                "{} {} as {}: {}\n",
                code.decision.verb(),
                code.node_id,
                user.username,
                decided.status
            )
        })?;
        Ok(())
    }

    fn read(&mut self, context: &Context) -> anyhow::Result<(ScannedCode, UserFile)> {
        let code = self
            .text()?
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
