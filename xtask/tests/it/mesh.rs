//! A second node registers, is approved at the console, and goes offline when it falls silent.

use std::time::Duration;

use crate::binary::{self, Ran};
use crate::http;
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

#[test]
fn a_node_in_a_tailscale_network_registers_with_its_name_there() {
    let node = Node::running();
    let mesh = format!("http://127.0.0.1:{}", node.port("mesh"));
    let programs = tempfile::tempdir().unwrap();
    let path = format!(
        "{}:{}",
        programs.path().display(),
        binary::setting("PATH").unwrap()
    );
    let register = |name: &str, tailscale: &str| {
        let program = programs.path().join("tailscale");
        std::fs::write(&program, format!("#!/bin/sh\n{tailscale}\n")).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&program, mode).unwrap();
        let other = Node::empty();
        other.tana(&["new", "node", name]).ok();
        other.set("meshUrl", mesh.clone());
        let mut command = binary::command("tana", other.home());
        Ran::of(command.args(["mesh", "register"]).env("PATH", &path)).ok();
        let list = node.json(&["mesh", "list", "--status", "pending"]);
        let rows = list.as_array().unwrap().clone();
        rows.into_iter().find(|row| row["id"] == name).unwrap()
    };
    let connected = r#"[ "$1 $2" = "status --json" ] || exit 1
echo '{"BackendState":"Running","Self":{"DNSName":"box.example.ts.net.","TailscaleIPs":["fd7a::1","100.101.102.103"]}}'"#;
    let found = register("validator-7", connected);
    assert_eq!(found["tailscale_hostname"], "box.example.ts.net");
    assert_eq!(found["tailscale_ip"], "100.101.102.103");
    for (name, tailscale) in [
        (
            "validator-8",
            r#"echo '{"BackendState":"Stopped","Self":{"DNSName":""}}'"#,
        ),
        ("validator-9", "exec sleep 60"),
        ("validator-10", "echo is it running?; exit 1"),
    ] {
        let found = register(name, tailscale);
        assert_ne!(found["tailscale_hostname"], "box.example.ts.net", "{name}");
        assert!(found["tailscale_ip"].is_null(), "{name}: {found}");
    }
}

#[test]
fn who_is_approved_and_produces_blocks_becomes_a_validator_and_who_is_removed_is_none() {
    let node = Node::running();
    register(&node);
    let validators = || {
        let ledger = node.port("ledger");
        let height = http::get(ledger, "/blocks/latest").json["height"].clone();
        let state = http::get(ledger, &format!("/proof/validators?height={height}")).json;
        let set = state["value"]["set"].as_array().unwrap().clone();
        let ids = set
            .iter()
            .map(|one| one["nodeId"].as_str().unwrap().to_owned());
        ids.collect::<Vec<_>>()
    };
    let approved = node.json(&["mesh", "approve", SECOND, "--yes"]);
    assert!(approved["validatorUpdate"].is_string(), "{approved}");
    // The blocks after it bring it into the set; the first validator still makes them alone.
    node.user("alice");
    node.user("bob");
    assert_eq!(validators(), ["validator-1", SECOND]);
    let again = node.tana(&["mesh", "approve", SECOND, "--yes"]);
    again.refused(&["has been decided on"]);

    let labelled = node.json(&["mesh", "label", SECOND, "eu-west"]);
    assert_eq!(labelled["region"], "eu-west");
    let removed = node.json(&["mesh", "remove", SECOND, "--yes"]);
    assert!(removed["validatorUpdate"].is_string(), "{removed}");
    assert_eq!(status(&node).unwrap(), "denied");
    node.tana(&["deposit", "alice", "1", "USD", "--wait"]).ok();
    node.tana(&["deposit", "bob", "1", "USD", "--wait"]).ok();
    assert_eq!(validators(), ["validator-1"]);
    let log = node.json(&["mesh", "decisions"]);
    let kinds: Vec<_> = log
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["kind"].clone())
        .collect();
    assert_eq!(
        kinds,
        ["sovereign-seed", "approve", "approve", "label", "remove"]
    );
}
