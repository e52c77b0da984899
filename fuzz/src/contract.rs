//! What authors and callers of contracts send: patterns with the texts they search, and TypeScript.

use std::cell::Cell;

use tana_runtime::compile::compile;
use tana_runtime::regexp::{self, Budget, Machine};
use tana_sandbox::message::ErrorCode;

pub(crate) fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    match text.strip_prefix('/') {
        Some(pattern) => search(pattern),
        None => source(text),
    }
}

/// `/flags/pattern` and, on the next line, the text.
fn search(text: &str) {
    let Some((flags, rest)) = text.split_once('/') else {
        return;
    };
    let (pattern, text) = rest.split_once('\n').unwrap_or((rest, "aab\u{1f600}"));
    let Ok(program) = regexp::compile(pattern, flags) else {
        return;
    };
    let units: Vec<u16> = text.encode_utf16().collect();
    let looked = Cell::new(0_u32);
    let mut budget = Budget {
        steps: 1 << 20,
        stopped: &|| {
            looked.set(looked.get() + 1);
            false
        },
    };
    let mut machine = Machine::new(&program);
    let mut at = 0;
    for _ in 0..64 {
        if at > units.len() {
            break;
        }
        let Ok(Some(places)) = machine.find(&units, at, &mut budget) else {
            break;
        };
        let (from, to) = (places[0] as usize, places[1] as usize);
        assert!(
            at <= from && from <= to && to <= units.len(),
            "{pattern:?} with {flags:?} finds {from}..{to} from {at} on in {text:?}"
        );
        for group in places[2..].chunks_exact(2) {
            let none = group[0] == regexp::NOWHERE || group[1] == regexp::NOWHERE;
            assert!(
                none || group[0] <= group[1],
                "{pattern:?} in {text:?}: {places:?}"
            );
        }
        at = if from == to {
            program.after(&units, to)
        } else {
            to
        };
    }
    assert!(budget.steps <= 1 << 20);
}

fn source(text: &str) {
    match compile("contract.ts", text) {
        Ok(compiled) => {
            let again = compile("contract.ts", text).expect("what compiled once");
            assert_eq!(
                again.code, compiled.code,
                "the same source, another program"
            );
        }
        Err(failure) => assert!(
            failure.code != ErrorCode::Internal,
            "the compiler failed: {failure:?}\n{text}"
        ),
    }
}
