//! Decisions signed by a key in a real ssh-agent, and by a key file under a passphrase; by the console and by the command.

use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::binary;
use crate::node::Node;
use crate::terminal::Terminal;
use crate::wait::{LONG, until_true};

/// An ssh-agent with one Ed25519 key, ended with the test.
pub(crate) struct Agent {
    child: Child,
    pub(crate) public: String,
}

impl Agent {
    pub(crate) fn with_key(dir: &Path) -> Self {
        let (socket, key) = (dir.join("agent.sock"), dir.join("id"));
        let made = Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-C", "carol@laptop", "-f"])
            .arg(&key)
            .status()
            .unwrap();
        assert!(made.success());
        let child = Command::new("ssh-agent")
            .arg("-D")
            .arg("-a")
            .arg(&socket)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        until_true("the ssh-agent to listen", LONG, || socket.exists());
        let added = Command::new("ssh-add")
            .arg(&key)
            .env("SSH_AUTH_SOCK", &socket)
            .stderr(Stdio::null())
            .status()
            .unwrap();
        assert!(added.success());
        // The private half is in the agent alone.
        std::fs::remove_file(&key).unwrap();
        // Programs read a `.env` of the directory that they run in, which is the home.
        std::fs::write(
            dir.join(".env"),
            format!("SSH_AUTH_SOCK={}\n", socket.display()),
        )
        .unwrap();
        let public = std::fs::read_to_string(key.with_extension("pub")).unwrap();
        Self {
            child,
            public: public.trim().to_owned(),
        }
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn register(node: &Node, id: &str, beside: u16) {
    let offset = (node.offset + beside).to_string();
    let args = [
        "mesh",
        "register",
        "--dev",
        "--once",
        "--node-id",
        id,
        "--port-offset",
        &offset,
    ];
    node.tana(&args).ok();
}

pub(crate) fn approved_by(node: &Node, id: &str) -> Value {
    let nodes = node.json(&["mesh", "list"]);
    let nodes = nodes.as_array().unwrap();
    let found = nodes.iter().find(|n| n["id"] == id).unwrap();
    found["approved_by"].clone()
}

#[test]
fn an_ssh_agents_key_approves_in_the_console_and_on_the_command_line() {
    let node = Node::running();
    let agent = Agent::with_key(node.home());
    node.tana(&["sovereign", "add", &agent.public, "--description", "carol"])
        .ok();
    register(&node, "validator-2", 100);
    register(&node, "validator-3", 100);

    // Nothing but the agent can sign here.
    std::fs::rename(node.file("sovereign-key.json"), node.file("away.json")).unwrap();
    let console = Terminal::console(node.home(), 120, 36);
    console.until("ready", LONG);
    console.keys("3");
    console.until("ssh-agent, carol@laptop", LONG);
    console.keys("a");
    console.until("Signed with", LONG);
    console.keys("y");
    console.until("validator-2 is approved", LONG);

    // Carol decides for the mesh and is nobody on the chain: half of an approval is hers.
    let half = node.tana(&["mesh", "approve", "validator-3", "--yes", "--ssh-agent"]);
    assert_eq!(half.code, Some(1), "{}", half.err);
    assert!(
        half.err.contains("validators stay as they are"),
        "{}",
        half.err
    );
    let key = approved_by(&node, "validator-2");
    assert_eq!(key, approved_by(&node, "validator-3"));
    let keys = node.json(&["sovereign", "list"]);
    let carol = keys
        .as_array()
        .unwrap()
        .iter()
        .find(|k| k["description"] == "carol")
        .unwrap();
    assert_eq!(carol["publicKey"], key);
    node.tana(&[
        "mesh",
        "deny",
        "validator-3",
        "--yes",
        "--ssh-agent",
        "nobody",
    ])
    .refused(&["sovereign add"]);
}

#[test]
fn a_sealed_key_signs_with_its_passphrase_alone() {
    let node = Node::running();
    register(&node, "validator-2", 100);
    register(&node, "validator-3", 100);
    let with_input = |args: &[&str], input: &str| {
        let mut child = binary::command("tana", node.home())
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(input.as_bytes())
            .unwrap();
        child.wait_with_output().unwrap()
    };
    assert!(
        with_input(&["sovereign", "seal"], "open sesame\n")
            .status
            .success()
    );
    let text = std::fs::read_to_string(node.file("sovereign-key.json")).unwrap();
    assert!(
        text.contains("argon2id") && !text.contains("secretKey"),
        "{text}"
    );

    let console = Terminal::console(node.home(), 80, 24);
    console.until("ready", LONG);
    console.keys("3");
    console.until("sealed", LONG);
    console.keys("ay");
    console.until("passphrase of sovereign-key.json", LONG);
    console.keys("wrong\r");
    console.until("does not open this key", LONG);
    console.keys("ay");
    console.until("passphrase of sovereign-key.json", LONG);
    console.keys("open sesame");
    console.until("•••••••••••", LONG);
    assert!(!console.text().contains("sesame"), "{}", console.text());
    console.keys("\r");
    console.until("validator-2 is approved", LONG);

    let denied = with_input(&["mesh", "deny", "validator-3", "--yes"], "wrong\n");
    assert_eq!(denied.status.code(), Some(1));
    let denied = with_input(&["mesh", "deny", "validator-3", "--yes"], "open sesame\n");
    assert!(denied.status.success(), "{denied:?}");

    // The key that takes its place is under the same passphrase, and the chain's sovereign still signs with the old one.
    let rotated = with_input(&["sovereign", "rotate"], "open sesame\n");
    assert!(rotated.status.success(), "{rotated:?}");
    let text = std::fs::read_to_string(node.file("sovereign-key.json")).unwrap();
    assert!(
        text.contains("argon2id") && !text.contains("secretKey"),
        "{text}"
    );
    node.user("alice");
    let deposit = ["deposit", "alice", "5", "USD", "--wait"];
    let deposited = with_input(&deposit, "open sesame\n");
    assert!(deposited.status.success(), "{deposited:?}");
    assert!(
        with_input(&["sovereign", "unseal"], "open sesame\n")
            .status
            .success()
    );
    let text = std::fs::read_to_string(node.file("sovereign-key.json")).unwrap();
    assert!(text.contains("secretKey"));
}
