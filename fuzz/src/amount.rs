//! Amounts: the first byte is the currency's number of decimals, the rest the text.

use tana_protocol::amount::AmountText;
use tana_protocol::{Amount, CurrencyCode, Decimals};

use crate::text::parse;

pub(crate) fn run(data: &[u8]) {
    let Some((first, text)) = data.split_first() else {
        return;
    };
    parse::<CurrencyCode>(text);
    let by_text = parse::<AmountText>(text);
    let decimals = Decimals::try_from(first % (Decimals::MAX + 1)).expect("not above the most");
    let Ok(text) = std::str::from_utf8(text) else {
        return;
    };
    let Ok(amount) = Amount::parse(text, decimals) else {
        if let Some(by_text) = by_text {
            assert!(
                by_text.in_units(decimals).is_err(),
                "{text:?} is an amount by one way alone"
            );
        }
        return;
    };
    assert!(
        amount <= Amount::MAX,
        "{text:?} is more than the chain holds"
    );
    assert!(
        text.bytes().all(|b| b.is_ascii_digit() || b == b'.'),
        "{text:?} is no amount"
    );
    assert_eq!(
        by_text.map(|text| text.in_units(decimals)),
        Some(Ok(amount))
    );
    for written in [amount.format(decimals), amount.format_short(decimals)] {
        assert_eq!(
            Amount::parse(&written, decimals),
            Ok(amount),
            "{text:?} is written as {written:?}"
        );
    }
    assert_eq!(
        amount.plus(amount).ok().and_then(|both| both.minus(amount)),
        amount.plus(amount).ok().map(|_| amount)
    );
}
