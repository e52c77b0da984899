//! What a node must have on the chain before it is approved: an amount of a currency, written as `100 USD`.

use std::fmt;
use std::str::FromStr;

use crate::amount::{AmountText, CurrencyCode};

/// An amount of a currency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stake {
    /// How much, in the currency's usual unit.
    pub amount: AmountText,
    /// Of what.
    pub currency: CurrencyCode,
}

/// A text that is no stake.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a stake is an amount and a currency, such as 100 USD")]
pub struct StakeError;

impl fmt::Display for Stake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.amount, self.currency)
    }
}

impl FromStr for Stake {
    type Err = StakeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (amount, currency) = text.trim().split_once(' ').ok_or(StakeError)?;
        Ok(Self {
            amount: amount.parse().map_err(|_| StakeError)?,
            currency: currency.trim().parse().map_err(|_| StakeError)?,
        })
    }
}
