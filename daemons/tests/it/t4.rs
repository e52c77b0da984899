//! The content store over HTTP, with service tokens that a real mesh vouches for.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures::stream;
use tana_client::{ContentClient, now};
use tana_daemons::ContentPeers;
use tana_daemons::service_keys::MeshServiceKeys;
use tana_daemons::t4::{Config, build};
use tana_home::{Environment, Overrides, Settings};
use tana_kit::SystemClock;
use tana_kit::http::Limits;
use tana_protocol::{Hash32, ServiceKind, ServiceToken};

use crate::daemon::{Answer, Daemon, answer, until};
use crate::mesh;
use crate::node::Node;

const MINUTE: Duration = Duration::from_secs(60);
const LIMIT: u64 = 1 << 20;

struct Store {
    _mesh: Daemon,
    daemon: Daemon,
    node: Node,
    home: tempfile::TempDir,
}

impl Store {
    async fn start() -> Self {
        let home = tempfile::tempdir().unwrap();
        let mesh = mesh::start(home.path(), 5 * MINUTE).await;
        let node = Node::new("node-1");
        node.join(&mesh).await;
        let daemon = open(home.path(), &mesh).await;
        Self {
            _mesh: mesh,
            daemon,
            node,
            home,
        }
    }

    fn token(&self, kind: ServiceKind) -> ServiceToken {
        let key = self.node.key.service_key(kind);
        ServiceToken::issue(&key, kind, self.node.id.clone(), now(), MINUTE)
    }

    fn path(&self, hash: &Hash32) -> std::path::PathBuf {
        let hex = hash.to_hex();
        self.home.path().join("content").join(&hex[..2]).join(hex)
    }

    async fn put(&self, hash: &Hash32, bytes: Vec<u8>, token: Option<&ServiceToken>) -> Answer {
        let request = self.daemon.http().put(self.url(hash)).body(bytes);
        answer(match token {
            Some(token) => request.bearer_auth(token.encode()),
            None => request,
        })
        .await
    }

    fn url(&self, hash: &Hash32) -> String {
        self.daemon.url(&format!("/content/{hash}"))
    }

    /// No upload has left anything.
    fn is_tidy(&self) -> bool {
        let left = std::fs::read_dir(self.home.path().join("content/tmp"));
        left.unwrap().next().is_none()
    }
}

pub(crate) fn config(home: &Path) -> Config {
    Config {
        directory: home.join("content"),
        max_bytes: LIMIT,
        quota_bytes: None,
        scrub_interval: Duration::ZERO,
        check_one_in: u32::MAX,
    }
}

pub(crate) async fn open(home: &Path, mesh: &Daemon) -> Daemon {
    open_as(config(home), home, mesh).await
}

/// A content store of a node with a node key in `home`, or of none.
pub(crate) async fn open_as(config: Config, home: &Path, mesh: &Daemon) -> Daemon {
    let overrides = Overrides {
        home: Some(home.to_owned()),
        ..Overrides::default()
    };
    let environment = Environment::from_iter([("MESH_URL", mesh.base.as_str())]);
    let settings = Settings::from_environment(&overrides, &environment).unwrap();
    Daemon::start(ServiceKind::T4, Limits::default(), |context| async move {
        let keys = Arc::new(MeshServiceKeys::new(&settings, Arc::new(SystemClock))?);
        let follow = keys.clone().follow(context.shutdown.clone());
        context.tasks.spawn("following the mesh", follow);
        let peers = ContentPeers::new(&settings)?;
        build(config, keys, peers, context).await
    })
    .await
}

#[tokio::test]
async fn content_comes_back_as_it_was_put_whole_and_in_parts() {
    let store = Store::start().await;
    let bytes: Vec<u8> = (0..700_000_u32)
        .flat_map(u32::to_le_bytes)
        .take(700_001)
        .collect();
    let hash = Hash32::of(&bytes);
    let client = ContentClient::new(&store.daemon.base).unwrap();
    let token = store.token(ServiceKind::Ledger);
    let stored = client.put(bytes.clone().into(), &token).await.unwrap();
    assert_eq!(
        (stored.hash, stored.size, stored.stored),
        (hash, 700_001, true)
    );
    assert_eq!(std::fs::read(store.path(&hash)).unwrap(), bytes);
    let again = store.put(&hash, bytes.clone(), Some(&token)).await;
    assert_eq!(again.status, 200, "it was there");
    assert!(store.is_tidy());
    let read = client.get(&hash, bytes.len()).await.unwrap();
    assert_eq!(read.unwrap(), bytes);
    assert_eq!(client.size(&hash).await.unwrap(), Some(700_001));

    let http = store.daemon.http();
    let whole = http.get(store.url(&hash)).send().await.unwrap();
    let header = |name: &str| whole.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(header("content-type"), "application/octet-stream");
    assert_eq!(header("content-length"), "700001");
    assert_eq!(header("x-content-hash"), hash.to_hex());
    assert_eq!(header("x-content-size"), "700001");
    assert_eq!(
        header("cache-control"),
        "public, max-age=31536000, immutable"
    );
    let tag = header("etag");
    let known = http.get(store.url(&hash)).header("if-none-match", &tag);
    assert_eq!(known.send().await.unwrap().status(), 304);

    let part = http
        .get(store.url(&hash))
        .header("range", "bytes=300000-599999");
    let part = part.send().await.unwrap();
    assert_eq!(part.status(), 206);
    assert_eq!(
        part.headers()["content-range"],
        "bytes 300000-599999/700001"
    );
    assert_eq!(part.bytes().await.unwrap(), bytes[300_000..600_000]);
    let beyond = http.get(store.url(&hash)).header("range", "bytes=700001-");
    let beyond = beyond.send().await.unwrap();
    assert_eq!(beyond.status(), 416);
    assert_eq!(beyond.headers()["content-range"], "bytes */700001");

    let deleted = client.delete(&hash, &token).await.unwrap();
    assert!(deleted.deleted);
    assert!(client.get(&hash, 1).await.unwrap().is_none());
    let gone = client.delete(&hash, &token).await.unwrap_err();
    assert_eq!(gone.code(), Some(tana_protocol::Code::NotFound));
}

#[tokio::test]
async fn nothing_is_as_well_content() {
    let store = Store::start().await;
    let hash = Hash32::of(b"");
    let token = store.token(ServiceKind::Ledger);
    assert_eq!(store.put(&hash, Vec::new(), Some(&token)).await.status, 201);
    let read = store
        .daemon
        .http()
        .get(store.url(&hash))
        .send()
        .await
        .unwrap();
    assert_eq!(read.status(), 200);
    assert_eq!(read.bytes().await.unwrap().len(), 0);
}

#[tokio::test]
async fn only_a_ledger_of_an_active_node_writes() {
    let store = Store::start().await;
    let bytes = b"hello".to_vec();
    let hash = Hash32::of(&bytes);
    let missing = store.put(&hash, bytes.clone(), None).await;
    assert_eq!(missing.problem(401), "bad-token");
    let producer = store.token(ServiceKind::Producer);
    let other = store.put(&hash, bytes.clone(), Some(&producer)).await;
    assert_eq!(other.problem(403), "forbidden");
    let mut forged = store.token(ServiceKind::Ledger);
    forged.claims.expires_at = forged.claims.expires_at.plus(MINUTE);
    let forged = store.put(&hash, bytes.clone(), Some(&forged)).await;
    assert_eq!(forged.problem(401), "bad-token");
    let stranger = Node::new("stranger");
    let key = stranger.key.service_key(ServiceKind::Ledger);
    let token = ServiceToken::issue(&key, ServiceKind::Ledger, stranger.id, now(), MINUTE);
    let unknown = store.put(&hash, bytes, Some(&token)).await;
    assert_eq!(unknown.problem(401), "bad-token");
    assert_eq!(
        answer(store.daemon.http().delete(store.url(&hash)))
            .await
            .problem(401),
        "bad-token"
    );
    assert!(store.is_tidy() && !store.path(&hash).exists());
}

#[tokio::test]
async fn a_bad_upload_leaves_nothing() {
    let store = Store::start().await;
    let token = store.token(ServiceKind::Ledger);
    let hash = Hash32::of(b"right");
    let wrong = store.put(&hash, b"wrong".to_vec(), Some(&token)).await;
    assert_eq!(wrong.problem(400), "hash-mismatch");

    let large = vec![7; usize::try_from(LIMIT).unwrap() + 1];
    let large_hash = Hash32::of(&large);
    let announced = store.put(&large_hash, large.clone(), Some(&token)).await;
    assert_eq!(announced.problem(413), "too-large");
    let chunks = large
        .chunks(10_000)
        .map(|chunk| Ok::<_, std::io::Error>(chunk.to_vec()));
    let chunks: Vec<_> = chunks.collect();
    let streamed = store
        .daemon
        .http()
        .put(store.url(&large_hash))
        .bearer_auth(token.encode())
        .body(reqwest::Body::wrap_stream(stream::iter(chunks)));
    assert_eq!(answer(streamed).await.problem(413), "too-large");

    let broken = stream::iter([
        Ok(b"rig".to_vec()),
        Err(std::io::Error::other("the ledger was killed")),
    ]);
    let broken = store
        .daemon
        .http()
        .put(store.url(&hash))
        .bearer_auth(token.encode())
        .body(reqwest::Body::wrap_stream(broken));
    assert!(broken.send().await.is_err());
    until("the broken upload to be gone", async || store.is_tidy()).await;
    assert!(!store.path(&hash).exists() && !store.path(&large_hash).exists());
    for path in ["/content/abc", "/content/..%2f..%2fetc%2fpasswd"] {
        assert_eq!(store.daemon.get(path).await.problem(400), "malformed");
    }
    let missing = store.daemon.get(&format!("/content/{hash}")).await;
    assert_eq!(missing.problem(404), "not-found");
}

#[tokio::test]
async fn what_a_crash_left_is_removed_at_the_start() {
    let home = tempfile::tempdir().unwrap();
    let left = home.path().join("content/tmp/left");
    std::fs::create_dir_all(left.parent().unwrap()).unwrap();
    std::fs::write(&left, "half").unwrap();
    let mesh = mesh::start(home.path(), MINUTE).await;
    let _daemon = open(home.path(), &mesh).await;
    assert!(!left.exists());
}
