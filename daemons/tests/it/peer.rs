//! A client that shares no code with us, against the real daemons: `tests/peer/peer.py`, on libsodium.

use std::path::Path;

use tana_daemons::producer;
use tana_home::{Home, KeyFile, PushProvider, PushSettings, UserFile};
use tana_kit::http::Limits;
use tana_protocol::ServiceKind;

use crate::daemon::Daemon;
use crate::identity::Site;
use crate::node::sovereign;
use crate::{mesh, t4};

#[tokio::test]
async fn a_peer_with_none_of_our_code_finds_everything_as_agreed() {
    // Free a moment ago; the peer itself listens there.
    let port = {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        free.local_addr().unwrap().port()
    };
    let site = Site::with(|config| {
        config.push = Some(PushSettings {
            provider: PushProvider::Webhook,
            url: format!("http://127.0.0.1:{port}/"),
            secret: None,
        });
    })
    .await;
    let settings = site.settings().clone();
    let _producer = Daemon::start(ServiceKind::Producer, Limits::default(), |context| {
        producer::build(settings, context)
    })
    .await;
    let directory = site.directory();
    let home = Home::at(directory);
    KeyFile::from(sovereign())
        .create(&home.sovereign_key_file())
        .unwrap();
    let alice = &site.alice;
    let file = UserFile {
        username: alice.name.clone(),
        display_name: "Alice".into(),
        user_id: Some(alice.id),
        chain_id: Some("test-1".into()),
        public_key: alice.key.public(),
        secret_key: alice.key.clone(),
    };
    file.create(&home.user_file("alice")).unwrap();
    let mesh = mesh::start(directory, std::time::Duration::from_secs(300)).await;
    let content = t4::open(directory, &mesh).await;

    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peer/peer.py");
    let ran = tokio::process::Command::new(python().await)
        .arg(script)
        .arg("--home")
        .arg(directory)
        .args(["--user", "alice", "--mesh", &mesh.base])
        .args(["--identity", &site.identity.base, "--t4", &content.base])
        .args(["--ledger", &site.settings().url(ServiceKind::Ledger)])
        .args(["--push-port", &port.to_string()])
        .output()
        .await
        .expect("it was just run");
    let shown = String::from_utf8_lossy(&ran.stdout);
    let failures = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{shown}\n{failures}");
    assert!(shown.contains("checks hold"), "{shown}");
}

/// The Python that has what the peer needs: the first in PATH, or the system's, which Debian's packages are for.
pub(crate) async fn python() -> &'static str {
    for python in ["python3", "/usr/bin/python3"] {
        let imported = tokio::process::Command::new(python)
            .args(["-c", "import nacl, requests"])
            .output()
            .await;
        if imported.is_ok_and(|ran| ran.status.success()) {
            return python;
        }
    }
    panic!("this test needs python3 with PyNaCl and requests; cargo xtask test installs them");
}
