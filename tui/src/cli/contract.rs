//! `tana contract call|list|show`, and `tana deploy contract`: one file each in `contract/`. What a contract is on this
//! machine is `draft`'s.

mod call;
mod deploy;
mod show;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use tana_client::LedgerClient;
use tana_protocol::api::ledger::{ContractView, TransactionView};
use tana_protocol::{Code, ContractId, ContractName};

use super::context::Context;
use super::exit::{Exit, failure};
use super::passphrase;
use super::submit::{self, Sender};
use crate::show::clean;
pub(crate) use deploy::DeployContract;

/// Who signs.
#[derive(Debug, Args)]
struct Signer {
    /// Who signs: a user whose key is in this home; default: the sovereign
    #[arg(long = "as", value_name = "USER")]
    user: Option<String>,
}

impl Signer {
    async fn find(&self, context: &Context, ledger: &LedgerClient) -> anyhow::Result<Sender> {
        match &self.user {
            Some(name) => passphrase::sender(context, ledger, name).await,
            None => submit::sovereign(
                &context.settings,
                ledger,
                passphrase::of_home(context.home())?,
            )
            .await
            .context("nobody signs; name a user of this home: --as USER"),
        }
    }
}

fn gas(view: &TransactionView) -> u64 {
    view.receipt.as_ref().map_or(0, |receipt| receipt.gas_used)
}

/// What the contract printed.
fn output(view: &TransactionView) -> String {
    let logs = view.receipt.iter().flat_map(|receipt| &receipt.logs);
    logs.flatten()
        .flat_map(|text| text.lines())
        .map(|line| format!("| {}\n", clean(line)))
        .collect()
}

#[derive(Debug, Subcommand)]
pub(crate) enum Contract {
    /// Call a contract: its contract() runs in a block
    Call(call::Call),
    /// The contracts of the chain, newest first
    List,
    /// One contract
    Show(show::Show),
}

impl Contract {
    pub(crate) async fn execute(self, context: &Context) -> anyhow::Result<Exit> {
        match self {
            Self::Call(call) => call.execute(context).await,
            Self::List => show::list(context).await,
            Self::Show(show) => show.execute(context).await,
        }
    }
}

/// A contract by name or id.
pub(crate) async fn find(ledger: &LedgerClient, text: &str) -> anyhow::Result<ContractView> {
    let nobody = || {
        failure(
            Exit::Refused,
            format!(
                "there is no contract {} on the chain; tana contract list shows those that are",
                clean(text)
            ),
        )
    };
    let found = match (text.parse::<ContractId>(), text.parse::<ContractName>()) {
        (Ok(id), _) => ledger.contract(&id).await,
        (_, Ok(name)) => ledger.contract_named(&name).await,
        _ => return Err(nobody()),
    };
    match found {
        Ok(contract) => Ok(contract),
        Err(error) if error.code() == Some(Code::NotFound) => Err(nobody()),
        Err(error) => Err(error.into()),
    }
}

fn exports(contract: &ContractView) -> String {
    let all = [
        (contract.has_init, "init"),
        (contract.has_contract, "contract"),
        (contract.has_get, "get"),
        (contract.has_post, "post"),
    ];
    let there: Vec<&str> = all
        .into_iter()
        .filter_map(|(there, name)| there.then_some(name))
        .collect();
    there.join(" ")
}
