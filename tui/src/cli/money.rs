//! `tana deposit`, `transfer` and `balance`.

use clap::Args;
use tana_protocol::amount::AmountText;
use tana_protocol::{Amount, CurrencyCode, TransactionType};

use super::context::Context;
use super::exit::{Exit, failure};
use super::output::{Side, Table};
use super::passphrase;
use super::proof;
use super::submit::{self, Order};
use super::wait::Wait;
use crate::show::clean;

#[derive(Debug, Args)]
pub(crate) struct Deposit {
    /// Who gets it: a username or id
    user: String,
    /// How much, such as 100 or 12.34
    amount: String,
    /// Of what, such as USD
    currency: String,
    #[command(flatten)]
    wait: Wait,
}

#[derive(Debug, Args)]
pub(crate) struct Transfer {
    /// Who pays: a user whose key is in this home
    from: String,
    /// Who gets it: a username or id
    to: String,
    /// How much, such as 100 or 12.34
    amount: String,
    /// Of what, such as USD
    currency: String,
    /// The nonce to sign, instead of the next one
    #[arg(long, value_name = "N")]
    nonce: Option<u64>,
    #[command(flatten)]
    wait: Wait,
}

#[derive(Debug, Args)]
pub(crate) struct Balance {
    /// A username or id
    user: String,
    /// Believe nothing that is not proved here against a block that a validator of this home's chain file has signed
    #[arg(long)]
    proof: bool,
}

pub(super) fn amount(text: &str) -> anyhow::Result<AmountText> {
    text.parse()
        .map_err(|error| failure(Exit::Misuse, format!("{:?}: {error}", clean(text))))
}

pub(super) fn currency(text: &str) -> anyhow::Result<CurrencyCode> {
    // What is signed is upper case; a person may type either.
    text.to_ascii_uppercase()
        .parse()
        .map_err(|error| failure(Exit::Misuse, format!("{:?}: {error}", clean(text))))
}

impl Deposit {
    pub(crate) async fn execute(self, context: &Context) -> anyhow::Result<Exit> {
        let (amount, currency) = (amount(&self.amount)?, currency(&self.currency)?);
        let ledger = context.ledger()?;
        let passphrase = passphrase::of_home(context.home())?;
        let sovereign = submit::sovereign(&context.settings, &ledger, passphrase).await?;
        let to = submit::user(&ledger, &self.user).await?;
        let what = format!("deposit {amount} {currency} → {}", to.username);
        let order = Order {
            kind: TransactionType::Deposit,
            to: to.id.into(),
            amount,
            currency,
            nonce: None,
        };
        let signed = submit::sign(&context.settings, &ledger, &sovereign, order).await?;
        submit::submit(context, &ledger, &signed, self.wait, &what).await
    }
}

impl Transfer {
    pub(crate) async fn execute(self, context: &Context) -> anyhow::Result<Exit> {
        let (amount, currency) = (amount(&self.amount)?, currency(&self.currency)?);
        let ledger = context.ledger()?;
        let sender = passphrase::sender(context, &ledger, &self.from).await?;
        let to = submit::user(&ledger, &self.to).await?;
        let what = format!(
            "transfer {amount} {currency} {} → {}",
            sender.user.username, to.username
        );
        let order = Order {
            kind: TransactionType::Transfer,
            to: to.id.into(),
            amount,
            currency,
            nonce: self.nonce,
        };
        let signed = submit::sign(&context.settings, &ledger, &sender, order).await?;
        submit::submit(context, &ledger, &signed, self.wait, &what).await
    }
}

impl Balance {
    pub(crate) async fn execute(self, context: &Context) -> anyhow::Result<Exit> {
        if self.proof {
            return proof::balance(context, &self.user).await;
        }
        let ledger = context.ledger()?;
        let user = submit::user(&ledger, &self.user).await?;
        let (mut balances, currencies) =
            futures::try_join!(ledger.balances(&user.id), ledger.currencies())?;
        // Every place of the currency, so that amounts stand under each other.
        for balance in &mut balances {
            let code = &balance.currency_code;
            let known = currencies.iter().find(|known| known.currency.code == *code);
            if let Some(decimals) = known.map(|known| known.currency.decimals) {
                let units: Amount = balance.amount.in_units(decimals)?;
                balance.amount = units.format(decimals).parse()?;
            }
        }
        context.out.show(&balances, || {
            if balances.is_empty() {
                return format!("{} has nothing yet\n", user.username);
            }
            let mut table = Table::new(&[("currency", Side::Left), ("amount", Side::Right)]);
            for balance in &balances {
                table.row([
                    balance.currency_code.to_string(),
                    balance.amount.to_string(),
                ]);
            }
            table.text(context.out)
        })?;
        if balances.is_empty() {
            context.out.hint(&format!(
                "a sovereign brings funds in: tana deposit {} 100 USD --wait",
                user.username.bare()
            ))?;
        }
        Ok(Exit::Done)
    }
}
