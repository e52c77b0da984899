//! The same everywhere: on each run, and on each engine, because the expected results and gas are those of a file.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tana_sandbox::message::Invocation;

use crate::harness::{Case, repository};
use crate::worker::{Chain, pool};

#[test]
fn nothing_of_the_machine_is_there() {
    let names = "['performance', 'setTimeout', 'setInterval', 'Intl', 'WeakRef', 'FinalizationRegistry', 'SharedArrayBuffer', 'Atomics', 'WebAssembly', \
        'eval', 'Proxy', 'Deno', 'queueMicrotask', 'console', 'process', 'fetch', 'crypto', 'escape', '__bootstrap', '__tana']";
    let ran = Case::body(&format!(
        "return {names}.filter((name) => name in globalThis)"
    ))
    .run();
    assert_eq!(ran.result(), &json!([]));
    let ran = Case::body(
        "return [new Error('x').stack ?? null, (Error as any).captureStackTrace ?? null]",
    )
    .run();
    assert_eq!(ran.result(), &json!([null, null]));
}

#[test]
fn time_is_the_block_s() {
    let context = json!({"block": {"timestamp": 1_735_689_600_123_u64}});
    let ran = Case::body(
        "return [Date.now(), new Date().toISOString(), new Date().getHours(), new Date(0).getTimezoneOffset(), String(new Date()), new Date().toLocaleString(), \
         Date(), new Date('2024-02-30').getTime(), new Date('Jan 1 2024').getTime(), new Date(2024, 0, 1).getTime(), new Date('2024-01-01T12:00:00+02:00').toISOString(), \
         new Date(new Date(5)).getTime()]",
    )
    .context(&context)
    .run();
    assert_eq!(
        ran.result(),
        &json!([
            1_735_689_600_123_u64,
            "2025-01-01T00:00:00.123Z",
            0,
            0,
            "Wed Jan 01 2025 00:00:00 GMT+0000 (Coordinated Universal Time)",
            "1/1/2025, 12:00:00 AM",
            "Wed Jan 01 2025 00:00:00 GMT+0000 (Coordinated Universal Time)",
            1_709_251_200_000_u64,
            null,
            1_704_067_200_000_u64,
            "2024-01-01T10:00:00.000Z",
            5
        ])
    );
}

#[test]
fn numbers_and_texts_have_one_form() {
    let ran = Case::body(
        "return [(1234567.891).toLocaleString(), (-1234.5).toLocaleString(), (0).toLocaleString(), 12345n.toLocaleString(), 'a'.localeCompare('B'), \
         ['b', 'a', 'C'].sort((x, y) => x.localeCompare(y)), (1e21).toLocaleString()]",
    )
    .run();
    assert_eq!(
        ran.result(),
        &json!([
            "1,234,567.891",
            "-1,234.5",
            "0",
            "12,345",
            1,
            ["C", "a", "b"],
            "1e+21"
        ])
    );
}

#[tokio::test]
async fn what_is_drawn_depends_on_the_transaction_alone() {
    let pool = pool(1).await;
    let draw = async |id: &str| {
        let mut invocation = Invocation::new(
            "c.ts",
            "export const contract = () => [Math.random(), Math.random()]",
        );
        invocation.transaction_id = Some(id.to_owned());
        pool.run(invocation, &Chain::default())
            .await
            .unwrap()
            .result
    };
    let (a, again, b) = (draw("tx_a").await, draw("tx_a").await, draw("tx_b").await);
    assert_eq!(a, again);
    assert_ne!(a, b);
    assert_ne!(a[0], a[1]);
}

/// The programs of `corpus/honest.txt`: a line `=== name`, then the body of `contract()`.
fn programs() -> Vec<(String, String)> {
    let text = std::fs::read_to_string(repository("runtime/tests/corpus/honest.txt")).unwrap();
    text.split("\n=== ")
        .skip(1)
        .map(|part| {
            let (name, body) = part.split_once('\n').unwrap();
            (
                name.trim().to_owned(),
                format!("export async function contract(): Promise<any> {{\n{body}}}\n"),
            )
        })
        .collect()
}

#[tokio::test]
async fn results_and_gas_are_those_of_the_file_on_every_run() {
    let expected: BTreeMap<String, Value> = serde_json::from_slice(
        &std::fs::read(repository("runtime/tests/corpus/honest.json")).unwrap(),
    )
    .unwrap();
    let programs = programs();
    assert_eq!(programs.len(), expected.len());
    let pool = pool(2).await;
    let mut wrong = Vec::new();
    let mut lines = BTreeMap::new();
    for _ in 0..3 {
        for (name, source) in &programs {
            let mut invocation = Invocation::new("contract.ts", source.as_str());
            invocation.block.timestamp = 1_735_689_600_000;
            invocation.transaction_id = Some("tx_1".to_owned());
            let outcome = pool.run(invocation, &Chain::default()).await.unwrap();
            let found = json!({"result": outcome.result, "gas": outcome.gas_used, "error": outcome.error.as_ref().map(|e| &e.message)});
            lines.insert(name, format!("{}: {found}", json!(name)));
            if expected.get(name) != Some(&found) {
                wrong.push(format!(
                    "{name}: {found}\n  expected {}",
                    expected.get(name).unwrap_or(&Value::Null)
                ));
            }
        }
    }
    // For whoever changes the schedule on purpose.
    let written = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("honest.json");
    let lines: Vec<_> = programs
        .iter()
        .filter_map(|(name, _)| lines.remove(name))
        .collect();
    std::fs::write(&written, format!("{{\n{}\n}}\n", lines.join(",\n"))).unwrap();
    assert!(
        wrong.is_empty(),
        "what was found is in {}\n{}",
        written.display(),
        wrong.join("\n")
    );
}
