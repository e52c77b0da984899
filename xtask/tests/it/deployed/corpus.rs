//! Every honest program and every core contract, on a chain of its own.

use std::collections::BTreeMap;
use std::fs;

use serde_json::{Value, json};

use crate::http;
use crate::node::Node;
use crate::programs::same;

use super::repository;

/// The corpus of honest programs: name and body of `contract()`.
fn honest() -> BTreeMap<String, String> {
    let text = fs::read_to_string(repository("runtime/tests/corpus/honest.txt")).unwrap();
    text.split("\n=== ")
        .skip(1)
        .map(|part| {
            let (name, body) = part.split_once('\n').unwrap();
            (name.trim().to_owned(), body.to_owned())
        })
        .collect()
}

#[test]
fn run_ledger_and_replay_agree_on_the_whole_corpus() {
    let node = Node::running();
    let programs = honest();
    assert!(programs.len() >= 60, "{}", programs.len());
    let ledger = node.port("ledger");
    let mut calls = Vec::new();
    for (number, (name, body)) in programs.iter().enumerate() {
        let source = format!(
            "import {{ console, version }} from 'tana/core';\nimport {{ block }} from 'tana/block';\nimport {{ tx }} from 'tana/tx';\n\
             import {{ data }} from 'tana/data';\nimport {{ context }} from 'tana/context';\nimport {{ fetch }} from 'tana/utils';\n\
             import {{ Request, Response }} from 'tana/net';\nexport async function contract(): Promise<any> {{\n{body}\n}}\n"
        );
        let file = node.file(&format!("program-{number}.ts"));
        fs::write(&file, &source).unwrap();
        let deployed = node.json(&["deploy", "contract", file.to_str().unwrap()]);
        calls.push((
            name,
            file,
            deployed["contractId"].as_str().unwrap().to_owned(),
        ));
    }
    // One after the other: the last of them is in a block when all are.
    node.tana(&[
        "deposit",
        "sovereign",
        "1",
        "USD",
        "--wait",
        "--timeout",
        "60",
    ])
    .ok();
    let mut compared = 0;
    for (name, file, id) in calls {
        let receipt = node.call(&id, &Value::Null, &[]);
        // The same block around it; its time in milliseconds is what the caller was last changed at.
        let block = http::get(ledger, "/blocks/latest").json;
        let called = http::get(ledger, "/transactions?limit=1").json[0]["id"].clone();
        let around = json!({"block": {
            "height": block["height"], "timestamp": block["stateChanges"][0]["after"]["updatedAt"]
        }, "transactionId": called});
        let context = node.file("context.json");
        fs::write(&context, around.to_string()).unwrap();
        let (file, context) = (file.to_str().unwrap(), context.to_str().unwrap());
        let run = node
            .tana(&["run", file, "--context", context, "--json"])
            .json();
        same(name, &run, &receipt);
        compared += 1;
    }
    assert!(compared >= 60, "{compared}");
    // Replay: every receipt, every change and the state root again, from the stored chain.
    node.verifies();
    let blocks = http::get(ledger, "/info").json["height"].as_u64().unwrap();
    assert!(blocks > compared, "{blocks}");
}

#[test]
fn the_core_contracts_run_on_the_chain() {
    let node = Node::running();
    node.user("alice");
    node.user("bob");
    let names = [
        "transfer",
        "deposit",
        "withdrawal",
        "user-creation",
        "role-change",
        "currency-creation",
    ];
    for name in names {
        let file = repository(&format!("examples/{name}.ts"));
        node.tana(&["deploy", "contract", file.to_str().unwrap(), "--wait"])
            .ok();
    }
    let by_alice = |name: &str, input: Value, more: &[&str]| {
        node.call(name, &input, &[&["--as", "alice"], more].concat())
    };
    let deposit = json!({"to": "alice", "amount": "100.10", "currency": "USD"});
    assert_eq!(
        by_alice("deposit", deposit.clone(), &[])["code"],
        "contract-error"
    );
    let deposited = node.call("deposit", &deposit, &[]);
    assert_eq!(deposited["result"]["balance"], "100.10", "{deposited}");
    let pay = json!({"to": "bob", "amount": "0.30", "currency": "USD"});
    let paid = by_alice("transfer", pay, &["--amount", "0.30", "--currency", "USD"]);
    assert_eq!(paid["code"], "ok", "{paid}");
    let out = json!({"amount": "50.5", "currency": "USD", "reference": "r-1"});
    let withdrawn = by_alice("withdrawal", out.clone(), &[]);
    assert_eq!(withdrawn["result"]["left"], "49.3", "{withdrawn}");
    assert_eq!(by_alice("withdrawal", out, &[])["code"], "contract-error");
    assert_eq!(
        node.call("withdrawal", &json!({"paid": "r-1"}), &[])["code"],
        "ok"
    );
    assert_eq!(
        (node.balance("alice", "USD"), node.balance("bob", "USD")),
        ("49.30".into(), "0.30".into())
    );
    for (name, proposal, key) in [
        (
            "user-creation",
            json!({"username": "carol", "displayName": "Carol", "publicKey": "ed25519_00"}),
            "carol",
        ),
        (
            "role-change",
            json!({"user": "bob", "role": "staff", "why": "helps"}),
            "bob",
        ),
        (
            "currency-creation",
            json!({"code": "EUR", "type": "fiat", "decimals": 2}),
            "EUR",
        ),
    ] {
        let proposed = by_alice(name, json!({ "propose": proposal }), &[]);
        assert_eq!(proposed["result"]["proposed"], key, "{proposed}");
        let approve = json!({ "approve": key });
        assert_eq!(
            by_alice(name, approve.clone(), &[])["code"],
            "contract-error"
        );
        let approved = node.call(name, &approve, &[]);
        assert_eq!(approved["result"]["approved"], key, "{approved}");
        let stored = node.json(&["contract", "show", name])["data"].clone();
        assert!(stored[format!("approved:{key}")].is_object(), "{stored}");
    }
    node.verifies();
}
