//! Turning to another node: one whose home is here, and one that is elsewhere, its supervisor reached through a command.

use serde_json::json;

use crate::binary;
use crate::node::Node;
use crate::terminal::Terminal;
use crate::wait::LONG;

#[test]
fn the_console_turns_to_other_nodes_and_back() {
    let (here, other) = (Node::running(), Node::running());
    let path = format!("PATH={}:/usr/bin:/bin", binary::dir().display());
    let home = format!("TANA_HOME={}", other.home().display());
    here.set(
        "contexts",
        json!({
            "beside": {"home": other.home()},
            "far": {"node": "http://127.0.0.1", "portOffset": other.offset, "readOnly": true,
                // What SSH does between machines, done on this one.
                "via": ["env", path, home]},
        }),
    );
    let port = |node: &Node| (8080 + node.offset).to_string();
    let console = Terminal::console(here.home(), 120, 36);
    console.until(&port(&here), LONG);

    console.keys(":ctx beside\r");
    console.until(&port(&other), LONG);
    assert!(!console.text().contains(&port(&here)), "{}", console.text());
    console.keys("4");
    console.until("height 0", LONG);

    console.keys("1:ctx far\r");
    console.until("read-only", LONG);
    console.until(&port(&other), LONG);
    // The ledger's address is copied, nothing is changed.
    console.keys("r");
    console.until("nothing was changed", LONG);
    assert_eq!(other.service("mesh").unwrap().restarts, 0);

    console.keys(":ctx nowhere\r");
    console.until("beside, far", LONG);
    console.keys(":ctx here\r");
    console.until(&port(&here), LONG);

    let status = here.json(&["--context", "beside", "status"]);
    assert_eq!(status["portOffset"], other.offset);
    let refused = here.tana(&["--context", "far", "stop"]);
    assert_eq!(refused.code, Some(2), "{}", refused.err);
    let refused = here.tana(&["--context", "far", "contract", "call", "counter"]);
    assert_eq!(refused.code, Some(2), "{}", refused.err);
    let refused = here.tana(&["--read-only", "stop"]);
    assert_eq!(refused.code, Some(2), "{}", refused.err);
    here.until_ready();
    other.until_ready();
    here.tana(&["--context", "nowhere", "status"])
        .refused(&["beside, far"]);
}

#[test]
fn a_proxy_without_a_node_says_so() {
    let node = Node::with_chain();
    let ran = node.tana(&["node", "proxy"]);
    assert_eq!(ran.code, Some(3));
    assert!(ran.err.contains("tana start"), "{}", ran.err);
}
