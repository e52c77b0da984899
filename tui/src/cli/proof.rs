//! `tana balance --proof`: balances that are believed because they are checked here, against a block that a validator of
//! this home's chain file has signed. Nothing that the ledger says is taken on trust.

use serde_json::{Value, json};
use tana_chain::{light, tree};
use tana_client::LedgerClient;
use tana_protocol::api::ledger::BlockView;
use tana_protocol::{CurrencyCode, StateKey, StateValue, UserId, Username};

use super::context::Context;
use super::exit::{Exit, failure};
use super::output::{Side, Table};
use super::submit;
use crate::show::{clean, count};

/// A block that was checked.
struct Checked<'a> {
    ledger: &'a LedgerClient,
    block: BlockView,
}

impl Checked<'_> {
    /// The value of a key after the block, `None` where it is proved that there is none.
    async fn value(&self, key: &StateKey) -> anyhow::Result<Option<StateValue>> {
        let header = &self.block.header;
        let answer = self.ledger.proof(key, header.height).await?;
        let not_proved = |why: String| {
            let text = format!(
                "the ledger's proof of {key} does not hold against block {}: {why}; do not believe this ledger",
                header.height
            );
            failure(Exit::Failed, text)
        };
        let value = answer.value.as_ref();
        tree::check_proof(header.state_root, key, value, &answer.proof)
            .map_err(|error| not_proved(error.to_string()))?;
        value
            .map(|value| StateValue::from_json(key, value.clone()))
            .transpose()
            .map_err(|error| not_proved(error.to_string()))
    }

    /// Whom a name or an id stands for.
    async fn user(&self, text: &str) -> anyhow::Result<UserId> {
        if let Ok(id) = text.parse() {
            return Ok(id);
        }
        let name: Username = submit::username(text)?;
        match self.value(&StateKey::Username(name)).await? {
            Some(StateValue::Owner(id)) => Ok(id),
            _ => Err(failure(
                Exit::Refused,
                format!(
                    "it is proved that there is no user {} at block {}",
                    clean(text),
                    self.block.header.height
                ),
            )),
        }
    }
}

/// Prints a user's balances, each proved to be there, or not to be there.
pub(crate) async fn balance(context: &Context, user: &str) -> anyhow::Result<Exit> {
    let spec = context.settings.chain()?;
    let ledger = context.ledger()?;
    let block = ledger.latest_block().await?;
    light::check_header(&spec, &block.header, block.hash, block.signature.as_ref()).map_err(
        |error| {
            let height = block.header.height;
            failure(
                Exit::Failed,
                format!("block {height} of the ledger: {error}"),
            )
        },
    )?;
    let checked = Checked {
        ledger: &ledger,
        block,
    };
    let user = checked.user(user).await?;
    let mut found: Vec<(CurrencyCode, String)> = Vec::new();
    for known in ledger.currencies().await? {
        let code = known.currency.code;
        let currency = checked.value(&StateKey::Currency(code.clone())).await?;
        let balance = checked
            .value(&StateKey::Balance(user, code.clone()))
            .await?;
        if let (Some(StateValue::Currency(currency)), Some(StateValue::Balance(balance))) =
            (currency, balance)
        {
            found.push((code, balance.amount.format(currency.decimals)));
        }
    }
    let header = &checked.block.header;
    let balances: Vec<Value> = found
        .iter()
        .map(|(code, amount)| json!({"currencyCode": code, "amount": amount}))
        .collect();
    let value = json!({
        "ownerId": user, "height": header.height, "hash": checked.block.hash, "stateRoot": header.state_root,
        "producer": header.producer, "balances": balances,
    });
    context.out.show(&value, || {
        let mut table = Table::new(&[("currency", Side::Left), ("amount", Side::Right)]);
        for (code, amount) in &found {
            table.row([code.to_string(), amount.clone()]);
        }
        let by = format!(
            "proved here against block {}, signed by {}\n",
            count(header.height),
            header.producer
        );
        if found.is_empty() {
            format!("nothing, {by}")
        } else {
            format!("{}{by}", table.text(context.out))
        }
    })?;
    Ok(Exit::Done)
}
