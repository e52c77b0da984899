//! A second node registers, is approved at the console, and goes offline when it falls silent.

use std::time::Duration;

use crate::node::Node;
use crate::terminal::Terminal;
use crate::wait::{LONG, until};

const SECOND: &str = "validator-2";

fn register(node: &Node) {
    node.tana(&[
        "mesh",
        "register",
        "--dev",
        "--node-id",
        SECOND,
        "--port-offset",
        &(node.offset + 100).to_string(),
    ])
    .ok();
}

/// The status of the second node in the registry.
fn status(node: &Node) -> Result<String, String> {
    let list = node.json(&["mesh", "list"]);
    let rows = list
        .as_array()
        .or_else(|| list["nodes"].as_array())
        .cloned()
        .unwrap_or_default();
    let row = rows
        .into_iter()
        .find(|row| row["id"] == SECOND)
        .ok_or_else(|| format!("{SECOND} is not in {list}"))?;
    Ok(row["status"].as_str().unwrap_or_default().to_owned())
}

fn until_status(node: &Node, wanted: &str, limit: Duration) -> Duration {
    until(&format!("{SECOND} to be {wanted}"), limit, || {
        let status = status(node)?;
        if status == wanted {
            Ok(())
        } else {
            Err(status)
        }
    })
    .1
}

#[test]
fn a_registration_appears_at_once_with_a_bell_and_is_approved_by_keyboard() {
    let node = Node::running();
    let console = Terminal::console(node.home(), 120, 36);
    console.until("Services", LONG);
    console.keys("3");
    console.until_quiet();
    let bells = console.bells();
    register(&node);
    let took = console.until(SECOND, LONG);
    assert!(
        took < Duration::from_secs(1),
        "the registration was on the screen after {took:?}"
    );
    until("a bell", Duration::from_secs(1), || {
        if console.bells() > bells {
            Ok(())
        } else {
            Err("silence".to_owned())
        }
    });

    console.keys("a");
    console.until_screen("a dialog that names the node", LONG, |text| {
        text.to_lowercase().contains("approve") && text.matches(SECOND).count() >= 2
    });
    // The safe answer is the default: Enter alone must change nothing.
    console.keys("\r");
    console.until_quiet();
    assert_eq!(
        status(&node).as_deref(),
        Ok("pending"),
        "the default answer of the dialog is the safe one"
    );

    console.keys("a");
    console.until_quiet();
    console.keys("y");
    until_status(&node, "active", LONG);
    console.keys("2");
    console.until_screen("the node as active on the Mesh screen", LONG, |text| {
        text.lines()
            .any(|line| line.contains(SECOND) && line.contains("active"))
    });
}

#[test]
fn a_registration_is_denied_from_the_command_line_and_stays_denied() {
    let node = Node::running();
    register(&node);
    until_status(&node, "pending", LONG);
    node.tana(&["mesh", "deny", SECOND, "--yes"]).ok();
    until_status(&node, "denied", LONG);
    node.tana(&["mesh", "deny", SECOND, "--yes"])
        .refused(&[SECOND]);
    node.tana(&["mesh", "approve", "nobody-knows"])
        .refused(&["nobody-knows"]);
}

#[test]
fn a_silent_node_goes_offline_after_the_timeout() {
    let node = Node::with_chain();
    // Five minutes by default; a setting, so that this need not be waited for.
    node.set("meshOfflineAfterMs", 1500);
    node.start();
    register(&node);
    node.tana(&["mesh", "approve", SECOND]).ok();
    until_status(&node, "active", LONG);
    until_status(&node, "offline", LONG);
}
