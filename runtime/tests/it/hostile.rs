//! Contracts that mean harm: each ends with the right error, soon, and the workers go on. They lie beside, by topic.

mod collections;
mod escapes;
mod files;
mod loops;
mod patterns;
mod recursion;
mod texts;

use std::time::Duration;

use serde_json::json;
use tana_sandbox::message::{ErrorCode, Invocation, Limits};

use crate::worker::{Chain, pool};

/// What `contract()` does, or a whole file, and how it may end.
type Bodies = &'static [(&'static str, &'static [ErrorCode])];

/// The most processor time that one may take.
const PATIENCE: Duration = Duration::from_secs(6);

#[tokio::test]
async fn every_hostile_contract_ends_with_the_right_error_and_the_workers_go_on() {
    let pool = pool(2).await;
    let limits = Limits {
        // Enough to run for a while, little enough to end by gas before it ends by time on either engine.
        gas: 5_000_000,
        cpu_ms: 5_000,
        wall_ms: 60_000,
        ..Limits::default()
    };
    let bodies = [
        loops::BODIES,
        recursion::BODIES,
        texts::BODIES,
        collections::BODIES,
        patterns::BODIES,
        escapes::BODIES,
    ];
    let count = bodies.iter().map(|bodies| bodies.len()).sum::<usize>() + files::FILES.len();
    assert!(count >= 80, "{count}");
    let bodies = bodies.into_iter().flatten().map(|(body, codes)| {
        let head = "import { console } from 'tana/core'; import { block } from 'tana/block'; console; block;\n";
        (*body, format!("{head}export async function contract(): Promise<any> {{\n{body}\n}}"), *codes)
    });
    let files = files::FILES
        .iter()
        .map(|(file, codes)| (*file, (*file).to_owned(), *codes));
    let mut wrong = Vec::new();
    for (name, source, codes) in bodies.chain(files) {
        let mut invocation = Invocation::new("contract.ts", source);
        invocation.limits = limits;
        let outcome = pool.run(invocation, &Chain::default()).await.unwrap();
        // Of processor time: how long that takes is the machine's affair.
        let took = Duration::from_micros(outcome.usage.cpu_us);
        let code = outcome.error.as_ref().map(|failure| failure.code);
        if !code.is_some_and(|code| codes.contains(&code))
            || took > PATIENCE
            || !outcome.changes.is_empty()
        {
            wrong.push(format!(
                "{name}\n    ended {:?} after {took:?}, expected {codes:?}",
                outcome.error
            ));
        }
        let next = pool
            .run(
                Invocation::new(
                    "contract.ts",
                    "export const contract = () => [1, 2].map((x) => x * 2)",
                ),
                &Chain::default(),
            )
            .await
            .unwrap();
        assert_eq!(next.result, json!([2, 4]), "after {name}: {next:?}");
    }
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        count,
        wrong.join("\n")
    );
}

#[tokio::test]
async fn sources_that_are_too_large_or_too_deep_are_refused() {
    let pool = pool(1).await;
    for (source, code) in [
        ("a;".repeat(5_000_000 / 2), ErrorCode::SourceTooLarge),
        (
            format!("{}1{}", "(".repeat(50_000), ")".repeat(50_000)),
            ErrorCode::TooDeep,
        ),
        (format!("{}1", "!".repeat(200_000)), ErrorCode::TooDeep),
        (format!("1{}", "+1".repeat(100_000)), ErrorCode::TooDeep),
        (
            format!("{}{}", "[".repeat(100_000), "]".repeat(100_000)),
            ErrorCode::TooDeep,
        ),
        (format!("{}1", "a=>".repeat(60_000)), ErrorCode::TooDeep),
        (format!("{}1", "a?b:".repeat(60_000)), ErrorCode::TooDeep),
        (format!("{};", "if(1)".repeat(50_000)), ErrorCode::TooDeep),
        (
            format!(
                "let a: {}string{};",
                "Array<".repeat(20_000),
                ">".repeat(20_000)
            ),
            ErrorCode::TooDeep,
        ),
    ] {
        let outcome = pool
            .run(
                Invocation::new("contract.ts", source.as_str()),
                &Chain::default(),
            )
            .await
            .unwrap();
        assert_eq!(
            outcome.error.as_ref().map(|failure| failure.code),
            Some(code),
            "{source:.20}: {outcome:?}",
        );
    }
}
