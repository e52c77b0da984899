//! Partial and conditional reads (RFC 9110): what the texts of `Range` and `If-None-Match` ask for.

use std::ops::Range;

/// What of the content is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// All of it.
    Whole,
    /// These bytes.
    Part(Range<u64>),
    /// None that there are.
    Unsatisfiable,
}

/// Reads a `Range` header. Several ranges, another unit or a text that is none are passed over, as the RFC allows.
#[must_use]
pub fn wanted(header: Option<&str>, size: u64) -> Wanted {
    let Some(ranges) = header.and_then(|text| text.trim().strip_prefix("bytes=")) else {
        return Wanted::Whole;
    };
    let Some((first, last)) = ranges.trim().split_once('-') else {
        return Wanted::Whole;
    };
    let number = |text: &str| -> Option<Option<u64>> {
        let text = text.trim();
        if text.is_empty() {
            Some(None)
        } else if text.bytes().all(|b| b.is_ascii_digit()) {
            // Larger than any size is as good as the largest.
            Some(Some(text.parse().unwrap_or(u64::MAX)))
        } else {
            None
        }
    };
    match (number(first), number(last)) {
        (Some(None), Some(Some(0))) => Wanted::Unsatisfiable,
        (Some(None), Some(Some(suffix))) if size > 0 => {
            Wanted::Part(size.saturating_sub(suffix)..size)
        }
        (Some(Some(first)), Some(last)) => {
            if last.is_some_and(|last| last < first) {
                return Wanted::Whole;
            }
            if first >= size {
                return Wanted::Unsatisfiable;
            }
            let end = last.map_or(size, |last| last.saturating_add(1).min(size));
            Wanted::Part(first..end)
        }
        (Some(None), Some(Some(_))) => Wanted::Unsatisfiable,
        _ => Wanted::Whole,
    }
}

/// Whether `If-None-Match` names this tag (weakly compared), so that nothing need be sent.
#[must_use]
pub fn is_known(header: Option<&str>, tag: &str) -> bool {
    header.is_some_and(|text| {
        text.split(',').any(|known| {
            let known = known.trim();
            known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag
        })
    })
}

/// Whether `If-Range` allows a part: it is not there, or names this tag (strongly compared).
#[must_use]
pub fn allows_part(header: Option<&str>, tag: &str) -> bool {
    header.is_none_or(|text| text.trim() == tag)
}

#[cfg(test)]
mod tests {
    use super::{Wanted, allows_part, is_known, wanted};

    #[test]
    fn ranges_are_cut_to_what_there_is() {
        let cases = [
            (None, Wanted::Whole),
            (Some("bytes=0-0"), Wanted::Part(0..1)),
            (Some("bytes=2-4"), Wanted::Part(2..5)),
            (Some("bytes=2-"), Wanted::Part(2..10)),
            (Some("bytes=2-99"), Wanted::Part(2..10)),
            (Some("bytes=2-99999999999999999999999"), Wanted::Part(2..10)),
            (Some("bytes=-3"), Wanted::Part(7..10)),
            (Some("bytes=-99"), Wanted::Part(0..10)),
            (Some("bytes=10-"), Wanted::Unsatisfiable),
            (Some("bytes=-0"), Wanted::Unsatisfiable),
            (Some("bytes=5-2"), Wanted::Whole),
            (Some("bytes=0-1,3-4"), Wanted::Whole),
            (Some("bytes=-"), Wanted::Whole),
            (Some("bytes=a-b"), Wanted::Whole),
            (Some("lines=1-2"), Wanted::Whole),
        ];
        for (header, expected) in cases {
            assert_eq!(wanted(header, 10), expected, "{header:?}");
        }
        assert_eq!(wanted(Some("bytes=0-"), 0), Wanted::Unsatisfiable);
        assert_eq!(wanted(Some("bytes=-1"), 0), Wanted::Unsatisfiable);
    }

    #[test]
    fn tags_are_compared_as_the_rfc_says() {
        let tag = "\"ab\"";
        assert!(is_known(Some("\"cd\", W/\"ab\""), tag));
        assert!(is_known(Some("*"), tag));
        assert!(!is_known(Some("ab"), tag));
        assert!(!is_known(None, tag));
        assert!(allows_part(None, tag) && allows_part(Some("\"ab\""), tag));
        assert!(!allows_part(Some("W/\"ab\""), tag));
    }
}
