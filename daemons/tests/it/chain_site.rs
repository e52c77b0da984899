//! A chain of one validator on free ports: its ledger, the queue, and a producer that is either the test or the real one.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tana_client::{LedgerClient, now};
use tana_daemons::{ledger, producer};
use tana_home::{Environment, Home, KeyFile, Overrides, Settings};
use tana_kit::http::Limits;
use tana_protocol::address::Network;
use tana_protocol::api::ledger::{BlockAccepted, BuildRequest, Built, TransactionStatus};
use tana_protocol::genesis::{ChainLimits, Engine, GenesisSovereign, Validator};
use tana_protocol::node::NodeKey;
use tana_protocol::transaction::Party;
use tana_protocol::{
    Block, ChainSpec, SecretKey, ServiceKind, ServiceToken, SignedTransaction, Timestamp,
    Transaction, TransactionType, UserId,
};
use tana_store::queue::{Consumer, QueueEntry, Take, TxQueue as _};
use tana_store::sqlite::{Durability, SqliteQueue};

use crate::daemon::{Daemon, until};

/// Somebody on the chain.
#[derive(Clone)]
pub(crate) struct Person {
    pub(crate) id: UserId,
    pub(crate) key: SecretKey,
}

pub(crate) struct Chain {
    pub(crate) directory: tempfile::TempDir,
    pub(crate) settings: Settings,
    pub(crate) ledger: Daemon,
    pub(crate) producer_key: SecretKey,
    pub(crate) sovereign: Person,
}

impl Chain {
    pub(crate) async fn start() -> Self {
        Self::with(&[]).await
    }

    pub(crate) async fn with(variables: &[(&str, &str)]) -> Self {
        Self::of(variables, |_| {}).await
    }

    /// A chain that executes contracts, with the engine that was built.
    pub(crate) async fn with_contracts(variables: &[(&str, &str)]) -> Self {
        Self::of(variables, |spec| {
            let (engine, schedule) = built_engine();
            spec.engine = Some(engine);
            spec.gas_schedule = Some(schedule);
        })
        .await
    }

    async fn of(variables: &[(&str, &str)], change: impl FnOnce(&mut ChainSpec)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let home = Home::at(directory.path());
        home.create().unwrap();
        let key = SecretKey::generate();
        let node = KeyFile::generate();
        let producer_key = NodeKey::new(node.secret_key.clone()).service_key(ServiceKind::Producer);
        let mut spec = spec("test-1", &key, &producer_key);
        if let Some((_, node)) = variables.iter().find(|(name, _)| *name == "TANA_NODE_ID") {
            spec.validators[0].node_id = node.parse().unwrap();
        }
        change(&mut spec);
        home.write_chain(&spec).unwrap();
        node.create(&home.node_key_file()).unwrap();
        let settings = settings(&directory, variables);
        let ledger = serve(&settings).await;
        Self {
            sovereign: Person {
                id: UserId::of_genesis("test-1", "@root"),
                key,
            },
            directory,
            settings,
            ledger,
            producer_key,
        }
    }

    /// Another ledger of the same chain and validator, on a database of its own.
    pub(crate) async fn beside(&self, variables: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let home = Home::at(directory.path());
        home.create().unwrap();
        home.write_chain(&self.settings.chain().unwrap()).unwrap();
        let key = self.settings.home.node_key_file();
        std::fs::copy(key, home.node_key_file()).unwrap();
        let settings = settings(&directory, variables);
        let ledger = serve(&settings).await;
        Self {
            sovereign: self.sovereign.clone(),
            producer_key: self.producer_key.clone(),
            directory,
            settings,
            ledger,
        }
    }

    pub(crate) fn client(&self) -> LedgerClient {
        LedgerClient::new(&self.ledger.base).unwrap()
    }

    /// Ends the ledger and starts it again on the same files.
    pub(crate) async fn restart(&mut self) {
        self.ledger.stop().await;
        self.ledger = serve(&self.settings).await;
    }

    /// The same with other settings.
    pub(crate) async fn restart_with(&mut self, variables: &[(&str, &str)]) {
        self.settings = settings(&self.directory, variables);
        self.restart().await;
    }

    /// The real producer, next to this ledger.
    pub(crate) async fn produce(&self) -> Daemon {
        self.produce_with(&[("TANA_LEDGER_URL", &self.ledger.base)])
            .await
    }

    /// The same with these settings.
    pub(crate) async fn produce_with(&self, variables: &[(&str, &str)]) -> Daemon {
        let settings = settings(&self.directory, variables);
        Daemon::start(ServiceKind::Producer, Limits::default(), |context| {
            producer::build(settings, context)
        })
        .await
    }

    pub(crate) async fn queue(&self) -> SqliteQueue {
        let path = self.settings.queue_path.to_str().unwrap();
        SqliteQueue::open(path, Durability::Normal).await.unwrap()
    }

    /// A token of the chain's validator.
    pub(crate) fn token(&self) -> ServiceToken {
        self.token_by(&self.producer_key)
    }

    pub(crate) fn token_by(&self, key: &SecretKey) -> ServiceToken {
        let node = "validator-1".parse().unwrap();
        ServiceToken::issue(
            key,
            ServiceKind::Producer,
            node,
            now(),
            Duration::from_secs(60),
        )
    }

    /// What a producer takes off the queue.
    pub(crate) async fn take(&self) -> Vec<QueueEntry> {
        let consumer = Consumer::new("producer@validator-1");
        let take = Take {
            most: 1000,
            idle: Duration::from_secs(10),
        };
        self.queue()
            .await
            .take(&consumer, take, now())
            .await
            .unwrap()
    }

    pub(crate) async fn build(&self, transactions: Vec<SignedTransaction>) -> Built {
        let request = BuildRequest {
            transactions,
            when_empty: tana_protocol::api::ledger::WhenEmpty::default(),
        };
        self.client()
            .build_block(&request, &self.token())
            .await
            .unwrap()
    }

    pub(crate) async fn commit(&self, block: &Block) -> BlockAccepted {
        let client = self.client();
        client.commit_block(block, &self.token()).await.unwrap()
    }

    /// Seals what is queued, as a producer does it, but acknowledges only when told to.
    pub(crate) async fn seal_without_ack(&self) -> Block {
        let entries = self.take().await;
        let transactions = entries.into_iter().map(|entry| entry.transaction).collect();
        let built = self.build(transactions).await;
        let block = built.block.unwrap().sign(&self.producer_key);
        self.commit(&block).await;
        block
    }

    pub(crate) async fn seal(&self) -> Block {
        let block = self.seal_without_ack().await;
        let ids: Vec<_> = block
            .content
            .receipts
            .iter()
            .map(|r| r.transaction_id)
            .collect();
        self.queue().await.ack(&ids).await.unwrap();
        block
    }

    pub(crate) async fn next_nonce(&self, id: UserId) -> u64 {
        self.client().nonce(&id).await.unwrap().next_nonce
    }

    pub(crate) async fn money(
        &self,
        kind: TransactionType,
        from: &Person,
        to: UserId,
        amount: &str,
    ) -> SignedTransaction {
        let nonce = self.next_nonce(from.id).await;
        money(kind, from, to, amount, nonce)
    }

    pub(crate) async fn transfer(
        &self,
        from: &Person,
        to: &Person,
        amount: &str,
    ) -> SignedTransaction {
        self.money(TransactionType::Transfer, from, to.id, amount)
            .await
    }

    /// Users of these names, each with 100.00 USD, two blocks above the genesis.
    pub(crate) async fn people<const N: usize>(&self, names: [&str; N]) -> [Person; N] {
        let client = self.client();
        let people = names.map(|name| {
            let key = SecretKey::generate();
            (creation(name, &key), key)
        });
        let mut found = Vec::new();
        for (signed, key) in &people {
            client.submit(signed).await.unwrap();
            found.push(Person {
                id: UserId::created_by(&signed.id()),
                key: key.clone(),
            });
        }
        self.seal().await;
        for person in &found {
            let deposit = self
                .money(TransactionType::Deposit, &self.sovereign, person.id, "100")
                .await;
            client.submit(&deposit).await.unwrap();
        }
        self.seal().await;
        found.try_into().ok().unwrap()
    }

    pub(crate) async fn usd(&self, person: &Person) -> String {
        let balances = self.client().balances(&person.id).await.unwrap();
        balances[0].amount.to_string()
    }

    /// Waits until a transaction is in a block, and answers how it ended.
    pub(crate) async fn outcome(&self, signed: &SignedTransaction) -> TransactionStatus {
        let (client, id) = (self.client(), signed.id());
        until("the transaction to be in a block", || async {
            let view = client.transaction(&id).await.unwrap();
            view.status != TransactionStatus::Queued
        })
        .await;
        client.transaction(&id).await.unwrap().status
    }
}

pub(crate) fn spec(chain_id: &str, sovereign: &SecretKey, producer: &SecretKey) -> ChainSpec {
    ChainSpec {
        chain_id: chain_id.into(),
        name: "test".into(),
        network: Network::Testnet,
        genesis_time: Timestamp::from_ms(1_769_860_800_000),
        sovereigns: vec![GenesisSovereign {
            username: "@root".parse().unwrap(),
            display_name: "Root".into(),
            public_key: sovereign.public(),
        }],
        validators: vec![Validator {
            node_id: "validator-1".parse().unwrap(),
            public_key: producer.public(),
            power: 1,
        }],
        currencies: ChainSpec::genesis_currencies(),
        engine: None,
        gas_schedule: None,
        limits: ChainLimits::default(),
    }
}

pub(crate) fn settings(directory: &tempfile::TempDir, variables: &[(&str, &str)]) -> Settings {
    let overrides = Overrides {
        home: Some(directory.path().to_owned()),
        ..Overrides::default()
    };
    let environment = Environment::from_iter(variables.iter().copied());
    Settings::from_environment(&overrides, &environment).unwrap()
}

pub(crate) async fn serve(settings: &Settings) -> Daemon {
    serve_at(settings, "http://127.0.0.1:0").await
}

pub(crate) async fn serve_at(settings: &Settings, base: &str) -> Daemon {
    let mut config = ledger::Config::of(settings).unwrap();
    if config.chain.engine.is_some() {
        config.runtime = runtime_program();
    }
    let address = base.trim_start_matches("http://");
    Daemon::start_at(address, ServiceKind::Ledger, Limits::default(), |context| {
        ledger::build(config, context)
    })
    .await
}

/// The program that executes contracts: this test's own lies in `deps` below it.
pub(crate) fn runtime_program() -> PathBuf {
    let this = std::env::current_exe().unwrap();
    let program = this.ancestors().nth(2).unwrap().join("tana-runtime");
    assert!(
        program.is_file(),
        "{} is not built: cargo build -p tana-runtime, or cargo xtask test",
        program.display()
    );
    program
}

/// What the built program says that it is.
fn built_engine() -> (Engine, u32) {
    let worker = Command::new(runtime_program())
        .arg("worker")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8(worker.stdout).unwrap();
    let ready: Value = serde_json::from_str(said.lines().next().unwrap()).unwrap();
    let engine = serde_json::from_value(ready["engine"].clone()).unwrap();
    let schedule = ready["schedule"].as_u64().unwrap();
    (engine, u32::try_from(schedule).unwrap())
}

/// A transaction with this input, to nobody.
pub(crate) fn contract(kind: TransactionType, from: &Person, input: Value) -> Transaction {
    let mut transaction = Transaction::new(kind, from.id.into(), Party::system(), now(), 1);
    transaction.contract_input = Some(input);
    transaction.chain_id = Some("test-1".into());
    transaction
}

pub(crate) fn money(
    kind: TransactionType,
    from: &Person,
    to: UserId,
    amount: &str,
    nonce: u64,
) -> SignedTransaction {
    let mut transaction = Transaction::new(kind, from.id.into(), to.into(), now(), nonce);
    transaction.amount = Some(amount.parse().unwrap());
    transaction.currency_code = Some("USD".parse().unwrap());
    transaction.chain_id = Some("test-1".into());
    transaction.sign(&from.key)
}

pub(crate) fn creation(name: &str, key: &SecretKey) -> SignedTransaction {
    let mut transaction = Transaction::new(
        TransactionType::UserCreation,
        Party::system(),
        Party::system(),
        now(),
        0,
    );
    transaction.contract_input = Some(new_user(name, key));
    transaction.sign(key)
}

pub(crate) fn new_user(name: &str, key: &SecretKey) -> Value {
    json!({
        "username": name, "displayName": name, "publicKey": key.public().to_string(), "bio": "", "role": "user"
    })
}
