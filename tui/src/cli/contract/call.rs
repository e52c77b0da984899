//! `tana contract call`.

use std::time::{Duration, Instant};

use clap::Args;
use serde_json::Value;
use tana_protocol::TransactionType;
use tana_protocol::api::ledger::{TransactionStatus, TransactionView};

use super::{Signer, find, gas, output};
use crate::cli::context::Context;
use crate::cli::exit::{Exit, failure};
use crate::cli::money;
use crate::cli::submit::{self, in_block};
use crate::cli::wait::{Wait, confirmed};
use crate::show::{clean, count};

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

impl Call {
    pub(super) async fn execute(self, context: &Context) -> anyhow::Result<Exit> {
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
            &context.settings,
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
