//! Transfers through HTTP on the embedded default: how many a second, and how long one takes.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tana_protocol::{SecretKey, Timestamp, Transaction, TransactionType, UserId};

use crate::node::Node;
use crate::wait::until;
use crate::{Row, http, milliseconds, row};

const MANY: u64 = 5000;
const AT_ONCE: usize = 500;
const SINGLE: u64 = 21;
const LIMIT: Duration = Duration::from_secs(300);

/// Alice, who has a million, and Bob, who has nothing.
pub(crate) fn accounts(node: &Node) {
    node.user("alice");
    node.user("bob");
    node.tana(&["deposit", "alice", "1000000", "USD", "--wait"])
        .ok();
}

pub(crate) fn rows(node: &Node) -> Result<Vec<Row>> {
    accounts(node);
    let sender = Sender::of(node)?;
    Ok(vec![latency(&sender)?, throughput(&sender)?])
}

/// Alice, who sends cents to Bob.
pub(crate) struct Sender {
    pub(crate) port: u16,
    key: SecretKey,
    from: UserId,
    pub(crate) to: UserId,
    chain: String,
}

impl Sender {
    pub(crate) fn of(node: &Node) -> Result<Self> {
        let user = |name: &str| -> Result<Value> {
            let text = std::fs::read_to_string(node.file(&format!("users/{name}.json")))?;
            Ok(serde_json::from_str(&text)?)
        };
        let (alice, bob) = (user("alice")?, user("bob")?);
        let text = |of: &Value, field: &str| -> Result<String> {
            let text = of[field].as_str();
            Ok(text.with_context(|| format!("no {field}"))?.to_owned())
        };
        Ok(Self {
            port: node.port("ledger"),
            key: text(&alice, "secretKey")?.parse()?,
            from: text(&alice, "userId")?.parse()?,
            to: text(&bob, "userId")?.parse()?,
            chain: text(&alice, "chainId")?,
        })
    }

    pub(crate) fn nonce(&self) -> Result<u64> {
        let answer = http::get(self.port, &format!("/users/{}/nonce", self.from));
        ensure!(answer.status == 200, "{answer:?}");
        answer.json["currentNonce"].as_u64().context("no nonce")
    }

    /// The cents that Bob has.
    pub(crate) fn received(&self) -> Result<u64> {
        let answer = http::get(self.port, &format!("/users/{}/balances", self.to));
        let dollars = answer.json[0]["amount"].as_str().unwrap_or("0").to_owned();
        let (whole, cents) = dollars.split_once('.').unwrap_or((&dollars, ""));
        Ok(format!("{whole}{cents:0<2}").parse()?)
    }

    fn transfer(&self, nonce: u64) -> Result<String> {
        self.transaction(nonce, |_| {})
    }

    /// A signed transfer of a cent, or what is made of it.
    pub(crate) fn transaction(
        &self,
        nonce: u64,
        more: impl FnOnce(&mut Transaction),
    ) -> Result<String> {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
        let now = u64::try_from(since.as_millis())?;
        let mut transaction = Transaction::new(
            TransactionType::Transfer,
            self.from.into(),
            self.to.into(),
            Timestamp::from_ms(now),
            nonce,
        );
        transaction.amount = Some("0.01".parse()?);
        transaction.currency_code = Some("USD".parse()?);
        transaction.chain_id = Some(self.chain.clone());
        more(&mut transaction);
        Ok(tana_protocol::json::compact(&transaction.sign(&self.key)))
    }

    pub(crate) fn until_nonce(&self, nonce: u64) {
        until("the last transfer to be in a block", LIMIT, || {
            let seen = self.nonce().map_err(|error| error.to_string())?;
            if seen == nonce {
                Ok(())
            } else {
                Err(format!("nonce {seen}"))
            }
        });
    }
}

fn latency(sender: &Sender) -> Result<Row> {
    let first = sender.nonce()? + 1;
    let mut times: Vec<_> = (first..first + SINGLE)
        .map(|nonce| {
            let body = sender.transfer(nonce)?;
            let start = Instant::now();
            let answer = http::post(sender.port, "/transactions", &body);
            ensure!(answer.status == 202, "{answer:?}");
            sender.until_nonce(nonce);
            Ok(start.elapsed())
        })
        .collect::<Result<_>>()?;
    times.sort_unstable();
    Ok(row(
        "one transfer, submitted until in a block",
        milliseconds(times[times.len() / 2]),
        &format!("median of {SINGLE}, one after the other"),
    ))
}

fn throughput(sender: &Sender) -> Result<Row> {
    let first = sender.nonce()? + 1;
    // Signing is the client's work and not measured.
    let transfers: Vec<_> = (first..first + MANY)
        .map(|nonce| sender.transfer(nonce))
        .collect::<Result<_>>()?;
    let bodies: Vec<_> = transfers
        .chunks(AT_ONCE)
        .map(|chunk| format!("[{}]", chunk.join(",")))
        .collect();
    let start = Instant::now();
    for body in &bodies {
        let answer = http::post(sender.port, "/transactions", body);
        ensure!(answer.status == 200, "{answer:?}");
        let members = answer.json.as_array().context("no list")?;
        let refused = members.iter().find(|one| one["status"] != 202);
        ensure!(refused.is_none(), "{refused:?}");
    }
    sender.until_nonce(first + MANY - 1);
    let seconds = start.elapsed().as_secs_f64();
    #[allow(clippy::cast_precision_loss, reason = "five thousand is exact")]
    let rate = MANY as f64 / seconds;
    Ok(row(
        "transfers, submitted until in blocks",
        format!("{rate:.0}/s"),
        &format!("{MANY} of one sender in arrays of {AT_ONCE}, SQLite, {seconds:.1} s"),
    ))
}
