//! Every seed, and some thousands of inputs made from the seeds: the same in every run.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng, SeedableRng as _};
use tana_fuzz::{Target, target};

/// Inputs that are made of the seeds, for each target.
const MADE: u32 = 4000;
/// Made of the contracts among them only so many: each is parsed four times.
const MADE_OF_SOURCES: u32 = 400;

fn seeds(target: &Target) -> Vec<(String, Vec<u8>)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("seeds")
        .join(target.name);
    let mut seeds: Vec<_> = fs::read_dir(&directory)
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            (name, fs::read(entry.path()).unwrap())
        })
        .collect();
    seeds.sort();
    assert!(seeds.len() >= 5, "{} has too few seeds", target.name);
    seeds
}

/// What stands where a number, a text or a boundary stands, and is rarely thought of.
const TOKENS: [&str; 24] = [
    "0",
    "-0",
    "-1",
    "1e400",
    "1e21",
    "0.1",
    "4294967295",
    "9007199254740993",
    "18446744073709551615",
    "18446744073709551616",
    "340282366920938463463374607431768211456",
    "null",
    "[]",
    "{}",
    "\"\"",
    "\\u0000",
    "\\ud800",
    "\u{661}",
    "\u{1f600}",
    "\0",
    "\u{feff}",
    ".",
    "-",
    "((((((((((((((((",
];

fn mutated(seeds: &[(String, Vec<u8>)], random: &mut StdRng) -> Vec<u8> {
    let mut input = seeds.choose(random).unwrap().1.clone();
    for _ in 0..random.random_range(1..=4) {
        let at = random.random_range(0..=input.len());
        let end = random.random_range(at..=input.len().min(at + 32));
        match random.random_range(0..6) {
            0 if at < input.len() => input[at] ^= 1 << random.random_range(0..8),
            1 if at < input.len() => input[at] = random.random(),
            2 => drop(input.drain(at..end)),
            3 => {
                let part = input[at..end].to_vec();
                for _ in 0..random.random_range(1..=8) {
                    input.splice(at..at, part.iter().copied());
                }
            }
            4 => {
                let token = TOKENS.choose(random).unwrap();
                input.splice(at..end, token.bytes());
            }
            _ => {
                let other = &seeds.choose(random).unwrap().1;
                let from = random.random_range(0..=other.len());
                let to = random.random_range(from..=other.len());
                input.splice(at..end, other[from..to].iter().copied());
            }
        }
        input.truncate(16 << 10);
    }
    input
}

fn holds(name: &str) {
    let target = target(name).unwrap();
    let seeds = seeds(target);
    for (seed, input) in &seeds {
        let ran = catch_unwind(AssertUnwindSafe(|| (target.run)(input)));
        assert!(ran.is_ok(), "{name}: the seed {seed}");
    }
    let mut random = StdRng::seed_from_u64(3);
    let count = if name == "contract" {
        MADE_OF_SOURCES
    } else {
        MADE
    };
    for number in 0..count {
        let input = mutated(&seeds, &mut random);
        let ran = catch_unwind(AssertUnwindSafe(|| (target.run)(&input)));
        assert!(
            ran.is_ok(),
            "{name}: input {number} of {count}, which belongs among the seeds once it is mended:\n{}",
            input.escape_ascii()
        );
    }
}

#[test]
fn transactions_of_strangers_are_read_and_executed_without_a_panic() {
    holds("transaction");
}

#[test]
fn amounts_are_exact_or_refused() {
    holds("amount");
}

#[test]
fn blocks_and_proofs_of_strangers_are_read_without_a_panic() {
    holds("block");
}

#[test]
fn bodies_of_nodes_phones_sites_and_workers_are_read_without_a_panic() {
    holds("requests");
}

#[test]
fn headers_queries_and_paths_are_read_without_a_panic() {
    holds("headers");
}

#[test]
fn patterns_and_sources_of_contracts_are_compiled_or_refused() {
    holds("contract");
}

#[test]
fn a_stream_of_events_reads_the_same_however_it_is_cut() {
    holds("events");
}

#[test]
fn every_target_has_a_test_here() {
    let source = include_str!("main.rs");
    for target in &tana_fuzz::TARGETS {
        let called = format!("holds(\"{}\")", target.name);
        assert!(source.contains(&called), "{} is not run", target.name);
    }
}
