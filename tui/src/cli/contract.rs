//! `tana deploy contract` and `tana contract call|list|show`.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::{Args, Subcommand};
use serde::Deserialize;
use serde_json::{Value, json};
use tana_client::{LedgerClient, PageQuery};
use tana_protocol::api::ledger::{ContractView, TransactionStatus, TransactionView};
use tana_protocol::contract::{Deployment, MAX_SOURCE_BYTES};
use tana_protocol::{Code, ContractId, ContractName, Hash32, Party, TransactionType};

use super::context::Context;
use super::engine;
use super::exit::{Exit, failure};
use super::money;
use super::output::{Side, Table};
use super::submit::{self, Sender};
use super::wait::{Wait, confirmed};
use crate::show::{clean, count};

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
            Some(name) => submit::sender(context, ledger, name).await,
            None => submit::sovereign(context, ledger)
                .await
                .context("nobody signs; name a user of this home: --as USER"),
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct DeployContract {
    /// The contract's directory, or one TypeScript file
    path: PathBuf,
    /// What it is called by; default: what contract.json says, else the file's name
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    signer: Signer,
    #[command(flatten)]
    wait: Wait,
}

/// `contract.json`. What it says besides is the author's.
#[derive(Debug, Default, Deserialize)]
struct About {
    name: Option<String>,
    version: Option<String>,
    description: Option<String>,
}

fn read(path: &Path) -> anyhow::Result<String> {
    let size = std::fs::metadata(path)
        .with_context(|| format!("cannot read {}", path.display()))?
        .len();
    if size > MAX_SOURCE_BYTES as u64 {
        return Err(failure(
            Exit::Misuse,
            format!(
                "{} has {size} bytes; a contract may have {MAX_SOURCE_BYTES}: split it up",
                path.display()
            ),
        ));
    }
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

impl DeployContract {
    fn source(&self) -> anyhow::Result<(PathBuf, About)> {
        if !self.path.is_dir() {
            let stem = self.path.file_stem().map(|stem| stem.to_string_lossy());
            let about = About {
                name: stem.map(|stem| stem.to_ascii_lowercase()),
                ..About::default()
            };
            return Ok((self.path.clone(), about));
        }
        let about = self.path.join("contract.json");
        let about = if about.is_file() {
            serde_json::from_str(&read(&about)?).with_context(|| {
                format!(
                    "{} must be an object with the texts name, version, description",
                    about.display()
                )
            })?
        } else {
            About::default()
        };
        Ok((self.path.join("contract.ts"), about))
    }

    pub(super) async fn execute(self, context: &Context) -> anyhow::Result<Exit> {
        let (file, about) = self.source()?;
        let source_code = read(&file)?;
        let own = self.path.file_name().map(|own| own.to_string_lossy());
        let name = (self.name.clone().or(about.name))
            .or(own.map(std::borrow::Cow::into_owned))
            .unwrap_or_default();
        let name: ContractName = name.parse().map_err(|error| {
            failure(
                Exit::Misuse,
                format!("{:?}: {error}; name it: --name NAME", clean(&name)),
            )
        })?;
        engine::check(&file)?;
        let ledger = context.ledger()?;
        let sender = self.signer.find(context, &ledger).await?;
        let what = format!("contract {name}");
        let input = Deployment {
            code_hash: Hash32::of(source_code.as_bytes()),
            name,
            source_code,
            version: about.version,
            description: about.description,
            metadata: None,
        };
        let signed = submit::sign_with(
            context,
            &ledger,
            &sender,
            TransactionType::ContractDeployment,
            Party::system(),
            |transaction| {
                transaction.contract_input = serde_json::to_value(&input).ok();
            },
        )
        .await?;
        let begun = Instant::now();
        let submitted = ledger
            .submit(&signed)
            .await
            .map_err(|error| submit::refused(error, &what))?;
        let id = ContractId::created_by(&submitted.id);
        if !self.wait.is_wanted() {
            let value = json!({"contractId": id, "transactionId": submitted.id, "status": submitted.status});
            context.out.show(&value, || {
                format!("{what}  {}  {id}\n", submitted.status.as_str())
            })?;
            context
                .out
                .hint("it is done once it is in a block; --wait waits for that")?;
            return Ok(Exit::Done);
        }
        let view = confirmed(&ledger, &submitted.id, self.wait.limit()).await?;
        submit::must_be_confirmed(&view, &what)?;
        let value = json!({"contractId": id, "name": input.name, "transaction": view});
        context.out.show(&value, || {
            format!(
                "{what} deployed{}  {} ms\nid   {id}\ngas  {}\n{}",
                in_block(&view),
                begun.elapsed().as_millis(),
                count(gas(&view)),
                output(&view)
            )
        })?;
        context
            .out
            .hint(&format!("next: tana contract call {} --wait", input.name))?;
        Ok(Exit::Done)
    }
}

fn in_block(view: &TransactionView) -> String {
    view.block_height
        .map_or_else(String::new, |height| format!(" in block {height}"))
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
    Call(Call),
    /// The contracts of the chain, newest first
    List,
    /// One contract
    Show(Show),
}

impl Contract {
    pub(crate) async fn execute(self, context: &Context) -> anyhow::Result<Exit> {
        match self {
            Self::Call(call) => call.execute(context).await,
            Self::List => list(context).await,
            Self::Show(show) => show.execute(context).await,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct Call {
    /// The contract, by name or id
    contract: String,
    /// What context.input() gives
    #[arg(long, value_name = "JSON")]
    input: Option<String>,
    /// How much the contract may take from the caller
    #[arg(long, value_name = "AMOUNT", requires = "currency")]
    amount: Option<String>,
    /// Of what
    #[arg(long, value_name = "CURRENCY", requires = "amount")]
    currency: Option<String>,
    #[command(flatten)]
    signer: Signer,
    #[command(flatten)]
    wait: Wait,
}

/// A contract by name or id.
async fn find(ledger: &LedgerClient, text: &str) -> anyhow::Result<ContractView> {
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

impl Call {
    async fn execute(self, context: &Context) -> anyhow::Result<Exit> {
        let input: Option<Value> = match &self.input {
            None => None,
            Some(text) => Some(serde_json::from_str(text).map_err(|error| {
                failure(
                    Exit::Misuse,
                    format!("--input is not JSON ({error}); such as --input '{{\"to\": \"bob\"}}'"),
                )
            })?),
        };
        let amount = self.amount.as_deref().map(money::amount).transpose()?;
        let currency = self.currency.as_deref().map(money::currency).transpose()?;
        let ledger = context.ledger()?;
        let contract = find(&ledger, &self.contract).await?;
        let sender = self.signer.find(context, &ledger).await?;
        let what = format!("call {}", clean(&contract.name));
        let signed = submit::sign_with(
            context,
            &ledger,
            &sender,
            TransactionType::ContractCall,
            contract.id.into(),
            |transaction| {
                transaction.contract_id = Some(contract.id);
                // What carries nothing carries no `null` either: it would not be signed as it is read.
                transaction.contract_input = input.filter(|input| !input.is_null());
                transaction.amount = amount;
                transaction.currency_code = currency;
            },
        )
        .await?;
        if !self.wait.is_wanted() {
            return submit::submit(context, &ledger, &signed, self.wait, &what).await;
        }
        let begun = Instant::now();
        let submitted = ledger
            .submit(&signed)
            .await
            .map_err(|error| submit::refused(error, &what))?;
        let view = confirmed(&ledger, &submitted.id, self.wait.limit()).await?;
        if view.status == TransactionStatus::Failed && !context.out.is_json() {
            eprint!("{}", output(&view));
        }
        submit::must_be_confirmed(&view, &what)?;
        said(context, &view, &what, begun.elapsed())?;
        Ok(Exit::Done)
    }
}

fn said(
    context: &Context,
    view: &TransactionView,
    what: &str,
    took: Duration,
) -> anyhow::Result<()> {
    context.out.show(view, || {
        let result = view
            .receipt
            .as_ref()
            .and_then(|receipt| receipt.result.as_ref())
            .and_then(|result| serde_json::to_string_pretty(result).ok())
            .map_or_else(String::new, |text| {
                let lines = text.lines().map(|line| format!("{}\n", clean(line)));
                lines.collect()
            });
        format!(
            "{what}  {}{}  {} ms  {}\n{}{result}gas  {}\n",
            view.status.as_str(),
            in_block(view),
            took.as_millis(),
            context.out.dim(&view.id.to_string()),
            output(view),
            count(gas(view)),
        )
    })?;
    Ok(())
}

async fn list(context: &Context) -> anyhow::Result<Exit> {
    let ledger = context.ledger()?;
    let mut all: Vec<ContractView> = Vec::new();
    let mut query = PageQuery::default();
    loop {
        let page = ledger.contracts(&query).await?;
        all.extend(page.items);
        match page.next {
            Some(next) => query.cursor = Some(next),
            None => break,
        }
    }
    context.out.show(&all, || {
        if all.is_empty() {
            return "no contract is deployed yet\n".to_owned();
        }
        let mut table = Table::new(&[
            ("name", Side::Left),
            ("version", Side::Left),
            ("exports", Side::Left),
            ("block", Side::Right),
            ("id", Side::Left),
        ]);
        for contract in &all {
            table.row([
                clean(&contract.name),
                clean(&contract.version),
                exports(contract),
                contract.deployed_in_block.to_string(),
                contract.id.to_string(),
            ]);
        }
        table.text(context.out)
    })?;
    if all.is_empty() {
        context
            .out
            .hint("make one: tana new contract hello; then: tana deploy contract hello --wait")?;
    }
    Ok(Exit::Done)
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

/// What a contract has stored under a key: a text as it is, anything else as JSON after a zero byte.
fn stored_value(text: String) -> Value {
    let json = text.strip_prefix('\0').map(serde_json::from_str);
    match json {
        Some(Ok(value)) => value,
        _ => Value::String(text),
    }
}

#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The contract, by name or id
    contract: String,
    /// Print its source alone
    #[arg(long)]
    source: bool,
}

impl Show {
    async fn execute(self, context: &Context) -> anyhow::Result<Exit> {
        let ledger = context.ledger()?;
        let contract = find(&ledger, &self.contract).await?;
        if self.source && !context.out.is_json() {
            super::output::print(contract.source_code.as_deref().unwrap_or_default())?;
            return Ok(Exit::Done);
        }
        let (owner, stored) = futures::try_join!(
            ledger.user(&contract.owner_id),
            ledger.contract_data(&contract.id)
        )?;
        let data: serde_json::Map<String, Value> = stored
            .into_iter()
            .map(|(key, text)| (key, stored_value(text)))
            .collect();
        let mut value = json!(contract);
        value["data"] = json!(data);
        context.out.show(&value, || {
            let mut text = format!(
                "{} {}\nid        {}\nowner     {}\nexports   {}\nsource    sha256 {}\ndeployed  in block {}\n",
                clean(&contract.name),
                clean(&contract.version),
                contract.id,
                owner.username,
                exports(&contract),
                contract.code_hash,
                contract.deployed_in_block,
            );
            if let Some(description) = &contract.description {
                text.push_str(&format!("about     {}\n", clean(description)));
            }
            let mut label = "stored    ";
            for (key, stored) in &data {
                let stored = stored.as_str().map_or_else(|| stored.to_string(), str::to_owned);
                text.push_str(&format!("{label}{} = {}\n", clean(key), clean(&stored)));
                label = "          ";
            }
            text
        })?;
        Ok(Exit::Done)
    }
}
