//! Content that blocks refer to comes to every node by itself, and what none refers to goes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::json;
use tana_home::KeyFile;
use tana_kit::{Shutdown, Tasks};
use tana_protocol::api::content::SyncStatus;
use tana_protocol::node::NodeKey;
use tana_protocol::{Block, Hash32, SignedTransaction, TransactionType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::chain_site::{Chain, Person, money};
use crate::daemon::{Daemon, LONG, until};
use crate::mesh;
use crate::t4_rot::{Keeper, Reach};

/// A chain whose node has a content store of its own, and a mesh.
struct Site {
    _directory: tempfile::TempDir,
    mesh: Daemon,
    chain: Chain,
    own: Keeper,
    people: [Person; 2],
}

impl Site {
    async fn start(variables: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mesh = mesh::start(directory.path(), LONG * 60).await;
        let mut chain = Chain::start().await;
        let file = KeyFile::read(&chain.settings.home.node_key_file()).unwrap();
        let key = NodeKey::new(file.secret_key);
        let reach = Reach::default().larger().key(key);
        let own = Keeper::reached("validator-1", &mesh, reach).await;
        let mut all = vec![
            ("MESH_URL", mesh.base.as_str()),
            ("T4_URL", own.daemon.base.as_str()),
        ];
        all.extend_from_slice(variables);
        chain.restart_with(&all).await;
        let people = chain.people(["alice", "bob"]).await;
        Self {
            _directory: directory,
            mesh,
            chain,
            own,
            people,
        }
    }

    fn transfer(&self, refs: &serde_json::Value, nonce: u64) -> SignedTransaction {
        let [alice, bob] = &self.people;
        let plain = money(TransactionType::Transfer, alice, bob.id, "1", nonce);
        let mut transaction = plain.transaction;
        transaction.metadata = Some(json!({ "contentRefs": refs }));
        transaction.sign(&alice.key)
    }

    /// A block with a transaction that refers to these.
    async fn refer(&self, hashes: &[Hash32]) -> Block {
        let nonce = self.chain.next_nonce(self.people[0].id).await;
        let transfer = self.transfer(&json!(hashes), nonce);
        self.chain.client().submit(&transfer).await.unwrap();
        self.chain.seal().await
    }

    async fn status(&self) -> SyncStatus {
        self.chain.client().content_status().await.unwrap()
    }

    async fn until_whole(&self) {
        until("nothing to be missing", async || {
            let status = self.status().await;
            let tip = self.chain.client().info().await.unwrap().height;
            status.missing_count == 0 && status.height == tip
        })
        .await;
    }

    async fn has(&self, hash: &Hash32) -> bool {
        self.own.client().check(hash).await.unwrap().is_some()
    }
}

fn bytes(length: u32) -> Vec<u8> {
    (0..length / 4).flat_map(u32::to_le_bytes).collect()
}

#[tokio::test]
async fn what_a_block_refers_to_comes_from_the_node_that_has_it() {
    let site = Site::start(&[]).await;
    let liar = Keeper::join("liar", &site.mesh).await;
    let two = Keeper::join("two", &site.mesh).await;
    let content = bytes(900_000);
    let hash = liar.put(&content).await;
    two.put(&content).await;
    liar.rot(&hash);
    let other = two.put(b"more").await;
    let block = site.refer(&[hash, other, hash]).await;
    let mut refs = vec![hash, other];
    refs.sort_unstable();
    assert_eq!(block.content.header.content_refs, refs);
    let verified = site
        .chain
        .client()
        .verify_block(block.height())
        .await
        .unwrap();
    assert!(verified.valid, "{verified:?}");
    site.until_whole().await;
    let status = site.status().await;
    assert_eq!((status.referenced, status.fetched), (2, 2));
    assert_eq!(status.fetched_bytes, 900_004);
    assert!(site.has(&hash).await && site.has(&other).await);
}

#[tokio::test]
async fn what_nobody_has_yet_is_said_to_be_missing_and_comes_when_somebody_does() {
    let mut site = Site::start(&[]).await;
    let two = Keeper::join("two", &site.mesh).await;
    let hash = Hash32::of(b"late");
    site.refer(&[hash]).await;
    until("the miss to be explained", async || {
        let status = site.status().await;
        let missing = status.missing.first();
        missing.is_some_and(|m| m.hash == hash && m.trouble.is_some() && m.height == Some(3))
    })
    .await;
    two.put(b"late").await;
    site.until_whole().await;
    assert!(site.has(&hash).await);

    // Away while blocks and content came, it finds by itself what it lacks.
    site.own
        .client()
        .delete(&hash, &site.own.token())
        .await
        .unwrap();
    site.chain.restart().await;
    site.until_whole().await;
    assert!(site.has(&hash).await);
}

/// Passes a store on, byte for byte, but breaks the first answers off.
async fn breaking(tasks: &Tasks, base: &str, breaks: u64, counted: Arc<AtomicU64>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let target = base.trim_start_matches("http://").to_owned();
    let connections = tasks.clone();
    tasks.spawn("listener", async move {
        let mut number = 0;
        while let Ok((mut client, _)) = listener.accept().await {
            let mut store = TcpStream::connect(&target).await.unwrap();
            let counted = counted.clone();
            number += 1;
            let limit = if number <= breaks {
                2_000_000
            } else {
                u64::MAX
            };
            connections.spawn("connection", async move {
                let (mut asks, mut answers) = client.split();
                let (from, mut to) = store.split();
                let mut from = from.take(limit);
                let forth = tokio::io::copy(&mut asks, &mut to);
                let back = async {
                    let sent = tokio::io::copy(&mut from, &mut answers).await;
                    counted.fetch_add(sent.unwrap_or(0), Ordering::SeqCst);
                    let _gone = answers.shutdown().await;
                };
                tokio::select! {
                    () = back => {}
                    _ = forth => {}
                }
            });
        }
    });
    port
}

#[tokio::test]
async fn a_download_that_breaks_off_goes_on_from_the_same_byte() {
    let site = Site::start(&[]).await;
    let tasks = Tasks::new(Shutdown::new());
    let counted = Arc::new(AtomicU64::new(0));
    let store = Keeper::reached("hidden", &site.mesh, Reach::default().larger().unlisted()).await;
    let port = breaking(&tasks, &store.daemon.base, 2, counted.clone()).await;
    let shown = Reach::default().larger().port(port);
    let _two = Keeper::reached("two", &site.mesh, shown).await;
    let content = bytes(5_000_000);
    let hash = store.put(&content).await;
    site.refer(&[hash]).await;
    site.until_whole().await;
    assert!(site.has(&hash).await);
    // Two parts of two million bytes, less their heads, and the rest; from the start each time it were nine million.
    let sent = counted.load(Ordering::SeqCst);
    assert!(sent < 6_000_000, "{sent} bytes were sent for 5 000 000");
    assert_eq!(site.status().await.fetched, 1);
}

#[tokio::test]
async fn content_that_no_block_refers_to_goes_after_its_grace() {
    let site = Site::start(&[("CONTENT_GRACE_MS", "1")]).await;
    let mut site = site;
    site.chain.ledger.stop().await;
    let useless = site.own.put(b"nobody refers to this").await;
    let kept = site.own.put(b"a block refers to this").await;
    site.chain.restart().await;
    // The first comparison may come before the block: then it comes back from another node.
    let two = Keeper::join("two", &site.mesh).await;
    two.put(b"a block refers to this").await;
    site.refer(&[kept]).await;
    until("the useless to be gone", async || !site.has(&useless).await).await;
    site.until_whole().await;
    assert!(site.has(&kept).await);
    assert!(site.status().await.collected >= 1);
}

#[tokio::test]
async fn references_that_are_none_are_refused() {
    let site = Site::start(&[]).await;
    let many: Vec<Hash32> = (0..65_u8).map(|n| Hash32::of(&[n])).collect();
    for refs in [json!("x"), json!(["abc"]), json!([1]), json!(many)] {
        let refused = site.chain.client().submit(&site.transfer(&refs, 1)).await;
        let refused = refused.unwrap_err().to_string();
        assert!(refused.contains("metadata.contentRefs"), "{refused}");
    }
}
