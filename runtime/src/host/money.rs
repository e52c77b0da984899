//! Between decimal text and the numbers that contracts count in. Nothing is rounded here.

/// The number that holds a decimal text exactly, in the sense that its shortest decimal form is the same text.
pub(crate) fn exact_number(text: &str) -> Option<f64> {
    let number: f64 = text.parse().ok()?;
    (number.is_finite() && normal(&number_text(number)) == normal(text)).then_some(number)
}

/// The shortest decimal text of a number, without an exponent.
pub(crate) fn number_text(number: f64) -> String {
    format!("{number}")
}

/// Without zeros that say nothing.
fn normal(text: &str) -> &str {
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.')
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_double_holds_is_given_and_nothing_else() {
        assert_eq!(exact_number("12.30"), Some(12.3));
        assert_eq!(exact_number("0"), Some(0.0));
        assert_eq!(exact_number("0.000000000000000001"), Some(1e-18));
        assert_eq!(exact_number("9007199254740993"), None);
        assert_eq!(exact_number("1234567890.123456789012345678"), None);
        assert_eq!(number_text(1e-7), "0.0000001");
    }
}
