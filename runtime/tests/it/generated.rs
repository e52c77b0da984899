//! Two thousand generated programs: what each does and costs is the same on every run and on every engine, because the
//! expected outcomes are those of a file that one engine wrote.

use serde_json::json;
use sha2::{Digest, Sha256};
use tana_sandbox::message::Invocation;

use crate::generator::program;
use crate::harness::repository;
use crate::worker::{Chain, pool};

const PROGRAMS: u64 = 2_000;
const RUNS: usize = 3;

/// Everything of an outcome that a block would hold, and the code of its error: its words may be the engine's.
async fn fingerprint(pool: &tana_sandbox::pool::Pool, number: u64) -> String {
    let mut invocation = Invocation::new("contract.ts", program(number));
    invocation.block.timestamp = 1_735_689_600_000;
    invocation.transaction_id = Some(format!("tx_{number}"));
    invocation.limits.gas = 2_000_000;
    invocation.limits.cpu_ms = 60_000;
    invocation.limits.wall_ms = 60_000;
    let outcome = pool.run(invocation, &Chain::default()).await.unwrap();
    let code = outcome.error.as_ref().map(|error| error.code);
    let seen = json!([
        outcome.result,
        outcome.gas_used,
        code,
        outcome.changes,
        outcome.logs
    ]);
    let hash = Sha256::digest(seen.to_string());
    hash.iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[tokio::test]
async fn generated_programs_do_and_cost_what_the_file_says() {
    let expected =
        std::fs::read_to_string(repository("runtime/tests/corpus/generated.txt")).unwrap();
    let pool = pool(2).await;
    let mut found = Vec::new();
    for number in (0..PROGRAMS).step_by(2) {
        let (one, other) = tokio::join!(fingerprint(&pool, number), fingerprint(&pool, number + 1));
        for _ in 1..RUNS {
            let again = tokio::join!(fingerprint(&pool, number), fingerprint(&pool, number + 1));
            assert_eq!(
                (&one, &other),
                (&again.0, &again.1),
                "{number} and the next"
            );
        }
        found.extend([one, other]);
    }
    // For whoever changes the schedule on purpose.
    let written = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("generated.txt");
    std::fs::write(&written, found.join("\n") + "\n").unwrap();
    let wrong: Vec<_> = expected
        .lines()
        .zip(&found)
        .enumerate()
        .filter(|(_, (expected, found))| expected != found)
        .map(|(number, _)| number)
        .collect();
    assert_eq!(expected.lines().count(), found.len());
    assert!(
        wrong.is_empty(),
        "{} programs differ, of which {:?}; what was found is in {}; the first:\n{}",
        wrong.len(),
        &wrong[..wrong.len().min(20)],
        written.display(),
        program(wrong[0] as u64)
    );
}
