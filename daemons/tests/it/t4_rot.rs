//! Content that rots on the disk: found, put aside, fetched again. What the store holds, and how much it may.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;
use tana_client::{ContentClient, PageQuery, now};
use tana_daemons::t4::Config;
use tana_protocol::node::NodeKey;
use tana_protocol::{Code, Hash32, SecretKey, ServiceKind, ServiceToken};

use crate::daemon::{Daemon, until};
use crate::node::Node;
use crate::{mesh, t4};

const MINUTE: Duration = Duration::from_secs(60);

/// A node with a content store that the mesh knows the address of.
pub(crate) struct Keeper {
    pub(crate) node: Node,
    pub(crate) home: tempfile::TempDir,
    pub(crate) daemon: Daemon,
}

impl Keeper {
    pub(crate) async fn join(id: &str, mesh: &Daemon) -> Self {
        Self::reached(id, mesh, Reach::default()).await
    }

    pub(crate) async fn with(id: &str, mesh: &Daemon, change: fn(&mut Config)) -> Self {
        let reach = Reach {
            change,
            ..Reach::default()
        };
        Self::reached(id, mesh, reach).await
    }

    pub(crate) async fn reached(id: &str, mesh: &Daemon, reach: Reach) -> Self {
        let home = tempfile::tempdir().unwrap();
        std::fs::write(
            home.path().join("config.json"),
            json!({ "nodeId": id }).to_string(),
        )
        .unwrap();
        let node = Node {
            id: id.parse().unwrap(),
            key: reach.key,
        };
        let mut config = t4::config(home.path());
        (reach.change)(&mut config);
        let daemon = t4::open_as(config, home.path(), mesh).await;
        let own: u16 = daemon.base.rsplit_once(':').unwrap().1.parse().unwrap();
        let mut body = node.registration(&node.key.public().to_string());
        body["tailscaleIP"] = json!("127.0.0.1");
        for service in body["services"].as_array_mut().unwrap() {
            if service["type"] == "t4" {
                service["port"] = json!(reach.port.unwrap_or(own));
                if reach.unlisted {
                    service["type"] = json!("t4-elsewhere");
                }
            }
        }
        mesh.post("/register", &body).await.ok(201);
        node.approve(mesh).await.ok(200);
        Self { node, home, daemon }
    }

    pub(crate) fn client(&self) -> ContentClient {
        ContentClient::new(&self.daemon.base).unwrap()
    }

    pub(crate) fn token(&self) -> ServiceToken {
        let kind = ServiceKind::Ledger;
        let key = self.node.key.service_key(kind);
        ServiceToken::issue(&key, kind, self.node.id.clone(), now(), MINUTE)
    }

    pub(crate) async fn put(&self, bytes: &[u8]) -> Hash32 {
        let (client, token) = (self.client(), self.token());
        let stored = client.put(bytes.to_vec().into(), &token).await;
        stored.unwrap().hash
    }

    pub(crate) fn path(&self, hash: &Hash32) -> PathBuf {
        let hex = hash.to_hex();
        self.home.path().join("content").join(&hex[..2]).join(hex)
    }

    /// One bit of it turns on the disk.
    pub(crate) fn rot(&self, hash: &Hash32) {
        let mut bytes = std::fs::read(self.path(hash)).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(self.path(hash), bytes).unwrap();
    }
}

/// How a node's store is, and how the mesh says that it is reached.
pub(crate) struct Reach {
    change: fn(&mut Config),
    key: NodeKey,
    port: Option<u16>,
    unlisted: bool,
}

impl Default for Reach {
    fn default() -> Self {
        Self {
            change: |_| {},
            key: NodeKey::new(SecretKey::generate()),
            port: None,
            unlisted: false,
        }
    }
}

impl Reach {
    pub(crate) fn larger(mut self) -> Self {
        self.change = |config| config.max_bytes = 1 << 30;
        self
    }

    pub(crate) fn key(self, key: NodeKey) -> Self {
        Self { key, ..self }
    }

    /// By this port, which is not its own.
    pub(crate) fn port(self, port: u16) -> Self {
        Self {
            port: Some(port),
            ..self
        }
    }

    /// Not at all.
    pub(crate) fn unlisted(self) -> Self {
        Self {
            unlisted: true,
            ..self
        }
    }
}

#[tokio::test]
async fn rot_is_never_sent_to_the_end_and_lies_in_quarantine_until_it_is_replaced() {
    let home = tempfile::tempdir().unwrap();
    let mesh = mesh::start(home.path(), 5 * MINUTE).await;
    let one = Keeper::join("one", &mesh).await;
    let bytes: Vec<u8> = (0..225_000_u32).flat_map(u32::to_le_bytes).collect();
    let hash = one.put(&bytes).await;
    let url = one.daemon.url(&format!("/content/{hash}?verify=true"));
    let whole = one.daemon.http().get(&url).send().await.unwrap();
    assert_eq!(whole.bytes().await.unwrap(), bytes);
    assert_eq!(one.client().check(&hash).await.unwrap(), Some(900_000));

    one.rot(&hash);
    let rotten = one.daemon.http().get(&url).send().await.unwrap();
    assert!(rotten.bytes().await.is_err(), "the last part never comes");
    assert_eq!(one.client().size(&hash).await.unwrap(), None);
    let info = one.client().info().await.unwrap();
    assert_eq!((info.quarantined, info.count), (vec![hash], 0));
    assert_eq!(info.bytes, 0);
    // The ledger may as well store it again.
    assert_eq!(one.put(&bytes).await, hash);
    assert_eq!(one.client().check(&hash).await.unwrap(), Some(900_000));
    one.rot(&hash);
    assert_eq!(one.client().check(&hash).await.unwrap(), None, "by HEAD");
}

#[tokio::test]
async fn every_reading_may_be_a_checked_one() {
    let home = tempfile::tempdir().unwrap();
    let mesh = mesh::start(home.path(), 5 * MINUTE).await;
    let one = Keeper::with("one", &mesh, |config| config.check_one_in = 1).await;
    let hash = one.put(b"content that rots").await;
    one.rot(&hash);
    assert!(one.client().get(&hash, 100).await.is_err());
    assert_eq!(one.client().get(&hash, 100).await.unwrap(), None);
}

#[tokio::test]
async fn a_pass_over_all_content_finds_the_rot_and_another_node_replaces_it() {
    let home = tempfile::tempdir().unwrap();
    let mesh = mesh::start(home.path(), 5 * MINUTE).await;
    let one = Keeper::join("one", &mesh).await;
    let two = Keeper::join("two", &mesh).await;
    let liar = Keeper::join("liar", &mesh).await;
    let mut hashes = Vec::new();
    for number in 0..20_u8 {
        let bytes = vec![number; 10_000];
        let hash = one.put(&bytes).await;
        two.put(&bytes).await;
        liar.put(&bytes).await;
        hashes.push(hash);
    }
    for hash in [&hashes[3], &hashes[15]] {
        one.rot(hash);
        liar.rot(hash);
    }
    let scrubbed = one.client().scrub(&one.token()).await;
    assert_eq!(scrubbed.unwrap().service, "t4");
    until("both to be whole again", async || {
        let info = one.client().info().await.unwrap();
        info.scrub.finished_at.is_some() && info.quarantined.is_empty()
    })
    .await;
    let info = one.client().info().await.unwrap();
    assert_eq!((info.scrub.checked, info.scrub.rotten), (20, 2));
    assert_eq!((info.count, info.bytes), (20, 200_000));
    for hash in hashes {
        assert_eq!(one.client().check(&hash).await.unwrap(), Some(10_000));
    }
}

#[tokio::test]
async fn ledgers_list_all_that_there_is_in_pages() {
    let home = tempfile::tempdir().unwrap();
    let mesh = mesh::start(home.path(), 5 * MINUTE).await;
    let one = Keeper::join("one", &mesh).await;
    let mut put = Vec::new();
    for number in 0..23_u8 {
        put.push(one.put(&[number; 100]).await);
    }
    put.sort_unstable();
    let mut listed = Vec::new();
    let mut query = PageQuery::first(10);
    loop {
        let page = one.client().list(&query, &one.token()).await.unwrap();
        assert!(page.items.iter().all(|content| content.size == 100));
        listed.extend(page.items.into_iter().map(|content| content.hash));
        match page.next {
            Some(next) => query.cursor = Some(next),
            None => break,
        }
    }
    assert_eq!(listed, put);
    assert_eq!(one.daemon.get("/content").await.problem(401), "bad-token");
    let posted = one.daemon.post("/scrub", &json!({})).await;
    assert_eq!(posted.problem(401), "bad-token");
}

#[tokio::test]
async fn the_quota_holds_and_room_comes_back_when_content_goes() {
    let home = tempfile::tempdir().unwrap();
    let mesh = mesh::start(home.path(), 5 * MINUTE).await;
    let one = Keeper::with("one", &mesh, |config| config.quota_bytes = Some(1000)).await;
    let first = one.put(&[1; 600]).await;
    let refused = one.client().put(vec![2; 401].into(), &one.token()).await;
    assert_eq!(refused.unwrap_err().code(), Some(Code::InsufficientStorage));
    let info = one.client().info().await.unwrap();
    assert_eq!(
        (info.count, info.bytes, info.quota_bytes),
        (1, 600, Some(1000))
    );
    one.put(&[2; 400]).await;
    one.client().delete(&first, &one.token()).await.unwrap();
    one.put(&[3; 600]).await;
    assert_eq!(one.client().info().await.unwrap().bytes, 1000);
}
