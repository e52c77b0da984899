//! The first run: an empty home, keys alone, and a node that runs.

use std::fs;

use crate::node::Node;
use crate::terminal::Terminal;
use crate::wait::{LONG, until};

const PASSPHRASE: &str = "first and last";

/// Answers every question up to the last, at which Enter makes the chain.
fn up_to_the_summary(node: &Node, console: &Terminal) {
    console.until("No chain is here yet", LONG);
    console.keys("\r");
    console.until("What is the chain called?", LONG);
    // One that cannot be is refused, and said why.
    console.keys(" \r");
    console.until("a name is 1 to 40", LONG);
    console.keys("\x7f\r");
    console.until("What is this node for?", LONG);
    console.keys("\r");
    console.until("Which ports?", LONG);
    console.keys(&format!("\x7f{}\r", node.offset));
    console.until("Two keys are made", LONG);
    console.keys(&format!("{PASSPHRASE}\r"));
    console.until("The same again:", LONG);
    // Typed wrongly the second time, both are asked for anew.
    console.keys("something else\r");
    console.until("the two differ", LONG);
    console.keys(&format!("{PASSPHRASE}\r"));
    console.until("The same again:", LONG);
    console.keys(&format!("{PASSPHRASE}\r"));
    console.until("This is made", LONG);
    console.until("under a passphrase", LONG);
}

/// The sovereign's key as it lies there; none before it is made.
fn key(node: &Node) -> Option<String> {
    fs::read_to_string(node.home().join("sovereign-key.json")).ok()
}

#[test]
fn an_empty_home_becomes_a_running_node_by_keys_alone() {
    let node = Node::empty();
    let console = Terminal::console(node.home(), 80, 24);
    up_to_the_summary(&node, &console);
    assert!(key(&node).is_none(), "nothing is made before it is said");
    console.keys("\r");
    console.until("all well", LONG * 2);
    console.until("the chain demo runs", LONG);
    node.until_ready();
    assert_eq!(
        node.status().unwrap()["portOffset"],
        serde_json::json!(node.offset)
    );
    let key = key(&node).unwrap();
    assert!(
        key.contains("publicKey") && !key.contains("secretKey"),
        "the key lies under its passphrase"
    );
    assert!(!node.home().join("users/sovereign.json").exists());

    // Stopped from elsewhere and started from here it stands where it stood.
    node.tana(&["stop"]).ok();
    console.until("the node does not run", LONG);
    console.keys("S");
    console.until("all well", LONG * 2);
    assert_eq!(
        node.status().unwrap()["portOffset"],
        serde_json::json!(node.offset)
    );
    // Where it signs the console says how the key lies.
    console.keys("3");
    console.until("sealed", LONG);
}

#[test]
fn who_leaves_in_the_middle_leaves_no_open_key() {
    let node = Node::empty();
    let mut console = Terminal::console(node.home(), 80, 24);
    up_to_the_summary(&node, &console);
    console.keys("\r");
    // As soon as there is anything of the key, and before whatever comes next.
    let (first, _) = until("the key", LONG, || key(&node).ok_or_else(|| console.text()));
    console.keys("\x03");
    console.until_gone(LONG);
    until("the chain", LONG, || {
        let chain = node.home().join("chains/demo.json");
        chain.is_file().then_some(()).ok_or_else(String::new)
    });
    let left = key(&node).unwrap();
    for key in [&first, &left] {
        assert!(!key.contains("secretKey"), "an open key");
    }
    assert!(!node.home().join("users/sovereign.json").exists());
    // The next start goes on from there.
    let console = Terminal::console(node.home(), 80, 24);
    console.until_screen("what is there", LONG, |text| {
        text.contains("The node does not run.") || text.contains("all well")
    });
}
