//! `tana deploy`: brings a key of this home onto the chain; contracts are in `contract`.

use std::time::Instant;

use clap::{Args, Subcommand};
use tana_home::UserFile;
use tana_protocol::transaction::NewUser;
use tana_protocol::{Code, Party, Role, Transaction, TransactionType, UserId};

use super::context::Context;
use super::contract::DeployContract;
use super::exit::{Exit, failure};
use super::submit;
use super::wait::{Wait, confirmed};
use tana_client::now;

#[derive(Debug, Subcommand)]
pub(crate) enum Deploy {
    /// Create a user on the chain with the key in users/NAME.json
    User(DeployUser),
    /// Deploy a contract: a directory that `tana new contract` made, or one TypeScript file
    Contract(DeployContract),
}

#[derive(Debug, Args)]
pub(crate) struct DeployUser {
    /// The user's name
    name: String,
    #[command(flatten)]
    wait: Wait,
}

impl Deploy {
    pub(crate) async fn execute(self, context: &Context) -> anyhow::Result<Exit> {
        match self {
            Self::User(user) => user.execute(context).await,
            Self::Contract(contract) => contract.execute(context).await,
        }
    }
}

impl DeployUser {
    async fn execute(self, context: &Context) -> anyhow::Result<Exit> {
        let name = submit::username(&self.name)?;
        let path = context.home().user_file(name.bare());
        let mut file = UserFile::read(&path)?;
        let ledger = context.ledger()?;
        let chain_id = submit::chain_id(&context.settings, &ledger).await?;

        match ledger.user_named(&file.username).await {
            Ok(there) if there.public_key == file.public_key => {
                file.user_id = Some(there.id);
                file.chain_id = Some(chain_id);
                file.update(&path)?;
                context.out.show(&there, || {
                    format!("{} is on the chain already  {}\n", there.username, there.id)
                })?;
                return Ok(Exit::Done);
            }
            Ok(there) => {
                return Err(failure(
                    Exit::Refused,
                    format!(
                        "{} belongs to another key on this chain ({}); make a user of another name: tana new user NAME",
                        there.username,
                        there.public_key.short()
                    ),
                ));
            }
            Err(error) if error.code() == Some(Code::NotFound) => {}
            Err(error) => return Err(error.into()),
        }

        let system = Party::system;
        let mut creation =
            Transaction::new(TransactionType::UserCreation, system(), system(), now(), 0);
        creation.contract_input = Some(serde_json::to_value(NewUser {
            username: file.username.to_string(),
            display_name: file.display_name.clone(),
            public_key: file.public_key.to_string(),
            bio: String::new(),
            role: Role::User.as_str().to_owned(),
        })?);
        creation.chain_id = Some(chain_id.clone());
        let signed = creation.sign(&file.secret_key);
        let begun = Instant::now();
        let what = format!("user {}", file.username);
        let sent = ledger.submit(&signed).await;
        let submitted = sent.map_err(|error| submit::refused(error, &what))?;
        if !self.wait.is_wanted() {
            return submit::queued(context, &submitted, &submitted, &what, &submitted.id);
        }
        let view = confirmed(&ledger, &submitted.id, self.wait.limit()).await?;
        let exit = submit::settle(context, &view, &what, begun.elapsed())?;
        file.user_id = Some(UserId::created_by(&submitted.id));
        file.chain_id = Some(chain_id);
        file.update(&path)?;
        Ok(exit)
    }
}
