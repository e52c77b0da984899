//! Transfers through HTTP on the embedded default: how many a second, and how long one takes.

use std::time::{Duration, Instant};

use serde_json::Value;
use tana_protocol::{SecretKey, Timestamp, Transaction, TransactionType, UserId};

use crate::node::Node;
use crate::wait::until;
use crate::{Row, http, milliseconds, row};

const MANY: u64 = 5000;
const AT_ONCE: usize = 500;
const SINGLE: u64 = 21;
const LIMIT: Duration = Duration::from_secs(300);

pub(crate) fn rows(node: &Node) -> Vec<Row> {
    node.user("alice");
    node.user("bob");
    node.tana(&["deposit", "alice", "1000000", "USD", "--wait"])
        .ok();
    let sender = Sender::of(node);
    vec![latency(&sender), throughput(&sender)]
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
    pub(crate) fn of(node: &Node) -> Self {
        let user = |name: &str| -> Value {
            serde_json::from_str(
                &std::fs::read_to_string(node.file(&format!("users/{name}.json"))).unwrap(),
            )
            .unwrap()
        };
        let (alice, bob) = (user("alice"), user("bob"));
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        Self {
            port: node.port("ledger"),
            key: text(&alice["secretKey"]).parse().unwrap(),
            from: text(&alice["userId"]).parse().unwrap(),
            to: text(&bob["userId"]).parse().unwrap(),
            chain: text(&alice["chainId"]),
        }
    }

    pub(crate) fn nonce(&self) -> u64 {
        let answer = http::get(self.port, &format!("/users/{}/nonce", self.from));
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json["currentNonce"].as_u64().unwrap()
    }

    /// The cents that Bob has.
    pub(crate) fn received(&self) -> u64 {
        let answer = http::get(self.port, &format!("/users/{}/balances", self.to));
        let dollars = answer.json[0]["amount"].as_str().unwrap_or("0").to_owned();
        let (whole, cents) = dollars.split_once('.').unwrap_or((&dollars, ""));
        format!("{whole}{cents:0<2}").parse().unwrap()
    }

    fn transfer(&self, nonce: u64) -> String {
        self.transaction(nonce, |_| {})
    }

    /// A signed transfer of a cent, or what is made of it.
    pub(crate) fn transaction(&self, nonce: u64, more: impl FnOnce(&mut Transaction)) -> String {
        let now = u64::try_from(
            std::time::SystemTime::now()
                .duration_since(std::time::UNIX_EPOCH)
                .unwrap()
                .as_millis(),
        )
        .unwrap();
        let mut transaction = Transaction::new(
            TransactionType::Transfer,
            self.from.into(),
            self.to.into(),
            Timestamp::from_ms(now),
            nonce,
        );
        transaction.amount = Some("0.01".parse().unwrap());
        transaction.currency_code = Some("USD".parse().unwrap());
        transaction.chain_id = Some(self.chain.clone());
        more(&mut transaction);
        tana_protocol::json::compact(&transaction.sign(&self.key))
    }

    pub(crate) fn until_nonce(&self, nonce: u64) {
        until("the last transfer to be in a block", LIMIT, || {
            let seen = self.nonce();
            if seen == nonce {
                Ok(())
            } else {
                Err(format!("nonce {seen}"))
            }
        });
    }
}

fn latency(sender: &Sender) -> Row {
    let first = sender.nonce() + 1;
    let mut times: Vec<_> = (first..first + SINGLE)
        .map(|nonce| {
            let body = sender.transfer(nonce);
            let start = Instant::now();
            let answer = http::post(sender.port, "/transactions", &body);
            assert_eq!(answer.status, 202, "{answer:?}");
            sender.until_nonce(nonce);
            start.elapsed()
        })
        .collect();
    times.sort_unstable();
    row(
        "one transfer, submitted until in a block",
        milliseconds(times[times.len() / 2]),
        &format!("median of {SINGLE}, one after the other"),
    )
}

fn throughput(sender: &Sender) -> Row {
    let first = sender.nonce() + 1;
    // Signing is the client's work and not measured.
    let transfers: Vec<_> = (first..first + MANY)
        .map(|nonce| sender.transfer(nonce))
        .collect();
    let bodies: Vec<_> = transfers
        .chunks(AT_ONCE)
        .map(|chunk| format!("[{}]", chunk.join(",")))
        .collect();
    let start = Instant::now();
    for body in &bodies {
        let answer = http::post(sender.port, "/transactions", body);
        assert_eq!(answer.status, 200, "{answer:?}");
        let refused = answer
            .json
            .as_array()
            .unwrap()
            .iter()
            .find(|one| one["status"] != 202);
        assert!(refused.is_none(), "{refused:?}");
    }
    sender.until_nonce(first + MANY - 1);
    let seconds = start.elapsed().as_secs_f64();
    #[allow(clippy::cast_precision_loss, reason = "five thousand is exact")]
    let rate = MANY as f64 / seconds;
    row(
        "transfers, submitted until in blocks",
        format!("{rate:.0}/s"),
        &format!("{MANY} of one sender in arrays of {AT_ONCE}, SQLite, {seconds:.1} s"),
    )
}
