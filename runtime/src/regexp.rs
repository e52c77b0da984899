//! Regular expressions in linear time: ECMAScript's syntax and results, without what needs backtracking
//! (back-references, look-around), so that no pattern and no text makes a search explode, and so that every engine
//! finds the same with the same number of steps.
//!
//! Patterns are parsed by `oxc`, compiled to a program (`compile`) and run by a Pike machine (`machine`): see
//! R. Cox, "Regular Expression Matching: the Virtual Machine Approach". Texts are UTF-16, as JavaScript counts.
//!
//! One thing differs from ECMAScript: in a repetition whose body can match nothing, a way through the body that
//! consumes nothing is given up where another way has been at the same place before.

mod class;
mod compile;
mod machine;

pub use compile::{check, compile};
pub use machine::{Budget, Exhausted, Machine, NOWHERE};

use class::Class;

/// Instructions that a program has at most.
const MAX_PROGRAM: usize = 20_000;
/// Groups that a pattern has at most, the whole match included.
pub const MAX_GROUPS: usize = 200;

/// How a pattern is to be read and matched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Flags {
    ignore_case: bool,
    multiline: bool,
    dot_all: bool,
    unicode: bool,
    sticky: bool,
}

/// A compiled pattern.
#[derive(Debug)]
pub struct Program {
    instructions: Vec<Instruction>,
    classes: Vec<Class>,
    flags: Flags,
    /// Name of each group, the whole match first.
    pub names: Vec<Option<String>>,
}

impl Program {
    /// Instructions, which is also what holding it costs.
    pub fn size(&self) -> usize {
        self.instructions.len() + self.classes.iter().map(Class::size).sum::<usize>()
    }
}

impl Program {
    /// The place behind an empty match, where the next search begins.
    pub fn after(&self, text: &[u16], at: usize) -> usize {
        let is = |unit: Option<&u16>, range: std::ops::Range<u16>| {
            unit.is_some_and(|unit| range.contains(unit))
        };
        let pair = self.flags.unicode
            && is(text.get(at), 0xd800..0xdc00)
            && is(text.get(at + 1), 0xdc00..0xe000);
        at + 1 + usize::from(pair)
    }
}

#[derive(Debug, Clone, Copy)]
enum Instruction {
    /// One code unit or code point.
    Character(u32),
    /// One of a class.
    Class(u32),
    /// Goes on at both, the first preferred.
    Split(u32, u32),
    Jump(u32),
    /// Notes the place.
    Save(u32),
    /// Forgets the groups of a repetition's last round: first and last, exclusive.
    Clear(u32, u32),
    Start,
    End,
    Boundary,
    NoBoundary,
    Match,
}

#[cfg(test)]
mod tests;
