//! Staged transfers and balances: what is refused at once, what when they are applied, and how far a contract may go.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tana_protocol::{Amount, Decimals};

use super::{SessionError, refuse};
use crate::host::Host;
use crate::host::money::exact_number;
use tana_sandbox::message::{Authority, Change, Question};

/// Staged changes at a time.
const MAX_STAGED: usize = 1_000;

/// A change as the contract asked for it.
#[derive(Debug, Clone)]
pub(crate) enum Staged {
    /// `tx.transfer`.
    Transfer {
        from: String,
        to: String,
        amount: String,
        currency: String,
    },
    /// `tx.setBalance`.
    SetBalance {
        owner: String,
        amount: String,
        currency: String,
    },
}

#[derive(Default)]
pub(super) struct Ledger {
    authority: Authority,
    caller: Option<String>,
    contract: Option<String>,
    staged: Vec<Staged>,
    /// Balances that this execution has changed, by user and currency.
    balances: BTreeMap<(String, String), Amount>,
    /// What has left the caller's account, by currency.
    spent: BTreeMap<String, Amount>,
}

impl Ledger {
    pub(super) fn new(
        authority: Authority,
        caller: Option<String>,
        contract: Option<String>,
    ) -> Self {
        Self {
            authority,
            caller,
            contract,
            ..Self::default()
        }
    }

    pub(super) fn stage(&mut self, host: &dyn Host, change: Staged) -> Result<(), SessionError> {
        if self.staged.len() >= MAX_STAGED {
            return refuse(format!(
                "at most {MAX_STAGED} changes can be staged; execute some first"
            ));
        }
        match &change {
            Staged::SetBalance {
                amount, currency, ..
            } => {
                parse(amount, decimals(host, currency)?, currency)?;
            }
            Staged::Transfer {
                from,
                to,
                amount,
                currency,
            } => {
                if parse(amount, decimals(host, currency)?, currency)?.is_zero() {
                    return refuse("a transfer moves more than nothing");
                }
                if bare(from) == bare(to) {
                    return refuse("a transfer goes to somebody else");
                }
            }
        }
        self.staged.push(change);
        Ok(())
    }

    pub(super) fn staged(&self) -> Value {
        self.staged
            .iter()
            .map(|change| match change {
                Staged::Transfer { from, to, amount, currency } => {
                    json!({"type": "transfer", "from": from, "to": to, "amount": shown(amount), "currency": currency})
                }
                Staged::SetBalance { owner, amount, currency } => {
                    json!({"type": "balance_update", "to": owner, "amount": shown(amount), "currency": currency})
                }
            })
            .collect()
    }

    pub(super) fn execute(&mut self, host: &dyn Host) -> (Value, Vec<Change>) {
        let shown = self.staged();
        let before = (self.balances.clone(), self.spent.clone());
        let mut changes = Vec::new();
        for change in std::mem::take(&mut self.staged) {
            match self.apply(host, change) {
                Ok(change) => changes.push(change),
                Err(error) => {
                    (self.balances, self.spent) = before;
                    return (
                        json!({"success": false, "changes": [], "error": error.0}),
                        Vec::new(),
                    );
                }
            }
        }
        (json!({"success": true, "changes": shown}), changes)
    }

    fn apply(&mut self, host: &dyn Host, change: Staged) -> Result<Change, SessionError> {
        match change {
            Staged::Transfer {
                from,
                to,
                amount,
                currency,
            } => {
                let from = self.user(host, &from)?;
                let to = self.user(host, &to)?;
                if from == to {
                    return refuse("a transfer goes to somebody else");
                }
                let decimals = decimals(host, &currency)?;
                let units = parse(&amount, decimals, &currency)?;
                self.permit(&from, units, decimals, &currency)?;
                let held = self.balance(host, &from, &currency, decimals)?;
                let Some(left) = held.minus(units) else {
                    return refuse(format!(
                        "{from} has {} {currency}, less than {amount}",
                        held.format(decimals)
                    ));
                };
                let received = self
                    .balance(host, &to, &currency, decimals)?
                    .plus(units)
                    .map_err(text)?;
                self.balances.insert((from.clone(), currency.clone()), left);
                self.balances
                    .insert((to.clone(), currency.clone()), received);
                Ok(Change::Transfer {
                    from,
                    to,
                    amount: units.format(decimals),
                    currency,
                })
            }
            Staged::SetBalance {
                owner,
                amount,
                currency,
            } => {
                if let Authority::Signed {
                    set_balance: false, ..
                } = self.authority
                {
                    return refuse("only a core contract of the sovereign can set a balance");
                }
                let owner = self.user(host, &owner)?;
                let decimals = decimals(host, &currency)?;
                let units = parse(&amount, decimals, &currency)?;
                self.balances
                    .insert((owner.clone(), currency.clone()), units);
                Ok(Change::BalanceUpdate {
                    to: owner,
                    amount: units.format(decimals),
                    currency,
                })
            }
        }
    }

    /// Whether `from`'s money may move: the contract's own always, the caller's as far as the caller signed for.
    fn permit(
        &mut self,
        from: &str,
        units: Amount,
        decimals: Decimals,
        currency: &str,
    ) -> Result<(), SessionError> {
        let Authority::Signed { allowances, .. } = &self.authority else {
            return Ok(());
        };
        if self.contract.as_deref() == Some(from) {
            return Ok(());
        }
        if self.caller.as_deref() != Some(from) {
            return refuse("a contract can move its caller's money and its own, nobody else's");
        }
        let allowed = match allowances.get(currency) {
            Some(text) => parse(text, decimals, currency)?,
            None => Amount::ZERO,
        };
        let spent = self
            .spent
            .get(currency)
            .copied()
            .unwrap_or_default()
            .plus(units)
            .map_err(text)?;
        if spent > allowed {
            return refuse(format!(
                "the caller signed for {} {currency} and {} would be taken",
                allowed.format(decimals),
                spent.format(decimals)
            ));
        }
        self.spent.insert(currency.to_owned(), spent);
        Ok(())
    }

    fn balance(
        &self,
        host: &dyn Host,
        user: &str,
        currency: &str,
        decimals: Decimals,
    ) -> Result<Amount, SessionError> {
        match self.balances.get(&(user.to_owned(), currency.to_owned())) {
            Some(amount) => Ok(*amount),
            None => parse(&balance_text(host, user, currency)?, decimals, currency),
        }
    }

    pub(super) fn shown_balance(
        &self,
        host: &dyn Host,
        user: &str,
        currency: &str,
    ) -> Result<Value, SessionError> {
        let Ok(id) = self.user(host, user) else {
            return Ok(Value::from("0"));
        };
        match self.balances.get(&(id.clone(), currency.to_owned())) {
            Some(amount) => Ok(Value::from(amount.format(decimals(host, currency)?))),
            None => balance_text(host, &id, currency).map(Value::from),
        }
    }

    fn user(&self, host: &dyn Host, name: &str) -> Result<String, SessionError> {
        if self.contract.as_deref() == Some(name) {
            return Ok(name.to_owned());
        }
        let found = host
            .ask(&Question::User {
                user: name.to_owned(),
            })
            .map_err(SessionError)?;
        match found.get("id").and_then(Value::as_str) {
            Some(id) => Ok(id.to_owned()),
            None => refuse(format!("there is no user {name}")),
        }
    }
}

fn text(error: impl std::fmt::Display) -> SessionError {
    SessionError(error.to_string())
}

/// How an amount is shown to a contract: a number where that is exact.
fn shown(text: &str) -> Value {
    exact_number(text)
        .and_then(serde_json::Number::from_f64)
        .map_or_else(|| Value::from(text), Value::Number)
}

fn bare(name: &str) -> String {
    name.strip_prefix('@').unwrap_or(name).to_lowercase()
}

fn parse(amount: &str, decimals: Decimals, currency: &str) -> Result<Amount, SessionError> {
    if amount.starts_with('-') {
        return refuse(format!("an amount is not negative: {amount} {currency}"));
    }
    Amount::parse(amount, decimals)
        .map_err(|error| SessionError(format!("{amount} {currency}: {error}")))
}

fn decimals(host: &dyn Host, currency: &str) -> Result<Decimals, SessionError> {
    let found = host
        .ask(&Question::Currency {
            code: currency.to_owned(),
        })
        .map_err(SessionError)?;
    match found
        .get("decimals")
        .and_then(Value::as_u64)
        .and_then(|d| u8::try_from(d).ok())
    {
        Some(decimals) => Decimals::try_from(decimals).map_err(text),
        None => refuse(format!("there is no currency {currency}")),
    }
}

fn balance_text(host: &dyn Host, user: &str, currency: &str) -> Result<String, SessionError> {
    let question = Question::Balance {
        user: user.to_owned(),
        currency: currency.to_owned(),
    };
    Ok(host
        .ask(&question)
        .map_err(SessionError)?
        .as_str()
        .unwrap_or("0")
        .to_owned())
}
