//! What a contract call in a block costs over a native transfer that does the same.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use serde_json::json;
use tana_protocol::ContractId;

use crate::node::Node;
use crate::transfers::Sender;
use crate::{Row, http, milliseconds, row, transfers};

const MANY: u64 = 200;
const ROUNDS: usize = 3;

/// After `transfers`, which makes Alice and Bob.
pub(crate) fn rows(node: &Node) -> Result<Vec<Row>> {
    let (calls, transfers) = measure(node)?;
    Ok(vec![row(
        "a contract call in a block, over a native transfer",
        format!("+{}", milliseconds(calls.saturating_sub(transfers))),
        &format!(
            "transfer contract, {MANY} at once: {} against {} each, fastest of {ROUNDS}",
            milliseconds(calls),
            milliseconds(transfers)
        ),
    )])
}

/// Milliseconds that a call takes more, on a fresh node.
pub(crate) fn more_than_a_transfer(node: &Node) -> Result<f64> {
    transfers::accounts(node);
    let (calls, transfers) = measure(node)?;
    println!(
        "in blocks: a call of the transfer contract {}, a transfer {}",
        milliseconds(calls),
        milliseconds(transfers)
    );
    Ok(calls.saturating_sub(transfers).as_secs_f64() * 1e3)
}

/// What one call takes, and one transfer.
fn measure(node: &Node) -> Result<(Duration, Duration)> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/transfer.ts");
    let source = source.to_str().context("the path is not UTF-8")?;
    let deployed = node.json(&["deploy", "contract", source, "--name", "pay", "--wait"]);
    let id: ContractId = deployed["contractId"].as_str().context("no id")?.parse()?;
    let sender = Sender::of(node)?;
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
    let each = |make: &dyn Fn(u64) -> Result<String>| {
        let times = (0..ROUNDS).map(|_| together(&sender, make));
        let times: Vec<Duration> = times.collect::<Result<_>>()?;
        let fastest = times.into_iter().min().unwrap_or(Duration::MAX);
        anyhow::Ok(fastest / u32::try_from(MANY)?)
    };
    Ok((each(&call)?, each(&transfer)?))
}

/// Submits many together and waits until the last is in a block. All of them must have done what they say.
fn together(sender: &Sender, make: &dyn Fn(u64) -> Result<String>) -> Result<Duration> {
    let before = sender.received()?;
    let first = sender.nonce()? + 1;
    let all: Vec<String> = (first..first + MANY).map(make).collect::<Result<_>>()?;
    let body = format!("[{}]", all.join(","));
    let start = Instant::now();
    let answer = http::post(sender.port, "/transactions", &body);
    assert_eq!(answer.status, 200, "{answer:?}");
    sender.until_nonce(first + MANY - 1);
    let took = start.elapsed();
    assert_eq!(sender.received()? - before, MANY, "cents that arrived");
    Ok(took)
}
