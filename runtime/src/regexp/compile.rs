//! From a pattern's text to a program.

use oxc::allocator::Allocator;
use oxc::regular_expression::ast::{
    Alternative, BoundaryAssertionKind, CharacterClass, CharacterClassContents,
    CharacterClassContentsKind, CharacterClassEscapeKind, Disjunction, Quantifier, Term,
};
use oxc::regular_expression::{LiteralParser, Options};

use super::class::Class;
use super::{Flags, Instruction, MAX_GROUPS, MAX_PROGRAM, Program};

/// The longest pattern, in bytes.
const MAX_PATTERN_BYTES: usize = 10_000;
/// How deep groups nest.
const MAX_DEPTH: usize = 100;

/// Whether a contract may have this pattern, without keeping the program.
pub fn check(pattern: &str, flags: &str) -> Result<(), String> {
    compile(pattern, flags).map(drop)
}

/// Compiles a pattern, given as the `source` and `flags` of a `RegExp`.
///
/// # Errors
/// A sentence for the contract's author.
pub fn compile(pattern: &str, flags: &str) -> Result<Program, String> {
    if pattern.len() > MAX_PATTERN_BYTES {
        return Err(format!(
            "a pattern has at most {MAX_PATTERN_BYTES} bytes in a contract"
        ));
    }
    // The parser recurses.
    if depth(pattern) > MAX_DEPTH {
        return Err(format!(
            "groups of a pattern nest at most {MAX_DEPTH} deep in a contract"
        ));
    }
    let allocator = Allocator::default();
    let parsed = LiteralParser::new(&allocator, pattern, Some(flags), Options::default())
        .parse()
        .map_err(|error| format!("the pattern is not valid: {}", error.message))?;
    let mut compiler = Compiler {
        program: Program {
            instructions: Vec::new(),
            classes: Vec::new(),
            flags: read_flags(flags)?,
            names: vec![None],
        },
    };
    compiler.emit(Instruction::Save(0))?;
    compiler.disjunction(&parsed.body)?;
    compiler.emit(Instruction::Save(1))?;
    compiler.emit(Instruction::Match)?;
    Ok(compiler.program)
}

fn depth(pattern: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    for byte in pattern.bytes() {
        match byte {
            b'(' | b'[' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b')' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

fn read_flags(text: &str) -> Result<Flags, String> {
    let mut flags = Flags::default();
    for flag in text.chars() {
        match flag {
            'g' => {}
            'i' => flags.ignore_case = true,
            'm' => flags.multiline = true,
            's' => flags.dot_all = true,
            'u' => flags.unicode = true,
            'y' => flags.sticky = true,
            other => {
                return Err(format!(
                    "the flag {other} is not available in a contract's patterns; there are g, i, m, s, u and y"
                ));
            }
        }
    }
    Ok(flags)
}

struct Compiler {
    program: Program,
}

impl Compiler {
    fn here(&self) -> u32 {
        u32::try_from(self.program.instructions.len()).unwrap_or(u32::MAX)
    }

    fn emit(&mut self, instruction: Instruction) -> Result<u32, String> {
        if self.program.instructions.len() >= MAX_PROGRAM {
            return Err(
                "the pattern is too large once its repetitions are written out; make it smaller"
                    .into(),
            );
        }
        let at = self.here();
        self.program.instructions.push(instruction);
        Ok(at)
    }

    fn set(&mut self, at: u32, instruction: Instruction) {
        self.program.instructions[at as usize] = instruction;
    }

    fn class(&mut self, class: Class) -> Result<(), String> {
        if let [(low, high)] = class.ranges()
            && low == high
        {
            self.emit(Instruction::Character(*low))?;
            return Ok(());
        }
        let known = self.program.classes.iter().position(|one| *one == class);
        let index = known.unwrap_or_else(|| {
            self.program.classes.push(class);
            self.program.classes.len() - 1
        });
        self.emit(Instruction::Class(u32::try_from(index).unwrap_or(u32::MAX)))?;
        Ok(())
    }

    fn disjunction(&mut self, it: &Disjunction<'_>) -> Result<(), String> {
        let mut ends = Vec::new();
        let last = it.body.len().saturating_sub(1);
        for (at, alternative) in it.body.iter().enumerate() {
            if at == last {
                self.alternative(alternative)?;
            } else {
                let split = self.emit(Instruction::Jump(0))?;
                self.alternative(alternative)?;
                ends.push(self.emit(Instruction::Jump(0))?);
                self.set(split, Instruction::Split(split + 1, self.here()));
            }
        }
        let end = self.here();
        for jump in ends {
            self.set(jump, Instruction::Jump(end));
        }
        Ok(())
    }

    fn alternative(&mut self, it: &Alternative<'_>) -> Result<(), String> {
        for term in &it.body {
            self.term(term)?;
        }
        Ok(())
    }

    fn term(&mut self, it: &Term<'_>) -> Result<(), String> {
        let flags = self.program.flags;
        match it {
            Term::BoundaryAssertion(assertion) => {
                self.emit(match assertion.kind {
                    BoundaryAssertionKind::Start => Instruction::Start,
                    BoundaryAssertionKind::End => Instruction::End,
                    BoundaryAssertionKind::Boundary => Instruction::Boundary,
                    BoundaryAssertionKind::NegativeBoundary => Instruction::NoBoundary,
                })?;
            }
            Term::LookAroundAssertion(_) => {
                return Err(
                    "look-around is not available in a contract's patterns, which match in linear time; match more and take a group"
                        .into(),
                );
            }
            Term::IndexedReference(_) | Term::NamedReference(_) => {
                return Err(
                    "back-references are not available in a contract's patterns, which match in linear time; compare groups in code"
                        .into(),
                );
            }
            Term::Quantifier(quantifier) => self.quantifier(quantifier)?,
            Term::Character(character) => {
                self.class(Class::new(vec![(character.value, character.value)]).folded(flags))?;
            }
            Term::Dot(_) => {
                let class = if flags.dot_all {
                    Class::default()
                } else {
                    Class::line_ends()
                };
                self.class(class.negated(flags))?;
            }
            Term::CharacterClassEscape(escape) => self.class(escaped(escape.kind, flags))?,
            Term::UnicodePropertyEscape(escape) => {
                let class = property(
                    &escape.name,
                    escape.value.as_deref(),
                    escape.negative,
                    flags,
                )?;
                self.class(class)?;
            }
            Term::CharacterClass(class) => {
                let class = one_of(class, flags)?;
                self.class(class)?;
            }
            Term::CapturingGroup(group) => {
                let index = self.program.names.len();
                if index >= MAX_GROUPS {
                    return Err(format!(
                        "a pattern has at most {} groups in a contract",
                        MAX_GROUPS - 1
                    ));
                }
                let name = group.name.as_ref().map(ToString::to_string);
                if name.is_some() && self.program.names.contains(&name) {
                    return Err("two groups of a pattern have the same name; rename one".into());
                }
                self.program.names.push(name);
                let slot = u32::try_from(index * 2).unwrap_or(u32::MAX);
                self.emit(Instruction::Save(slot))?;
                self.disjunction(&group.body)?;
                self.emit(Instruction::Save(slot + 1))?;
            }
            Term::IgnoreGroup(group) => {
                if group.modifiers.is_some() {
                    return Err(
                        "modifiers of a group are not available in a contract's patterns; use flags"
                            .into(),
                    );
                }
                self.disjunction(&group.body)?;
            }
        }
        Ok(())
    }

    /// The body as often as it must be, then as often as it may be.
    fn quantifier(&mut self, it: &Quantifier<'_>) -> Result<(), String> {
        let groups = self.program.names.len();
        let limit = u64::try_from(MAX_PROGRAM).unwrap_or(u64::MAX);
        let (min, max) = (it.min.min(limit), it.max.map(|max| max.min(limit)));
        let split = |first, second| {
            if it.greedy {
                Instruction::Split(first, second)
            } else {
                Instruction::Split(second, first)
            }
        };
        for _ in 0..min {
            self.round(&it.body, groups)?;
        }
        match max {
            None => {
                let start = self.emit(Instruction::Jump(0))?;
                self.round(&it.body, groups)?;
                self.emit(Instruction::Jump(start))?;
                let end = self.here();
                self.set(start, split(start + 1, end));
            }
            Some(max) => {
                let mut skips = Vec::new();
                for _ in min..max {
                    skips.push(self.emit(Instruction::Jump(0))?);
                    self.round(&it.body, groups)?;
                }
                let end = self.here();
                for skip in skips {
                    self.set(skip, split(skip + 1, end));
                }
                if min == 0 && max == 0 {
                    // Its groups exist all the same.
                    let skip = self.emit(Instruction::Jump(0))?;
                    self.round(&it.body, groups)?;
                    self.set(skip, Instruction::Jump(self.here()));
                }
            }
        }
        Ok(())
    }

    /// The body once more: the same groups, empty again.
    fn round(&mut self, body: &Term<'_>, groups: usize) -> Result<(), String> {
        let names = self.program.names.split_off(groups);
        let clear = self.emit(Instruction::Jump(0))?;
        self.term(body)?;
        let number = |index: usize| u32::try_from(index * 2).unwrap_or(u32::MAX);
        let made = self.program.names.len();
        debug_assert!(names.is_empty() || names.len() == made - groups);
        self.set(
            clear,
            if made == groups {
                Instruction::Jump(clear + 1)
            } else {
                Instruction::Clear(number(groups), number(made))
            },
        );
        Ok(())
    }
}

fn escaped(kind: CharacterClassEscapeKind, flags: Flags) -> Class {
    match kind {
        CharacterClassEscapeKind::D => Class::digits(),
        CharacterClassEscapeKind::NegativeD => Class::digits().negated(flags),
        CharacterClassEscapeKind::S => Class::spaces(),
        CharacterClassEscapeKind::NegativeS => Class::spaces().negated(flags),
        CharacterClassEscapeKind::W => Class::words(flags),
        CharacterClassEscapeKind::NegativeW => Class::words(flags).negated(flags),
    }
}

fn property(
    name: &str,
    value: Option<&str>,
    negative: bool,
    flags: Flags,
) -> Result<Class, String> {
    let class = Class::property(name, value)
        .ok_or_else(|| format!("the property {name} is not available in a contract's patterns"))?
        .folded(flags);
    Ok(if negative {
        class.negated(flags)
    } else {
        class
    })
}

fn one_of(it: &CharacterClass<'_>, flags: Flags) -> Result<Class, String> {
    if it.kind != CharacterClassContentsKind::Union {
        return Err("sets of classes are not available in a contract's patterns".into());
    }
    let mut ranges = Vec::new();
    for content in &it.body {
        let class = match content {
            CharacterClassContents::CharacterClassRange(range) => {
                Class::new(vec![(range.min.value, range.max.value)])
            }
            CharacterClassContents::CharacterClassEscape(escape) => escaped(escape.kind, flags),
            CharacterClassContents::UnicodePropertyEscape(escape) => property(
                &escape.name,
                escape.value.as_deref(),
                escape.negative,
                flags,
            )?,
            CharacterClassContents::Character(character) => {
                Class::new(vec![(character.value, character.value)])
            }
            CharacterClassContents::NestedCharacterClass(_)
            | CharacterClassContents::ClassStringDisjunction(_) => {
                return Err("sets of classes are not available in a contract's patterns".into());
            }
        };
        ranges.extend_from_slice(class.ranges());
    }
    let class = Class::new(ranges).folded(flags);
    Ok(if it.negative {
        class.negated(flags)
    } else {
        class
    })
}
