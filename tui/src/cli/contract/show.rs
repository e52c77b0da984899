//! `tana contract list|show`.

use clap::Args;
use serde_json::{Value, json};
use tana_client::PageQuery;
use tana_protocol::api::ledger::ContractView;

use super::{exports, find};
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::output::{Side, Table};
use crate::show::clean;

pub(super) async fn list(context: &Context) -> anyhow::Result<Exit> {
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
    pub(super) async fn execute(self, context: &Context) -> anyhow::Result<Exit> {
        let ledger = context.ledger()?;
        let contract = find(&ledger, &self.contract).await?;
        if self.source && !context.out.is_json() {
            crate::cli::output::print(contract.source_code.as_deref().unwrap_or_default())?;
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
