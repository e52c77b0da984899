//! Sets of characters, as sorted ranges.

use regex_syntax::hir::{ClassUnicode, ClassUnicodeRange, HirKind};

use super::Flags;

/// Sorted ranges that do not touch, and a table for the first 128.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Class {
    ranges: Vec<(u32, u32)>,
    ascii: [u64; 2],
}

const SURROGATES: (u32, u32) = (0xd800, 0xdfff);

impl Class {
    pub(super) fn new(mut ranges: Vec<(u32, u32)>) -> Self {
        ranges.sort_unstable();
        let mut joined: Vec<(u32, u32)> = Vec::with_capacity(ranges.len());
        for (low, high) in ranges {
            match joined.last_mut() {
                Some(last) if low <= last.1.saturating_add(1) => last.1 = last.1.max(high),
                _ => joined.push((low, high)),
            }
        }
        let mut ascii = [0; 2];
        for &(low, high) in &joined {
            for c in low..=high.min(127) {
                ascii[(c / 64) as usize] |= 1 << (c % 64);
            }
        }
        Self {
            ranges: joined,
            ascii,
        }
    }

    pub(super) fn has(&self, c: u32) -> bool {
        if c < 128 {
            return self.ascii[(c / 64) as usize] >> (c % 64) & 1 == 1;
        }
        let after = self.ranges.partition_point(|range| range.0 <= c);
        after > 0 && self.ranges[after - 1].1 >= c
    }

    pub(super) fn size(&self) -> usize {
        self.ranges.len()
    }

    pub(super) fn ranges(&self) -> &[(u32, u32)] {
        &self.ranges
    }

    /// Everything else.
    pub(super) fn negated(&self, flags: Flags) -> Self {
        let most = if flags.unicode { 0x10_ffff } else { 0xffff };
        let mut ranges = Vec::with_capacity(self.ranges.len() + 1);
        let mut next = 0;
        for &(low, high) in &self.ranges {
            if low > next {
                ranges.push((next, low - 1));
            }
            next = high + 1;
        }
        if next <= most {
            ranges.push((next, most));
        }
        Self::new(ranges)
    }

    /// With everything that differs in case alone.
    pub(super) fn folded(self, flags: Flags) -> Self {
        if !flags.ignore_case {
            return self;
        }
        let mut ranges = self.ranges.clone();
        for &(low, high) in &self.ranges {
            for folded in fold(low, high) {
                if flags.unicode {
                    ranges.push(folded);
                } else {
                    // Without `u`, what is ASCII and what is not are never the same letter.
                    if low < 128 && folded.0 < 128 {
                        ranges.push((folded.0, folded.1.min(127)));
                    }
                    if high >= 128 && folded.1 >= 128 {
                        ranges.push((folded.0.max(128), folded.1));
                    }
                }
            }
        }
        let most = if flags.unicode { 0x10_ffff } else { 0xffff };
        ranges.retain(|range| range.0 <= most);
        Self::new(ranges)
    }

    pub(super) fn digits() -> Self {
        Self::new(vec![(0x30, 0x39)])
    }

    pub(super) fn spaces() -> Self {
        Self::new(vec![
            (0x09, 0x0d),
            (0x20, 0x20),
            (0xa0, 0xa0),
            (0x1680, 0x1680),
            (0x2000, 0x200a),
            (0x2028, 0x2029),
            (0x202f, 0x202f),
            (0x205f, 0x205f),
            (0x3000, 0x3000),
            (0xfeff, 0xfeff),
        ])
    }

    pub(super) fn words(flags: Flags) -> Self {
        let mut ranges = vec![(0x30, 0x39), (0x41, 0x5a), (0x5f, 0x5f), (0x61, 0x7a)];
        if flags.unicode && flags.ignore_case {
            // Long s and the Kelvin sign are letters s and k to those who ignore case.
            ranges.extend([(0x17f, 0x17f), (0x212a, 0x212a)]);
        }
        Self::new(ranges)
    }

    pub(super) fn line_ends() -> Self {
        Self::new(vec![(0x0a, 0x0a), (0x0d, 0x0d), (0x2028, 0x2029)])
    }

    /// `\p{name}` or `\p{name=value}`; none where it is not known.
    pub(super) fn property(name: &str, value: Option<&str>) -> Option<Self> {
        let pattern = match value {
            Some(value) => format!(r"\p{{{name}={value}}}"),
            None => format!(r"\p{{{name}}}"),
        };
        let parsed = regex_syntax::parse(&pattern).ok()?;
        match parsed.kind() {
            HirKind::Class(regex_syntax::hir::Class::Unicode(class)) => {
                Some(Self::new(pairs(class)))
            }
            HirKind::Literal(literal) => {
                let text = std::str::from_utf8(&literal.0).ok()?;
                let one = u32::from(text.chars().next()?);
                Some(Self::new(vec![(one, one)]))
            }
            _ => None,
        }
    }
}

fn pairs(class: &ClassUnicode) -> Vec<(u32, u32)> {
    class
        .iter()
        .map(|range| (u32::from(range.start()), u32::from(range.end())))
        .collect()
}

fn fold(low: u32, high: u32) -> Vec<(u32, u32)> {
    let mut class = ClassUnicode::empty();
    // Halves of pairs have no case.
    for (low, high) in [
        (low, high.min(SURROGATES.0 - 1)),
        (low.max(SURROGATES.1 + 1), high),
    ] {
        if let (Some(low), Some(high)) = (char::from_u32(low), char::from_u32(high))
            && low <= high
        {
            class.push(ClassUnicodeRange::new(low, high));
        }
    }
    class.case_fold_simple();
    pairs(&class)
}
