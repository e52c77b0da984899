//! Contracts on the chain: deployed, called, served, replaced; and what happens to their workers.

mod corpus;

use std::fs;
use std::path::{Path, PathBuf};

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::binary::{self, Ran};
use crate::node::Node;
use crate::wait::{LONG, until};
use crate::{http, process};

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .join(path)
        .canonicalize()
        .unwrap()
}

impl Node {
    fn deploy(&self, name: &str, source: &str, more: &[&str]) -> Ran {
        let file = self.file(&format!("{name}.ts"));
        fs::write(&file, source).unwrap();
        let args = ["deploy", "contract", file.to_str().unwrap(), "--wait"];
        self.tana(&[&args, more].concat())
    }

    /// Calls a contract and gives its receipt, whatever it says.
    fn call(&self, name: &str, input: &Value, more: &[&str]) -> Value {
        let input = input.to_string();
        let args = [
            "contract", "call", name, "--input", &input, "--wait", "--json",
        ];
        let ran = self.tana(&[&args, more].concat());
        if ran.code == Some(0) {
            return ran.json()["receipt"].clone();
        }
        let latest = http::get(self.port("ledger"), "/blocks/latest").json;
        latest["receipts"][0].clone()
    }

    fn workers(&self) -> Vec<u32> {
        let ledger = self.service("ledger").unwrap().pid.unwrap();
        process::children(ledger)
    }

    fn verifies(&self) {
        let verified = self.json(&["verify", "--all"]);
        assert_eq!(verified["valid"], true, "{verified}");
    }
}

#[test]
fn a_contract_is_made_deployed_called_served_and_replaced() {
    let node = Node::running();
    node.tana(&["new", "contract", "hello"]).ok();
    node.tana(&["deploy", "contract", "hello", "--wait"]).ok();
    let first = node.call("hello", &json!({"a": 1}), &[]);
    assert_eq!(
        first["result"],
        json!({"calls": 1, "input": {"a": 1}}),
        "{first}"
    );
    assert_eq!(first["logs"], json!(["call 1 by @sovereign"]));
    assert!(first["gasUsed"].as_u64() > Some(10_000), "{first}");
    let second = node.call("hello", &Value::Null, &[]);
    assert_eq!(second["result"]["calls"], 2);

    let edge = node.port("edge");
    let served = |path: &str, wanted: Value| {
        until("the edge to answer from the chain", LONG, || {
            let answer = http::get(edge, path);
            if answer.status == 200 && answer.json == wanted {
                Ok(())
            } else {
                Err(format!("{answer:?}"))
            }
        });
    };
    served("/hello", json!({"calls": 2}));
    node.call("hello", &Value::Null, &[]);
    served("/hello", json!({"calls": 3}));

    let listed = node.json(&["contract", "list"]);
    assert_eq!(listed[0]["name"], "hello");
    let shown = node.json(&["contract", "show", "hello"]);
    assert_eq!(shown["data"], json!({"calls": 3}));
    assert_eq!(shown["id"], listed[0]["id"]);

    // Another contract under the same name: the edge serves it without a restart, the old one keeps its id.
    let newer = "import { Response } from 'tana/net';\nexport function get() { return Response.text('newer'); }\n";
    fs::write(node.file("hello/contract.ts"), newer).unwrap();
    node.tana(&["deploy", "contract", "hello", "--wait"]).ok();
    until("the newer contract", LONG, || {
        let answer = http::get(edge, "/hello");
        if answer.text == "newer" {
            Ok(())
        } else {
            Err(format!("{answer:?}"))
        }
    });
    let old = listed[0]["id"].as_str().unwrap();
    served(&format!("/{old}"), json!({"calls": 3}));
    node.verifies();
}

#[test]
fn a_name_of_somebody_else_and_a_mistake_in_the_source_are_refused() {
    let node = Node::running();
    node.user("alice");
    let source = "export function contract() { return 1; }\n";
    node.deploy("shop", source, &[]).ok();
    node.deploy("shop", source, &["--as", "alice"])
        .refused(&["belongs to somebody else"]);
    node.deploy(
        "wrong",
        "export function contract() {\n  return 1 +;\n}\n",
        &[],
    )
    .refused(&["wrong.ts:2"]);
    node.deploy("script", "console.log(1);\n", &[]).refused(&[]);
    node.verifies();
}

#[test]
fn a_call_that_fails_is_in_the_block_and_changes_only_the_nonce() {
    let node = Node::running();
    node.user("alice");
    let source = "import { console } from 'tana/core';\nimport { context } from 'tana/context';\nimport { data } from 'tana/data';\n\
        export async function contract() {\n  const how = context.input();\n  await data.set('tried', how);\n  await data.commit();\n  console.log('trying', how);\n\
        if (how === 'throw') throw new Error('no cheese');\n  if (how === 'refuse') return { error: 'not today' };\n\
        if (how === 'gas') for (;;) {}\n  if (how === 'size') 'x'.repeat(1 << 25);\n  if (how === 'wait') await new Promise(() => {});\n  return how;\n}\n";
    node.deploy("moody", source, &[]).ok();
    for (how, code, message) in [
        ("throw", "contract-error", "Error: no cheese (moody.ts:9:"),
        ("refuse", "contract-error", "not today"),
        ("gas", "out-of-gas", "10000000 gas"),
        ("size", "contract-error", "16 MiB"),
        ("wait", "contract-error", "promise"),
    ] {
        let before = node.json(&["contract", "show", "moody"])["data"].clone();
        let receipt = node.call("moody", &json!(how), &["--as", "alice"]);
        assert_eq!(receipt["code"], code, "{receipt}");
        assert!(
            receipt["message"].as_str().unwrap().contains(message),
            "{receipt}"
        );
        assert_eq!(
            receipt["logs"],
            json!([format!("trying {how}")]),
            "{receipt}"
        );
        assert!(receipt["gasUsed"].as_u64() > Some(10_000), "{receipt}");
        assert_eq!(node.json(&["contract", "show", "moody"])["data"], before);
    }
    let changes = http::get(node.port("ledger"), "/blocks/latest").json["stateChanges"].clone();
    let keys: Vec<_> = changes
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c["key"].as_str().unwrap())
        .collect();
    assert!(keys.len() == 1 && keys[0].starts_with("user/"), "{keys:?}");
    node.tana(&[
        "contract",
        "call",
        "moody",
        "--input",
        "\"throw\"",
        "--as",
        "alice",
        "--wait",
    ])
    .refused(&["no cheese", "nothing was changed"]);
    assert_eq!(
        node.call("moody", &json!("well"), &["--as", "alice"])["result"],
        "well"
    );
    node.verifies();
}

#[test]
fn a_contract_moves_what_its_caller_signed_for_and_its_own() {
    let node = Node::running();
    node.user("alice");
    node.user("bob");
    node.tana(&["deposit", "alice", "100", "USD", "--wait"])
        .ok();
    let transfer = fs::read_to_string(repository("examples/transfer.ts")).unwrap();
    node.deploy("pay", &transfer, &["--as", "bob"]).ok();
    let input = json!({"to": "bob", "amount": 12.5, "currency": "USD"});
    let unsigned = node.call("pay", &input, &["--as", "alice"]);
    assert_eq!(unsigned["code"], "contract-error", "{unsigned}");
    assert!(
        unsigned["message"].as_str().unwrap().contains("signed for"),
        "{unsigned}"
    );
    assert_eq!(node.balance("alice", "USD"), "100.00");
    let paid = node.call(
        "pay",
        &input,
        &["--as", "alice", "--amount", "12.5", "--currency", "USD"],
    );
    assert_eq!(paid["result"]["left"], "87.50", "{paid}");
    assert_eq!(
        (node.balance("alice", "USD"), node.balance("bob", "USD")),
        ("87.50".into(), "12.50".into())
    );

    let till = "import { context } from 'tana/context';\nimport { tx } from 'tana/tx';\nexport async function contract() {\n\
        const { from, to, amount } = context.input();\n  const who = (name: string) => name === 'till' ? context.contractId()! : name;\n\
        tx.transfer(who(from), who(to), amount, 'USD');\n  const done = await tx.execute();\n  return done.success ? { moved: amount } : { error: done.error };\n}\n";
    node.deploy("till", till, &["--as", "bob"]).ok();
    let into =
        json!({"from": "alice", "to": "till", "amount": "20", "allowance": {"USD": "20.00"}});
    assert_eq!(node.call("till", &into, &["--as", "alice"])["code"], "ok");
    let out = json!({"from": "till", "to": "bob", "amount": "5.25"});
    assert_eq!(node.call("till", &out, &["--as", "alice"])["code"], "ok");
    let others = json!({"from": "bob", "to": "till", "amount": "1"});
    assert_eq!(
        node.call("till", &others, &["--as", "alice"])["code"],
        "contract-error"
    );
    assert_eq!(
        (node.balance("alice", "USD"), node.balance("bob", "USD")),
        ("67.50".into(), "17.75".into())
    );
    let id = node.json(&["contract", "show", "till"])["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let held = http::get(
        node.port("ledger"),
        &format!("/balances?ownerId={id}&ownerType=contract&currencyCode=USD"),
    );
    assert_eq!(held.json[0]["amount"], "14.75", "{held:?}");
    node.verifies();
}

#[test]
fn a_worker_that_is_killed_during_a_call_costs_nothing() {
    let node = Node::running();
    node.tana(&["new", "contract", "hello"]).ok();
    node.tana(&["deploy", "contract", "hello", "--wait"]).ok();
    for round in 1..=3 {
        let workers = node.workers();
        assert!(!workers.is_empty());
        // Stopped workers take the call and do not answer it.
        for pid in &workers {
            process::signal(*pid, Signal::SIGSTOP);
        }
        let queued = node
            .tana(&["contract", "call", "hello", "--json"])
            .ok()
            .json();
        until("the call to be taken", LONG, || {
            let queue = http::get(node.port("ledger"), "/queue").json;
            if queue["pending"] == 1 {
                Ok(())
            } else {
                Err(queue.to_string())
            }
        });
        for pid in &workers {
            process::signal(*pid, Signal::SIGKILL);
        }
        let path = format!("/transactions/{}", queued["id"].as_str().unwrap());
        let (transaction, _) = until("the call to be in a block", LONG, || {
            let transaction = http::get(node.port("ledger"), &path).json;
            if transaction["status"] == "queued" {
                Err(transaction.to_string())
            } else {
                Ok(transaction)
            }
        });
        assert_eq!(
            transaction["receipt"]["result"]["calls"], round,
            "{transaction}"
        );
        // While a block is verified as well.
        for pid in node.workers() {
            process::signal(pid, Signal::SIGKILL);
        }
        node.verifies();
    }
    assert_eq!(node.service("ledger").unwrap().restarts, 0);
}

#[test]
fn a_call_that_no_worker_survives_is_in_no_block_and_holds_nobody_up() {
    let node = Node::running();
    node.user("alice");
    // A string is split into a million others: the heap is full long before the gas is used up. When that is, depends on
    // the engine's collector: it must not become a receipt.
    let hungry = "export function contract() {\n  const all: any[] = [];\n  for (;;) all.push('x'.repeat(1000000).split(''));\n}\n";
    node.deploy("hungry", hungry, &["--as", "alice"]).ok();
    let queued = node
        .tana(&["contract", "call", "hungry", "--as", "alice", "--json"])
        .ok()
        .json();
    node.tana(&["deposit", "alice", "1", "USD", "--wait", "--timeout", "60"])
        .ok();
    let path = format!("/transactions/{}", queued["id"].as_str().unwrap());
    let chain = fs::read_to_string(node.file("chains/demo.json")).unwrap();
    let chain: Value = serde_json::from_str(&chain).unwrap();
    if chain["engine"] == "quickjs" {
        // Its heap holds all that this gas pays for: the gas ends it, on every machine alike.
        let receipt = &http::get(node.port("ledger"), &path).json["receipt"];
        assert_eq!(receipt["code"], "out-of-gas", "{receipt}");
    } else {
        // It is tried again before it is given up.
        until("the call to be a dead letter", LONG, || {
            let queue = http::get(node.port("ledger"), "/queue").json;
            if queue["dead"] == 1 {
                Ok(())
            } else {
                Err(queue.to_string())
            }
        });
        let answer = http::get(node.port("ledger"), &path);
        assert!(answer.json["blockHeight"].is_null(), "{answer:?}");
    }
    // The nonce is free: what the caller signs next goes through.
    node.tana(&["transfer", "alice", "sovereign", "0.25", "USD", "--wait"])
        .ok();
    assert_eq!(node.balance("alice", "USD"), "0.75");
    node.verifies();
}

#[test]
fn a_ledger_whose_engine_is_not_the_chain_s_does_not_start_and_says_so() {
    let node = Node::with_chain();
    let file = node.file("chains/demo.json");
    let mut chain: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    let (engine, schedule) = (chain["engine"].clone(), chain["gasSchedule"].clone());
    assert!(engine.is_string() && schedule.is_number(), "{chain}");
    for (key, value, word) in [
        (
            "engine",
            json!(if engine == "v8" { "quickjs" } else { "v8" }),
            "is needed",
        ),
        ("gasSchedule", json!(999), "gas schedule 999"),
    ] {
        chain[key] = value;
        fs::write(&file, chain.to_string()).unwrap();
        let mut command = binary::command("tanad", node.home());
        command.args(["ledger", "--port-offset", &node.offset.to_string()]);
        let ran = Ran::of(&mut command);
        let said = format!("{}{}", ran.out, ran.err);
        assert!(ran.code.is_some_and(|code| code != 0), "{said}");
        assert!(
            said.contains(word) && said.contains(engine.as_str().unwrap()),
            "{said}"
        );
        assert!(!said.contains("panicked"), "{said}");
    }
}
