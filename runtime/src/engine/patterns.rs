//! The regular expressions of one execution, and searches with them on behalf of a script.

use std::collections::HashMap;
use std::rc::Rc;

use crate::regexp::{self, Budget, Machine, Program};

/// Instructions that the patterns of one execution may have in all.
const MAX_INSTRUCTIONS: usize = 200_000;
/// Steps of a search that one gas pays for; `js/regexp.js` counts alike.
const STEPS_PER_GAS: u64 = 4;

#[derive(Default)]
pub(super) struct Patterns {
    programs: Vec<Rc<Program>>,
    known: HashMap<(String, String), usize>,
    instructions: usize,
}

impl Patterns {
    /// The program of a pattern and its number; the same pattern is compiled once.
    pub(super) fn compile(
        &mut self,
        source: &str,
        flags: &str,
    ) -> Result<(usize, &Program), String> {
        let key = (source.to_owned(), flags.to_owned());
        let id = match self.known.get(&key) {
            Some(id) => *id,
            None => {
                let program = regexp::compile(source, flags)?;
                self.instructions += program.size();
                if self.instructions > MAX_INSTRUCTIONS {
                    return Err("the patterns of a contract are too large in all; use fewer".into());
                }
                self.programs.push(Rc::new(program));
                self.known.insert(key, self.programs.len() - 1);
                self.programs.len() - 1
            }
        };
        Ok((id, &self.programs[id]))
    }

    pub(super) fn get(&self, id: u32) -> Option<Rc<Program>> {
        self.programs.get(id as usize).cloned()
    }
}

/// Searches from `start` on, up to `most` times, and writes steps and places to `out`.
pub(super) fn find(
    program: &Program,
    text: &str,
    (start, most): (u32, u32),
    gas: u32,
    stopped: &dyn Fn() -> bool,
    out: &mut [u32],
) -> u32 {
    let units: Vec<u16> = text.encode_utf16().collect();
    let limit = u64::from(gas) * STEPS_PER_GAS;
    let mut budget = Budget {
        steps: limit,
        stopped,
    };
    let mut machine = Machine::new(program);
    let mut at = start as usize;
    let mut count = 0;
    let mut written = 1;
    while count < most && at <= units.len() {
        let places = match machine.find(&units, at, &mut budget) {
            Ok(Some(places)) => places,
            Ok(None) => break,
            Err(regexp::Exhausted) => return u32::MAX,
        };
        let Some(room) = out.get_mut(written..written + places.len()) else {
            break;
        };
        room.copy_from_slice(&places);
        written += places.len();
        count += 1;
        let (from, to) = (places[0] as usize, places[1] as usize);
        at = if from == to {
            program.after(&units, to)
        } else {
            to
        };
    }
    if let Some(steps) = out.first_mut() {
        *steps = u32::try_from(limit - budget.steps).unwrap_or(u32::MAX);
    }
    count
}
