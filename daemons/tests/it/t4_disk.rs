//! The content store's program on a real disk: one that is full, and a process that is killed in the middle.

use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt as _;
use tana_client::{ContentClient, now};
use tana_home::{Home, KeyFile};
use tana_protocol::node::NodeKey;
use tana_protocol::{Code, Hash32, ServiceKind, ServiceToken};
use tokio::process::{Child, Command};

use crate::daemon::until;

/// The program with its home and its content in one directory.
struct Program {
    child: Child,
    client: ContentClient,
    token: ServiceToken,
}

fn make_home(directory: &Path) -> KeyFile {
    let home = Home::at(directory);
    home.create().unwrap();
    let key = KeyFile::generate();
    key.create(&home.node_key_file()).unwrap();
    key
}

impl Program {
    /// `before` comes before the program's own words, with its content directory for `$CONTENT_DIR`.
    async fn start(directory: &Path, key: &KeyFile, before: &[&str]) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
        let port = free.unwrap().port().to_string();
        let program = env!("CARGO_BIN_EXE_tanad");
        let mut words: Vec<&str> = before.to_vec();
        words.extend([program, "t4", "--port", &port]);
        let child = Command::new(words[0])
            .args(&words[1..])
            .env("TANA_HOME", directory)
            .env("CONTENT_DIR", directory.join("content"))
            .env("MESH_URL", "http://127.0.0.1:9")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let client = ContentClient::new(&format!("http://127.0.0.1:{port}")).unwrap();
        until("the content store", async || client.info().await.is_ok()).await;
        let kind = ServiceKind::Ledger;
        let ledger = NodeKey::new(key.secret_key.clone()).service_key(kind);
        let node = "validator-1".parse().unwrap();
        let token = ServiceToken::issue(&ledger, kind, node, now(), Duration::from_secs(600));
        Self {
            child,
            client,
            token,
        }
    }

    async fn put(&self, bytes: Vec<u8>) -> Result<Hash32, Option<Code>> {
        let stored = self.client.put(bytes.into(), &self.token).await;
        stored.map(|stored| stored.hash).map_err(|e| e.code())
    }
}

#[tokio::test]
async fn a_full_disk_refuses_and_keeps_what_there_is() {
    let directory = tempfile::tempdir().unwrap();
    let key = make_home(directory.path());
    std::fs::create_dir(directory.path().join("content")).unwrap();
    // A file system of its own, of two megabytes, that only the program and its children see.
    let script = "mount -t tmpfs -o size=2m tmpfs \"$CONTENT_DIR\" && exec \"$@\"";
    let own = ["unshare", "--user", "--map-root-user", "--mount"];
    let before: Vec<&str> = own.into_iter().chain(["sh", "-c", script, "sh"]).collect();
    let store = Program::start(directory.path(), &key, &before).await;
    let first = store.put(vec![1; 1 << 20]).await.unwrap();
    let full = store.put(vec![2; 2 << 20]).await;
    assert_eq!(full, Err(Some(Code::InsufficientStorage)));
    assert_eq!(store.client.check(&first).await.unwrap(), Some(1 << 20));
    let info = store.client.info().await.unwrap();
    assert_eq!(
        (info.count, info.bytes),
        (1, 1 << 20),
        "nothing is left of it"
    );
    store.put(vec![3; 1 << 19]).await.unwrap();
}

#[tokio::test]
async fn a_process_that_is_killed_in_the_middle_of_an_upload_leaves_nothing_half() {
    let directory = tempfile::tempdir().unwrap();
    let key = make_home(directory.path());
    let mut store = Program::start(directory.path(), &key, &[]).await;
    let before = store.put(b"stored and answered".to_vec()).await.unwrap();
    let part = Bytes::from(vec![7; 1 << 20]);
    let whole = Hash32::of(&vec![7; 8 << 20]);
    let (parts, sent) = futures::channel::mpsc::unbounded();
    let (client, token) = (store.client.clone(), store.token.clone());
    let upload = client.put_stream(&whole, sent.map(Ok::<_, std::io::Error>), &token);
    for _ in 0..4 {
        parts.unbounded_send(part.clone()).unwrap();
    }
    let unfinished = directory.path().join("content/tmp");
    let killed = async {
        until("half of it to be on the disk", async || {
            let found = std::fs::read_dir(&unfinished).unwrap();
            let mut sizes = found.flatten().filter_map(|entry| entry.metadata().ok());
            sizes.any(|about| about.len() > 1 << 20)
        })
        .await;
        store.child.kill().await.unwrap();
    };
    let (answer, ()) = futures::join!(upload, killed);
    assert!(answer.is_err());

    let store = Program::start(directory.path(), &key, &[]).await;
    assert!(std::fs::read_dir(&unfinished).unwrap().next().is_none());
    assert_eq!(store.client.size(&whole).await.unwrap(), None);
    assert!(store.client.check(&before).await.unwrap().is_some());
    let info = store.client.info().await.unwrap();
    assert_eq!((info.count, info.bytes), (1, 19));
    store.put(vec![7; 8 << 20]).await.unwrap();
    assert_eq!(store.client.check(&whole).await.unwrap(), Some(8 << 20));
}
