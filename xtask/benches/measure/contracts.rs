//! What a contract call in a block costs over a native transfer that does the same.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;
use tana_protocol::ContractId;

use crate::node::Node;
use crate::transfers::Sender;
use crate::{Row, http, milliseconds, row};

const MANY: u64 = 200;
const ROUNDS: usize = 3;

/// After `transfers`, which makes Alice and Bob.
pub(crate) fn rows(node: &Node) -> Vec<Row> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/transfer.ts");
    let source = source.to_str().unwrap();
    let deployed = node.json(&["deploy", "contract", source, "--name", "pay", "--wait"]);
    let id: ContractId = deployed["contractId"].as_str().unwrap().parse().unwrap();
    let sender = Sender::of(node);
    let call = |nonce| {
        sender.transaction(nonce, |transaction| {
            transaction.kind = tana_protocol::TransactionType::ContractCall;
            transaction.to = id.into();
            transaction.contract_id = Some(id);
            transaction.contract_input =
                Some(json!({"to": "bob", "amount": "0.01", "currency": "USD"}));
        })
    };
    let transfer = |nonce| sender.transaction(nonce, |_| {});
    let each = |make: &dyn Fn(u64) -> String| {
        let times = (0..ROUNDS).map(|_| together(&sender, make));
        times.min().unwrap() / u32::try_from(MANY).unwrap()
    };
    let (calls, transfers) = (each(&call), each(&transfer));
    let more = calls.saturating_sub(transfers);

    vec![row(
        "a contract call in a block, over a native transfer",
        format!("+{}", milliseconds(more)),
        &format!(
            "transfer contract, {MANY} at once: {} against {} each, fastest of {ROUNDS}",
            milliseconds(calls),
            milliseconds(transfers)
        ),
    )]
}

/// Submits many together and waits until the last is in a block. All of them must have done what they say.
fn together(sender: &Sender, make: &dyn Fn(u64) -> String) -> Duration {
    let before = sender.received();
    let first = sender.nonce() + 1;
    let all: Vec<String> = (first..first + MANY).map(make).collect();
    let body = format!("[{}]", all.join(","));
    let start = Instant::now();
    let answer = http::post(sender.port, "/transactions", &body);
    assert_eq!(answer.status, 200, "{answer:?}");
    sender.until_nonce(first + MANY - 1);
    let took = start.elapsed();
    assert_eq!(sender.received() - before, MANY, "cents that arrived");
    took
}
