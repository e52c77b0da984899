//! Runs a program over a text: all ways at once, in the order in which backtracking would try them.

use super::{Flags, Instruction, Program};

/// A group that has not matched.
pub const NOWHERE: u32 = u32::MAX;
/// How often the stop signal is looked at, in steps.
const LOOK_EVERY: u64 = 1 << 16;

/// How many steps there may be.
pub struct Budget<'b> {
    /// Steps that are left; what was taken is what the search cost.
    pub steps: u64,
    /// Says that the execution is over for another reason.
    pub stopped: &'b dyn Fn() -> bool,
}

/// The steps are used up, or the execution is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exhausted;

/// A program with the room that it needs to run.
pub struct Machine<'p> {
    program: &'p Program,
    now: Threads,
    next: Threads,
    /// What is still to be followed at one place of the text.
    stack: Vec<Task>,
    slots: usize,
}

/// Threads at one place of the text, the preferred first, with the groups of each.
struct Threads {
    /// For each instruction, in which round it was last visited.
    visited: Vec<u32>,
    round: u32,
    list: Vec<u32>,
    groups: Vec<u32>,
}

enum Task {
    Follow(u32),
    Restore(u32, u32),
}

impl Threads {
    fn new(size: usize) -> Self {
        Self {
            visited: vec![0; size],
            round: 0,
            list: Vec::new(),
            groups: Vec::new(),
        }
    }

    fn clear(&mut self) {
        self.list.clear();
        self.groups.clear();
        self.round += 1;
        if self.round == u32::MAX {
            self.visited.fill(0);
            self.round = 1;
        }
    }
}

impl<'p> Machine<'p> {
    pub fn new(program: &'p Program) -> Self {
        let size = program.instructions.len();
        Self {
            program,
            now: Threads::new(size),
            next: Threads::new(size),
            stack: Vec::new(),
            slots: program.names.len() * 2,
        }
    }

    /// The first match at or after a place: begin and end of each group.
    pub fn find(
        &mut self,
        text: &[u16],
        start: usize,
        budget: &mut Budget<'_>,
    ) -> Result<Option<Vec<u32>>, Exhausted> {
        let flags = self.program.flags;
        let mut found: Option<Vec<u32>> = None;
        let mut scratch = vec![NOWHERE; self.slots];
        self.now.clear();
        let mut at = start;
        loop {
            if self.now.list.is_empty() {
                if found.is_some() || flags.sticky && at != start {
                    break;
                }
                at = self.skip(text, at, budget)?;
            }
            if found.is_none() && (at == start || !flags.sticky) {
                scratch.fill(NOWHERE);
                add(
                    self.program,
                    &mut self.now,
                    &mut self.stack,
                    &mut scratch,
                    0,
                    text,
                    at,
                    budget,
                )?;
            }
            if self.now.list.is_empty() && at >= text.len() {
                break;
            }
            let (c, width) = read(text, at, flags);
            self.next.clear();
            for index in 0..self.now.list.len() {
                let pc = self.now.list[index];
                let groups = index * self.slots..(index + 1) * self.slots;
                let matches = match self.program.instructions[pc as usize] {
                    Instruction::Character(wanted) => c == Some(wanted),
                    Instruction::Class(class) => {
                        c.is_some_and(|c| self.program.classes[class as usize].has(c))
                    }
                    Instruction::Match => {
                        found = Some(self.now.groups[groups].to_vec());
                        // What is less preferred than a match is given up.
                        break;
                    }
                    _ => false,
                };
                if matches {
                    scratch.copy_from_slice(&self.now.groups[groups]);
                    add(
                        self.program,
                        &mut self.next,
                        &mut self.stack,
                        &mut scratch,
                        pc + 1,
                        text,
                        at + width,
                        budget,
                    )?;
                }
            }
            std::mem::swap(&mut self.now, &mut self.next);
            if at >= text.len() {
                break;
            }
            at += width;
        }
        Ok(found)
    }

    /// Goes to the next place where the first character of the pattern is, where there is only one.
    fn skip(&self, text: &[u16], at: usize, budget: &mut Budget<'_>) -> Result<usize, Exhausted> {
        let flags = self.program.flags;
        if flags.sticky {
            return Ok(at);
        }
        let Some(Instruction::Character(first)) = self.program.instructions.get(1) else {
            return Ok(at);
        };
        let Ok(first) = u16::try_from(*first) else {
            return Ok(at);
        };
        let passed = text[at..]
            .iter()
            .position(|unit| *unit == first)
            .unwrap_or(text.len() - at);
        budget.take(passed as u64 / 16)?;
        Ok(at + passed)
    }
}

impl Budget<'_> {
    fn take(&mut self, steps: u64) -> Result<(), Exhausted> {
        let before = self.steps;
        self.steps = self.steps.checked_sub(steps).ok_or(Exhausted)?;
        if before / LOOK_EVERY != self.steps / LOOK_EVERY && (self.stopped)() {
            return Err(Exhausted);
        }
        Ok(())
    }
}

/// Follows everything that consumes nothing from `pc` on and adds what waits for a character.
#[allow(
    clippy::too_many_arguments,
    reason = "the parts of a machine, borrowed apart"
)]
fn add(
    program: &Program,
    threads: &mut Threads,
    stack: &mut Vec<Task>,
    groups: &mut [u32],
    pc: u32,
    text: &[u16],
    at: usize,
    budget: &mut Budget<'_>,
) -> Result<(), Exhausted> {
    let place = u32::try_from(at).unwrap_or(NOWHERE - 1);
    stack.clear();
    stack.push(Task::Follow(pc));
    while let Some(task) = stack.pop() {
        let mut pc = match task {
            Task::Follow(pc) => pc,
            Task::Restore(slot, value) => {
                groups[slot as usize] = value;
                continue;
            }
        };
        loop {
            budget.take(1)?;
            let visited = &mut threads.visited[pc as usize];
            if *visited == threads.round {
                break;
            }
            *visited = threads.round;
            match program.instructions[pc as usize] {
                Instruction::Jump(to) => pc = to,
                Instruction::Split(first, second) => {
                    stack.push(Task::Follow(second));
                    pc = first;
                }
                Instruction::Save(slot) => {
                    stack.push(Task::Restore(slot, groups[slot as usize]));
                    groups[slot as usize] = place;
                    pc += 1;
                }
                Instruction::Clear(from, to) => {
                    for slot in from..to {
                        stack.push(Task::Restore(slot, groups[slot as usize]));
                        groups[slot as usize] = NOWHERE;
                    }
                    budget.take(u64::from(to - from))?;
                    pc += 1;
                }
                Instruction::Start if starts(program.flags, text, at) => pc += 1,
                Instruction::End if ends(program.flags, text, at) => pc += 1,
                Instruction::Boundary if boundary(program.flags, text, at) => pc += 1,
                Instruction::NoBoundary if !boundary(program.flags, text, at) => pc += 1,
                Instruction::Start
                | Instruction::End
                | Instruction::Boundary
                | Instruction::NoBoundary => break,
                Instruction::Character(_) | Instruction::Class(_) | Instruction::Match => {
                    budget.take(groups.len() as u64 / 4)?;
                    threads.list.push(pc);
                    threads.groups.extend_from_slice(groups);
                    break;
                }
            }
        }
    }
    Ok(())
}

/// The character at a place and how many units it takes.
fn read(text: &[u16], at: usize, flags: Flags) -> (Option<u32>, usize) {
    let Some(&unit) = text.get(at) else {
        return (None, 1);
    };
    if flags.unicode
        && (0xd800..0xdc00).contains(&unit)
        && let Some(&low) = text.get(at + 1)
        && (0xdc00..0xe000).contains(&low)
    {
        let c = 0x1_0000 + ((u32::from(unit) - 0xd800) << 10) + (u32::from(low) - 0xdc00);
        return (Some(c), 2);
    }
    (Some(u32::from(unit)), 1)
}

fn is_line_end(unit: u16) -> bool {
    matches!(unit, 0x0a | 0x0d | 0x2028 | 0x2029)
}

fn starts(flags: Flags, text: &[u16], at: usize) -> bool {
    at == 0 || flags.multiline && is_line_end(text[at - 1])
}

fn ends(flags: Flags, text: &[u16], at: usize) -> bool {
    at >= text.len() || flags.multiline && is_line_end(text[at])
}

fn boundary(flags: Flags, text: &[u16], at: usize) -> bool {
    let is_word = |unit: Option<&u16>| {
        unit.is_some_and(|unit| match *unit {
            0x30..=0x39 | 0x41..=0x5a | 0x5f | 0x61..=0x7a => true,
            0x17f | 0x212a => flags.unicode && flags.ignore_case,
            _ => false,
        })
    };
    is_word(at.checked_sub(1).and_then(|before| text.get(before))) != is_word(text.get(at))
}
