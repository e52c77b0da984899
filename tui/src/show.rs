//! How values are written on every screen: clock times, figures, shortened hashes. Drawing is `widgets`'.

use std::borrow::Cow;

use jiff::tz::TimeZone;
use tana_protocol::Timestamp;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The wall clock as last told by the run loop, and the zone it is shown in.
#[derive(Debug, Clone)]
pub(crate) struct Clock {
    pub(crate) now: Timestamp,
    pub(crate) zone: TimeZone,
}

impl Clock {
    /// `14:03:22` today, `Nov 19 14:03` another day. Times do not tick, ages would.
    pub(crate) fn time(&self, at: Timestamp) -> String {
        let (Some(at), Some(now)) = (self.zoned(at), self.zoned(self.now)) else {
            return "–".into();
        };
        if at.date() == now.date() {
            at.strftime("%H:%M:%S").to_string()
        } else if at.year() == now.year() {
            at.strftime("%b %d %H:%M").to_string()
        } else {
            at.strftime("%Y-%m-%d").to_string()
        }
    }

    /// Day and time to the second, for details.
    pub(crate) fn full(&self, at: Timestamp) -> String {
        self.zoned(at).map_or_else(
            || "–".into(),
            |at| at.strftime("%Y-%m-%d %H:%M:%S").to_string(),
        )
    }

    /// Day and time to the millisecond in a file's name.
    pub(crate) fn stamp(&self, at: Timestamp) -> String {
        self.zoned(at).map_or_else(
            || at.ms().to_string(),
            |at| at.strftime("%Y%m%d-%H%M%S.%3f").to_string(),
        )
    }

    fn zoned(&self, at: Timestamp) -> Option<jiff::Zoned> {
        let ms = i64::try_from(at.ms()).ok()?;
        Some(
            jiff::Timestamp::from_millisecond(ms)
                .ok()?
                .to_zoned(self.zone.clone()),
        )
    }
}

/// `12 408`: groups of three, since a height is read aloud.
pub(crate) fn count(n: impl Into<u128>) -> String {
    let digits = n.into().to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(' ');
        }
        out.push(digit);
    }
    out
}

/// `1f3a…9c02`: the middle of a key or hash left out, its scheme prefix too.
pub(crate) fn short(text: &str) -> String {
    let bare = text
        .strip_prefix("ed25519_sig_")
        .or_else(|| text.strip_prefix("ed25519_"))
        .unwrap_or(text);
    let (kind, rest) = match bare.split_once('_') {
        Some((kind, rest)) if kind.len() <= 5 => (Some(kind), rest),
        _ => (None, bare),
    };
    let chars: Vec<char> = rest.chars().collect();
    if chars.len() <= 12 {
        return bare.to_owned();
    }
    let head: String = chars[..4].iter().collect();
    let tail: String = chars[chars.len() - 4..].iter().collect();
    match kind {
        Some(kind) => format!("{kind}_{head}…{tail}"),
        None => format!("{head}…{tail}"),
    }
}

/// Cuts to `width` columns; what is cut off shows as `…`.
pub(crate) fn fit(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut used = 0;
    for c in text.chars() {
        let w = c.width().unwrap_or(0);
        if used + w + 1 > width {
            break;
        }
        used += w;
        out.push(c);
    }
    if width > 0 {
        out.push('…');
    }
    out
}

/// Text from outside made safe to show: no escape sequences, no control characters, nothing that reorders or hides other text.
pub(crate) fn clean(text: &str) -> String {
    cleaned(text).into_owned()
}

/// The same, copied only where something has to leave: nearly all text is plain.
pub(crate) fn cleaned(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|b| (b' '..=b'~').contains(&b)) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\x1b' => match chars.peek() {
                // CSI: up to its final byte.
                Some('[') => {
                    chars.next();
                    for c in chars.by_ref() {
                        if ('@'..='~').contains(&c) {
                            break;
                        }
                    }
                }
                // OSC and the like: up to BEL or the escape of ST.
                Some(']' | 'P' | '_' | '^' | 'X') => {
                    for c in chars.by_ref() {
                        if c == '\x07' || c == '\\' {
                            break;
                        }
                    }
                }
                _ => {
                    chars.next();
                }
            },
            '\t' => out.push_str("  "),
            c if c.is_control() => {}
            '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{2069}'
            | '\u{feff}' => {}
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// Cuts text into lines of at most `width` columns, at blanks where there are any.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let width = width.max(1);
    let mut lines = Vec::new();
    for paragraph in text.split('\n') {
        let mut line = String::new();
        for word in paragraph.split(' ') {
            let gap = usize::from(!line.is_empty());
            if line.width() + gap + word.width() <= width {
                if gap == 1 {
                    line.push(' ');
                }
                line.push_str(word);
                continue;
            }
            if !line.is_empty() {
                lines.push(std::mem::take(&mut line));
            }
            for c in word.chars() {
                if line.width() + c.width().unwrap_or(0) > width {
                    lines.push(std::mem::take(&mut line));
                }
                line.push(c);
            }
        }
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn clock() -> Clock {
        Clock {
            now: Timestamp::from_ms(1_763_647_402_000),
            zone: TimeZone::UTC,
        }
    }

    #[test]
    fn today_is_a_time_and_other_days_carry_their_date() {
        let clock = clock();
        assert_eq!(clock.time(clock.now), "14:03:22");
        assert_eq!(
            clock.time(Timestamp::from_ms(clock.now.ms() - 86_400_000)),
            "Nov 19 14:03"
        );
        assert_eq!(clock.time(Timestamp::from_ms(0)), "1970-01-01");
        assert!(!clock.time(Timestamp::MAX).is_empty());
    }

    #[test]
    fn figures_and_hashes() {
        assert_eq!(count(0_u64), "0");
        assert_eq!(count(12_408_u64), "12 408");
        assert_eq!(count(1_000_000_u64), "1 000 000");
        assert_eq!(short("ed25519_1f3a000000000000000000009c02"), "1f3a…9c02");
        assert_eq!(short("tx_5b6a0000000000000000000012ee"), "tx_5b6a…12ee");
        assert_eq!(short("abc"), "abc");
    }

    #[test]
    fn what_comes_from_outside_cannot_drive_the_terminal() {
        assert_eq!(clean("a\x1b[31mred\x1b[0m b"), "ared b");
        assert_eq!(clean("x\x1b]52;c;AAAA\x07y"), "xy");
        assert_eq!(clean("user\u{202e}drowssap"), "userdrowssap");
        assert_eq!(clean("\x1b"), "");
    }

    #[test]
    fn wrapping_and_cutting_keep_to_the_width() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("abcdefgh", 3), ["abc", "def", "gh"]);
        assert_eq!(fit("abcdef", 4), "abc…");
        assert_eq!(fit("abc", 3), "abc");
    }
}
