//! Amounts: integers in a currency's smallest unit inside, decimal strings outside, never floats.

use std::fmt;
use std::str::FromStr;

/// How many digits a currency has after the point; at most 18.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(try_from = "u8", into = "u8")]
pub struct Decimals(u8);

impl Decimals {
    /// The most that any currency has: ETH's.
    pub const MAX: u8 = 18;
}

impl TryFrom<u8> for Decimals {
    type Error = AmountError;

    fn try_from(value: u8) -> Result<Self, Self::Error> {
        if value <= Self::MAX {
            Ok(Self(value))
        } else {
            Err(AmountError::Decimals)
        }
    }
}

impl From<Decimals> for u8 {
    fn from(value: Decimals) -> Self {
        value.0
    }
}

/// Why a text is no amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    /// Not digits with at most one point among them.
    #[error("an amount is written in digits with at most one point, such as 12.34")]
    Format,
    /// More digits after the point than the currency has.
    #[error("the amount has more digits after the point than the currency allows ({0})")]
    Precision(u8),
    /// Too large for the chain.
    #[error("the amount is larger than the chain can hold")]
    Overflow,
    /// More than 18 decimals.
    #[error("a currency has at most 18 decimals")]
    Decimals,
}

/// An amount in a currency's smallest unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Amount(u128);

impl Amount {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// The largest amount: 38 digits, what a PostgreSQL `NUMERIC(38)` holds.
    pub const MAX: Self = Self(99_999_999_999_999_999_999_999_999_999_999_999_999);

    /// From a number of smallest units.
    ///
    /// # Errors
    /// [`AmountError::Overflow`] above [`Amount::MAX`].
    pub fn from_units(units: u128) -> Result<Self, AmountError> {
        if units <= Self::MAX.0 {
            Ok(Self(units))
        } else {
            Err(AmountError::Overflow)
        }
    }

    /// The number of smallest units.
    #[must_use]
    pub const fn units(self) -> u128 {
        self.0
    }

    /// Whether it is nothing.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// Both together.
    ///
    /// # Errors
    /// [`AmountError::Overflow`].
    pub fn plus(self, other: Self) -> Result<Self, AmountError> {
        Self::from_units(self.0.checked_add(other.0).ok_or(AmountError::Overflow)?)
    }

    /// This less `other`, or `None` where it does not suffice.
    #[must_use]
    pub fn minus(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }

    /// Reads a decimal text: ASCII digits and at most one point with a digit on either side; no sign, exponent,
    /// space or other script's digits.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str, decimals: Decimals) -> Result<Self, AmountError> {
        let (whole, fraction) = split(text)?;
        let places = usize::from(decimals.0);
        if fraction.len() > places {
            return Err(AmountError::Precision(decimals.0));
        }
        let mut units: u128 = 0;
        let padding = std::iter::repeat_n(b'0', places - fraction.len());
        for digit in whole.bytes().chain(fraction.bytes()).chain(padding) {
            units = units
                .checked_mul(10)
                .and_then(|u| u.checked_add(u128::from(digit - b'0')))
                .ok_or(AmountError::Overflow)?;
        }
        Self::from_units(units)
    }

    /// The decimal text with all of the currency's places: `12.30` for 1230 and two decimals.
    #[must_use]
    pub fn format(self, decimals: Decimals) -> String {
        let places = usize::from(decimals.0);
        let digits = format!("{:0width$}", self.0, width = places + 1);
        if places == 0 {
            return digits;
        }
        let (whole, fraction) = digits.split_at(digits.len() - places);
        format!("{whole}.{fraction}")
    }

    /// The shortest exact decimal text: `12.3`, `100`, `0`. What the API answers.
    #[must_use]
    pub fn format_short(self, decimals: Decimals) -> String {
        let full = self.format(decimals);
        if full.contains('.') {
            full.trim_end_matches('0').trim_end_matches('.').to_owned()
        } else {
            full
        }
    }
}

/// Whole and fraction of a decimal text; both have at least one digit where there is a point.
fn split(text: &str) -> Result<(&str, &str), AmountError> {
    // 38 digits, a point, and room for leading zeros: longer texts are nobody's amount.
    if text.is_empty() || text.len() > 80 {
        return Err(AmountError::Format);
    }
    let (whole, fraction) = match text.split_once('.') {
        Some((whole, fraction)) if !fraction.is_empty() => (whole, fraction),
        Some(_) => return Err(AmountError::Format),
        None => (text, ""),
    };
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) {
        Err(AmountError::Format)
    } else {
        Ok((whole, fraction))
    }
}

/// An amount as somebody wrote and signed it; its currency's decimals are looked up later.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AmountText(String);

impl AmountText {
    /// The text as it was signed.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The amount in a currency with these decimals.
    ///
    /// # Errors
    /// As [`Amount::parse`].
    pub fn in_units(&self, decimals: Decimals) -> Result<Amount, AmountError> {
        Amount::parse(&self.0, decimals)
    }
}

impl fmt::Display for AmountText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for AmountText {
    type Err = AmountError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        split(text)?;
        Ok(Self(text.to_owned()))
    }
}

crate::json::serde_as_text!(AmountText);

/// A currency's code: 2 to 12 of `A-Z` and `0-9`, beginning with a letter. Read in either case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CurrencyCode(String);

/// A text that is no currency code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a currency code is 2 to 12 of A-Z and 0-9 and begins with a letter, such as USD")]
pub struct CurrencyCodeError;

impl CurrencyCode {
    /// The code.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CurrencyCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for CurrencyCode {
    type Err = CurrencyCodeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // Upper case only: the code is signed as it is written, and one currency has one spelling.
        let valid = (2..=12).contains(&text.len())
            && text.as_bytes()[0].is_ascii_uppercase()
            && text
                .bytes()
                .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
        if valid {
            Ok(Self(text.to_owned()))
        } else {
            Err(CurrencyCodeError)
        }
    }
}

crate::json::serde_as_text!(CurrencyCode);

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert_eq, proptest};

    use super::{Amount, AmountError, Decimals};

    fn decimals(n: u8) -> Decimals {
        n.try_into().unwrap()
    }

    #[test]
    fn what_is_no_plain_decimal_is_refused() {
        for bad in [
            "", ".", "1.", ".5", "-1", "+1", "1e3", "1,5", " 1", "1 ", "0x1", "1.2.3", "١٢", "１",
            "NaN",
        ] {
            assert_eq!(
                Amount::parse(bad, decimals(2)),
                Err(AmountError::Format),
                "{bad:?}"
            );
        }
        assert_eq!(
            Amount::parse("0.001", decimals(2)),
            Err(AmountError::Precision(2))
        );
        assert_eq!(
            Amount::parse(&"9".repeat(39), decimals(0)),
            Err(AmountError::Overflow)
        );
        assert_eq!(Amount::parse(&"9".repeat(38), decimals(0)), Ok(Amount::MAX));
    }

    #[test]
    fn is_written_with_all_places_or_the_fewest() {
        let amount = Amount::parse("12.3", decimals(2)).unwrap();
        assert_eq!(amount.units(), 1230);
        assert_eq!(amount.format(decimals(2)), "12.30");
        assert_eq!(amount.format_short(decimals(2)), "12.3");
        assert_eq!(Amount::ZERO.format_short(decimals(18)), "0");
        assert_eq!(Amount::from_units(5).unwrap().format(decimals(2)), "0.05");
        assert_eq!(
            Amount::from_units(100).unwrap().format_short(decimals(0)),
            "100"
        );
    }

    proptest! {
        #[test]
        fn texts_and_units_round_trip(units in 0..Amount::MAX.units(), places in 0u8..=18) {
            let amount = Amount::from_units(units).unwrap();
            prop_assert_eq!(Amount::parse(&amount.format(decimals(places)), decimals(places)), Ok(amount));
            prop_assert_eq!(Amount::parse(&amount.format_short(decimals(places)), decimals(places)), Ok(amount));
        }

        #[test]
        fn no_text_panics(text in any::<String>(), places in 0u8..=18) {
            let _ = Amount::parse(&text, decimals(places));
        }
    }
}
