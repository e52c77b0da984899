//! What `/` types: which rows and lines stay. Every word must match; `~word` matches fuzzily, `/pattern` is a regular expression.

use nucleo_matcher::pattern::{CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};
use regex::{Regex, RegexBuilder};

/// A regular expression may not compile to more than this.
const REGEX_BYTES: usize = 1 << 20;

/// A typed filter, ready to be asked.
#[derive(Debug, Clone)]
pub(crate) struct Filter {
    /// As typed.
    pub(crate) text: String,
    kind: Kind,
}

#[derive(Debug, Clone)]
enum Kind {
    Words(Vec<Word>),
    Regex(Box<Regex>),
    /// A pattern that is not one (yet): matches as plain text.
    Broken(String),
}

#[derive(Debug, Clone)]
enum Word {
    /// Found whatever its case, without writing any text anew: a million lines are looked at while one types.
    Plain(Box<Regex>),
    Fuzzy(String),
}

impl Word {
    fn plain(text: &str) -> Option<Self> {
        let regex = RegexBuilder::new(&regex::escape(text))
            .case_insensitive(true)
            .size_limit(REGEX_BYTES)
            .build()
            .ok()?;
        Some(Self::Plain(Box::new(regex)))
    }
}

impl Filter {
    /// `None` when nothing is typed.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let trimmed = text.trim();
        if trimmed.is_empty() || trimmed == "/" || trimmed == "~" {
            return None;
        }
        let kind = match trimmed.strip_prefix('/') {
            Some(pattern) => RegexBuilder::new(pattern)
                .case_insensitive(true)
                .size_limit(REGEX_BYTES)
                .build()
                .map_or_else(
                    |_| Kind::Broken(pattern.to_lowercase()),
                    |r| Kind::Regex(Box::new(r)),
                ),
            None => Kind::Words(
                trimmed
                    .split_whitespace()
                    .filter_map(|w| match w.strip_prefix('~') {
                        Some(rest) => Some(Word::Fuzzy(rest.to_lowercase())),
                        None => Word::plain(w),
                    })
                    .collect(),
            ),
        };
        Some(Self {
            text: trimmed.to_owned(),
            kind,
        })
    }

    pub(crate) fn matches(&self, text: &str) -> bool {
        match &self.kind {
            Kind::Regex(regex) => regex.is_match(text),
            Kind::Broken(plain) => text.to_lowercase().contains(plain),
            Kind::Words(words) => words.iter().all(|word| match word {
                Word::Plain(w) => w.is_match(text),
                Word::Fuzzy(w) => subsequence(w, text),
            }),
        }
    }

    /// Whether a pattern was meant that is none.
    pub(crate) fn is_broken(&self) -> bool {
        matches!(self.kind, Kind::Broken(_))
    }
}

fn subsequence(needle: &str, hay: &str) -> bool {
    let mut hay = hay.chars();
    needle.chars().all(|c| {
        hay.any(|h| {
            h == c || h.eq_ignore_ascii_case(&c) || (!h.is_ascii() && h.to_lowercase().eq([c]))
        })
    })
}

/// Those of `candidates` that `typed` may mean, best first.
pub(crate) fn rank<T: AsRef<str>>(typed: &str, candidates: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut matcher = Matcher::new(Config::DEFAULT);
    let pattern = Pattern::parse(typed, CaseMatching::Ignore, Normalization::Smart);
    let mut buf = Vec::new();
    let mut scored: Vec<(u32, usize, T)> = candidates
        .into_iter()
        .enumerate()
        .filter_map(|(i, c)| {
            let score = pattern.score(Utf32Str::new(c.as_ref(), &mut buf), &mut matcher)?;
            // A name that starts with what was typed comes before one that only contains it.
            let bonus = if c.as_ref().starts_with(typed) {
                1000
            } else {
                0
            };
            Some((score + bonus, i, c))
        })
        .collect();
    scored.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
    scored.into_iter().map(|(_, _, c)| c).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn matches(filter: &str, text: &str) -> bool {
        Filter::parse(filter).unwrap().matches(text)
    }

    #[test]
    fn words_fuzzy_words_and_patterns() {
        assert!(matches("block COMMIT", "block 12 committed"));
        assert!(!matches("block failed", "block 12 committed"));
        assert!(matches("~blkcmt", "block 12 committed"));
        assert!(matches("/block \\d+", "block 12 committed"));
        assert!(!matches("/^12", "block 12 committed"));
        assert!(
            matches("/block [", "a block [ open"),
            "half a pattern is text"
        );
        assert!(Filter::parse("  ").is_none());
    }

    #[test]
    fn the_palette_finds_what_is_meant() {
        assert_eq!(rank("log", ["blocks", "login", "logs", "log"])[0], "login");
        assert_eq!(
            rank("appr", ["services", "approvals", "approve"])[0],
            "approvals"
        );
        assert!(rank("zzz", ["services"]).is_empty());
    }
}
