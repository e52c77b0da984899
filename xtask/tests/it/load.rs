//! Signed transfers over HTTP from many senders: what the crash test and the measurements put on a node.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tana_protocol::transaction::Party;
use tana_protocol::{
    SecretKey, SignedTransaction, Timestamp, Transaction, TransactionType, UserId,
};

use crate::wait::until;

/// Transactions that one request may hold.
pub(crate) const BATCH: usize = 500;
const LIMIT: Duration = Duration::from_secs(120);

/// Somebody with money.
#[derive(Clone)]
pub(crate) struct Account {
    pub(crate) id: UserId,
    pub(crate) key: SecretKey,
    /// The last nonce that was signed with.
    pub(crate) nonce: u64,
}

/// A chain and who moves money on it.
pub(crate) struct Load {
    pub(crate) port: u16,
    chain: String,
    pub(crate) accounts: Vec<Account>,
}

pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp::from_ms(u64::try_from(since.as_millis()).unwrap())
}

fn read(path: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// A request over a new connection; `None` where the answer did not come.
pub(crate) fn request(port: u16, method: &str, path: &str, body: &str) -> Option<(u16, Value)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream
        .set_read_timeout(Some(Duration::from_secs(30)))
        .ok()?;
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).ok()?;
    stream.write_all(body.as_bytes()).ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    let answer = String::from_utf8(answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim().parse::<usize>().ok())?
    });
    // An answer that was cut off is none.
    if length.is_some_and(|length| length != body.len()) {
        return None;
    }
    Some((status, serde_json::from_str(body).unwrap_or(Value::Null)))
}

/// Hands over signed transactions, at most [`BATCH`]; for each its status, or `None` where no answer came.
pub(crate) fn post(port: u16, transactions: &[String]) -> Option<Vec<(u64, Value)>> {
    let body = format!("[{}]", transactions.join(","));
    let (status, answer) = request(port, "POST", "/transactions", &body)?;
    if status != 200 {
        return None;
    }
    let answers = answer.as_array()?.iter();
    Some(
        answers
            .map(|one| (one["status"].as_u64().unwrap_or(0), one.clone()))
            .collect(),
    )
}

impl Load {
    /// So many accounts on the chain of this home, each with 1000.00 USD.
    pub(crate) fn prepare(home: &Path, port: u16, count: usize) -> Self {
        let spec = read(&home.join("chains/demo.json"));
        let chain = spec["chainId"].as_str().unwrap().to_owned();
        let name = spec["sovereigns"][0]["username"].as_str().unwrap();
        let key = read(&home.join("sovereign-key.json"));
        let sovereign = Account {
            id: UserId::of_genesis(&chain, name),
            key: key["secretKey"]
                .as_str()
                .or(key["privateKey"].as_str())
                .unwrap()
                .parse()
                .unwrap(),
            nonce: 0,
        };
        let mut load = Self {
            port,
            chain,
            accounts: vec![sovereign],
        };
        load.accounts[0].nonce = load.committed(0);
        let creations: Vec<_> = (0..count).map(|n| load.creation(n)).collect();
        load.all(
            &creations
                .iter()
                .map(|(text, _)| text.clone())
                .collect::<Vec<_>>(),
        );
        load.accounts
            .extend(creations.into_iter().map(|(_, account)| account));
        let last = load.accounts.last().unwrap().id;
        until("the accounts to exist", LIMIT, || load.user(last));
        let deposits: Vec<_> = (1..=count)
            .map(|to| load.money(TransactionType::Deposit, 0, to, "1000").1)
            .collect();
        load.all(&deposits);
        let nonce = load.accounts[0].nonce;
        until("the deposits", LIMIT, || {
            let seen = load.committed(0);
            if seen == nonce {
                Ok(())
            } else {
                Err(format!("nonce {seen}"))
            }
        });
        load
    }

    fn user(&self, id: UserId) -> Result<(), String> {
        match request(self.port, "GET", &format!("/users/{id}"), "") {
            Some((200, _)) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    }

    /// Everything is accepted.
    fn all(&self, transactions: &[String]) {
        for chunk in transactions.chunks(BATCH) {
            for (status, answer) in post(self.port, chunk).expect("an answer") {
                assert_eq!(status, 202, "{answer}");
            }
        }
    }

    fn creation(&self, n: usize) -> (String, Account) {
        let key = SecretKey::generate();
        let mut transaction = Transaction::new(
            TransactionType::UserCreation,
            Party::system(),
            Party::system(),
            now(),
            0,
        );
        let name = format!("load{n}");
        transaction.contract_input = Some(json!({
            "username": name, "displayName": name, "publicKey": key.public().to_string(), "bio": "", "role": "user"
        }));
        transaction.chain_id = Some(self.chain.clone());
        let signed = transaction.sign(&key);
        let id = UserId::created_by(&signed.id());
        (text(&signed), Account { id, key, nonce: 0 })
    }

    /// The last committed nonce.
    pub(crate) fn committed(&self, account: usize) -> u64 {
        self.nonce(account, "currentNonce")
    }

    fn nonce(&self, account: usize, which: &str) -> u64 {
        let path = format!("/users/{}/nonce", self.accounts[account].id);
        let (found, _) = until("a nonce", LIMIT, || {
            match request(self.port, "GET", &path, "") {
                Some((200, answer)) => answer[which].as_u64().ok_or_else(|| answer.to_string()),
                other => Err(format!("{other:?}")),
            }
        });
        found
    }

    /// Continues where the ledger says, after submissions whose answer was lost.
    pub(crate) fn resume(&mut self, account: usize) {
        self.accounts[account].nonce = self.nonce(account, "pendingNonce");
    }

    /// The next transaction of an account: its id and its JSON.
    pub(crate) fn money(
        &mut self,
        kind: TransactionType,
        from: usize,
        to: usize,
        amount: &str,
    ) -> (String, String) {
        let to = self.accounts[to].id;
        let sender = &mut self.accounts[from];
        sender.nonce += 1;
        let mut transaction =
            Transaction::new(kind, sender.id.into(), to.into(), now(), sender.nonce);
        transaction.amount = Some(amount.parse().unwrap());
        transaction.currency_code = Some("USD".parse().unwrap());
        transaction.chain_id = Some(self.chain.clone());
        let signed = transaction.sign(&sender.key);
        (signed.id().to_string(), text(&signed))
    }

    /// A cent from one account to its neighbour.
    pub(crate) fn transfer(&mut self, from: usize) -> (String, String) {
        let to = 1 + from % (self.accounts.len() - 1);
        self.money(TransactionType::Transfer, from, to, "0.01")
    }
}

fn text(signed: &SignedTransaction) -> String {
    tana_protocol::json::compact(signed)
}
