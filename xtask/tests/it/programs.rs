//! Generated programs do and cost the same in `tana run`, in a block, and in the replay of the chain. Some in the test
//! command; all of them with `cargo xtask soak`.

#[path = "../../../runtime/tests/it/generator.rs"]
mod generator;

use std::collections::BTreeMap;
use std::fs;

use serde_json::{Value, json};

use crate::node::Node;
use crate::wait::{LONG, until};
use crate::{binary, http};

/// The gas of a call before its code runs, and what is left for that.
const BASE: u64 = 10_000;
const FOR_THE_CODE: &str = "9990000";

/// A program that was called.
struct Called {
    number: u64,
    file: String,
    contract: String,
    transaction: String,
}

#[test]
fn generated_programs_agree_in_run_ledger_and_replay() {
    let programs: u64 =
        binary::setting("TANA_TEST_PROGRAMS").map_or(60, |count| count.parse().unwrap());
    let node = Node::running();
    let ledger = node.port("ledger");
    let deployed: Vec<_> = (0..programs)
        .map(|number| {
            let file = node.file(&format!("program-{number}.ts"));
            fs::write(&file, generator::program(number)).unwrap();
            let file = file.to_str().unwrap().to_owned();
            let deployed = node.json(&["deploy", "contract", &file]);
            (number, file, text(&deployed["contractId"]))
        })
        .collect();
    // One sender's transactions are executed in their order: the last is in a block when all are.
    settle(&node);
    let called: Vec<_> = deployed
        .into_iter()
        .map(|(number, file, contract)| {
            let call = node.json(&["contract", "call", &contract]);
            Called {
                number,
                file,
                contract,
                transaction: text(&call["id"]),
            }
        })
        .collect();
    settle(&node);
    let mut blocks = BTreeMap::new();
    for call in &called {
        let transaction = http::get(ledger, &format!("/transactions/{}", call.transaction)).json;
        let height = transaction["blockHeight"].as_u64().expect("a block");
        let block = blocks
            .entry(height)
            .or_insert_with(|| http::get(ledger, &format!("/blocks/{height}")).json);
        agree(&node, call, &transaction["receipt"], block);
    }
    println!(
        "{} programs in {} blocks agree with tana run",
        called.len(),
        blocks.len()
    );
    let verified = node.json(&["verify", "--all"]);
    assert_eq!(verified["valid"], true, "{verified}");
}

/// One program's receipt and what it stored, against a run with the same block around it.
fn agree(node: &Node, call: &Called, receipt: &Value, block: &Value) {
    let changes = block["stateChanges"].as_array().unwrap();
    // In milliseconds it is what the caller was last changed at.
    let time = changes
        .iter()
        .map(|change| &change["after"]["updatedAt"])
        .find(|time| time.is_u64())
        .unwrap();
    let context = node.file("context.json");
    let around = json!({
        "block": { "height": block["height"], "timestamp": time },
        "transactionId": call.transaction,
    });
    fs::write(&context, around.to_string()).unwrap();
    let mut command = binary::command("tana-runtime", node.home());
    command
        .args(["run", "--json", "--gas-limit", FOR_THE_CODE, "--context"])
        .args([context.to_str().unwrap(), &call.file]);
    // How long a run may take is measured in time, and a busy machine has little: then it is run again.
    let (run, _) = until("a run that had the time it needs", LONG, || {
        let run = binary::Ran::of(&mut command).json();
        if run["error"]["code"] == "timed-out" {
            Err(run.to_string())
        } else {
            Ok(run)
        }
    });
    let number = call.number;
    same(&number.to_string(), &run, receipt);
    let stored: BTreeMap<String, Value> = run["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| (text(&change["key"]), change["value"].clone()))
        .collect();
    let path = format!("/contracts/{}/data", call.contract);
    let found = http::get(node.port("ledger"), &path).json;
    assert_eq!(json!(stored), found, "{number}");
}

/// What a run and a receipt must have in common.
pub(crate) fn same(name: &str, run: &Value, receipt: &Value) {
    assert_eq!(
        run["gasUsed"].as_u64(),
        receipt["gasUsed"].as_u64().map(|gas| gas - BASE),
        "{name}: {run}\n{receipt}"
    );
    assert_eq!(
        run["success"],
        receipt["code"] == "ok",
        "{name}: {run}\n{receipt}"
    );
    assert_eq!(run["result"], receipt["result"], "{name}");
    let lines: Vec<_> = run["logs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| line["text"].clone())
        .collect();
    let logs = receipt["logs"].as_array().cloned().unwrap_or_default();
    assert_eq!(lines, logs, "{name}");
}

fn settle(node: &Node) {
    until("the queue to be empty", 10 * LONG, || {
        let queue = http::get(node.port("ledger"), "/queue").json;
        if queue["length"] == 0 {
            Ok(())
        } else {
            Err(queue.to_string())
        }
    });
}

fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("no text: {value}"))
        .to_owned()
}
