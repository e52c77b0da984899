//! The real ledger and the real producer as processes, on PostgreSQL: killed in the middle of their work, they go on
//! where they were.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tana_client::LedgerClient;
use tana_home::{Home, KeyFile};
use tana_protocol::api::ledger::BatchAnswer;
use tana_protocol::node::NodeKey;
use tana_protocol::{SecretKey, ServiceKind, SignedTransaction, TransactionType, UserId};
use tana_scratch::Scratch;

use crate::chain_site::{Person, creation, money, spec};
use crate::daemon::until;

/// A node's directory and the processes that were started in it, which end with it.
pub(crate) struct Site {
    directory: tempfile::TempDir,
    variables: Vec<(&'static str, String)>,
    pub(crate) port: u16,
    producer_port: u16,
    sovereign: Person,
}

pub(crate) struct Running(Child);

impl Running {
    fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ended = self.0.kill().and_then(|()| self.0.wait());
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

impl Site {
    fn new(database: &str) -> Self {
        Self::with(vec![("DATABASE_URL", database.to_owned())])
    }

    /// One with these variables in the environment of its services.
    pub(crate) fn with(variables: Vec<(&'static str, String)>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let home = Home::at(directory.path());
        home.create().unwrap();
        let key = SecretKey::generate();
        let node = KeyFile::generate();
        let producer = NodeKey::new(node.secret_key.clone()).service_key(ServiceKind::Producer);
        home.write_chain(&spec("test-1", &key, &producer)).unwrap();
        node.create(&home.node_key_file()).unwrap();
        Self {
            directory,
            variables,
            port: free_port(),
            producer_port: free_port(),
            sovereign: Person {
                id: UserId::of_genesis("test-1", "@root"),
                key,
            },
        }
    }

    fn command(&self, service: &str, port: u16) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tanad"));
        command
            .arg(service)
            .args(["--port", &port.to_string()])
            .env_clear()
            .env("TANA_HOME", self.directory.path())
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .env("TANA_LEDGER_URL", format!("http://127.0.0.1:{}", self.port))
            .current_dir(self.directory.path())
            .stdin(Stdio::null());
        command
    }

    fn spawn(&self, service: &str, port: u16) -> Running {
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.directory.path().join(format!("{service}.log")))
            .unwrap();
        let mut command = self.command(service, port);
        command.stdout(log.try_clone().unwrap()).stderr(log);
        Running(command.spawn().unwrap())
    }

    pub(crate) fn ledger(&self) -> Running {
        self.spawn("ledger", self.port)
    }

    pub(crate) fn producer(&self) -> Running {
        self.spawn("producer", self.producer_port)
    }

    pub(crate) fn client(&self) -> LedgerClient {
        LedgerClient::new(&format!("http://127.0.0.1:{}", self.port)).unwrap()
    }

    pub(crate) async fn until_ready(&self) {
        let client = self.client();
        until("the ledger to be ready", || async {
            client.info().await.is_ok()
        })
        .await;
    }

    async fn until_confirmed(&self, id: &tana_protocol::TransactionId) {
        let client = self.client();
        until("a transaction to be in a block", || async {
            let view = client.transaction(id).await;
            view.is_ok_and(|view| view.block_height.is_some())
        })
        .await;
    }

    pub(crate) async fn user(&self, name: &str) -> Person {
        let key = SecretKey::generate();
        let signed = creation(name, &key);
        self.client().submit(&signed).await.unwrap();
        self.until_confirmed(&signed.id()).await;
        Person {
            id: UserId::created_by(&signed.id()),
            key,
        }
    }

    /// Submits until the ledger has taken each of them, whatever becomes of it meanwhile.
    async fn submit_all(&self, transfers: &[SignedTransaction]) {
        let client = self.client();
        until("the ledger to take every transfer", || async {
            let Ok(answers) = client.submit_batch(transfers).await else {
                return false;
            };
            answers
                .iter()
                .all(|answer| matches!(answer, BatchAnswer::Accepted(_)))
        })
        .await;
    }
}

#[tokio::test]
async fn a_ledger_killed_between_blocks_on_postgresql_loses_nothing_and_the_chain_verifies() {
    let scratch = Scratch::create().await;
    let site = Site::new(&scratch.address);
    let mut ledger = site.ledger();
    site.until_ready().await;
    let mut producer = site.producer();
    let (alice, bob) = (site.user("alice").await, site.user("bob").await);
    let deposit = money(
        TransactionType::Deposit,
        &site.sovereign,
        alice.id,
        "100",
        1,
    );
    site.client().submit(&deposit).await.unwrap();
    site.until_confirmed(&deposit.id()).await;
    let mut all = Vec::new();
    for round in 0..5_u64 {
        let transfers: Vec<_> = (1..=40)
            .map(|n| {
                money(
                    TransactionType::Transfer,
                    &alice,
                    bob.id,
                    "0.10",
                    round * 40 + n,
                )
            })
            .collect();
        site.submit_all(&transfers).await;
        all.extend(transfers);
        // At another moment of a block's life each time.
        tokio::time::sleep(Duration::from_millis(37 * round)).await;
        ledger.kill();
        if round == 3 {
            producer.kill();
            producer = site.producer();
        }
        ledger = site.ledger();
        site.until_ready().await;
    }
    for transfer in &all {
        site.until_confirmed(&transfer.id()).await;
    }
    let client = site.client();
    let balance = client.balances(&bob.id).await.unwrap();
    assert_eq!(balance[0].amount.to_string(), "20");
    let tip = client.info().await.unwrap().height;
    let mut seen = std::collections::BTreeSet::new();
    for height in 0..=tip {
        let verification = client.verify_block(height).await.unwrap();
        assert!(verification.valid, "{verification:?}");
        let block = client.block(height).await.unwrap();
        for receipt in block.receipts.unwrap_or_default() {
            assert!(
                seen.insert(receipt.transaction_id),
                "{receipt:?} is there twice"
            );
        }
    }
    assert_eq!(seen.len(), all.len() + 3);
    drop((ledger, producer));
    scratch.remove().await;
}

#[tokio::test]
async fn a_ledger_without_its_postgresql_says_so_in_one_sentence() {
    let site = Site::new("postgres://tana:geheim@127.0.0.1:1/tana");
    let output = site.command("ledger", site.port).output().unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("no PostgreSQL answers at postgres://tana@127.0.0.1:1/tana"),
        "{said}"
    );
    assert!(!said.contains("geheim"), "{said}");
}
