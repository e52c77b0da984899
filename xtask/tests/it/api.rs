//! `docs/api.md` names every endpoint that the daemons offer and no other, and its client works.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::http;
use crate::node::{Node, SERVICES};
use crate::wait::until;

const METHODS: [&str; 4] = ["get", "post", "put", "delete"];
/// Every daemon has these; the page says so once.
const COMMON: [&str; 3] = ["/health", "/metrics", "/openapi.json"];

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

#[test]
fn the_page_names_every_endpoint_and_no_other() {
    let page = fs::read_to_string(repository().join("docs/api.md")).unwrap();
    let written: BTreeSet<String> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
        .map(|(request, _)| request.to_owned())
        .collect();
    let node = Node::running();
    let mut offered = BTreeSet::new();
    for service in SERVICES {
        let answer = http::get(node.port(service), "/openapi.json");
        let paths = answer.json["paths"].as_object().unwrap();
        for (path, methods) in paths {
            for method in methods.as_object().unwrap().keys() {
                if METHODS.contains(&method.as_str()) && !COMMON.contains(&path.as_str()) {
                    offered.insert(format!("{} {path}", method.to_uppercase()));
                }
            }
        }
    }
    let missing: Vec<_> = offered.difference(&written).collect();
    let gone: Vec<_> = written.difference(&offered).collect();
    assert!(
        missing.is_empty() && gone.is_empty(),
        "not in docs/api.md: {missing:#?}\nin it and not offered: {gone:#?}"
    );
}

#[test]
fn a_client_without_anything_of_ours_moves_funds() {
    let node = Node::running();
    node.user("alice");
    node.user("bob");
    node.tana(&["deposit", "alice", "5", "USD", "--wait"]).ok();
    let transfer = |amount: &str| {
        let python = ["python3", "/usr/bin/python3"]
            .into_iter()
            .find(|python| {
                let mut import = Command::new(python);
                import.args(["-c", "import nacl, requests"]);
                import.status().is_ok_and(|status| status.success())
            })
            .expect("python3 with PyNaCl and requests; cargo xtask test installs them");
        Command::new(python)
            .arg(repository().join("examples/clients/transfer.py"))
            .arg(format!("http://127.0.0.1:{}", node.port("ledger")))
            .arg(node.file("users/alice.json"))
            .args(["@alice", "@bob", amount, "USD"])
            .output()
            .unwrap()
    };
    let sent = transfer("1.50");
    assert!(
        sent.status.success(),
        "{}",
        String::from_utf8_lossy(&sent.stderr)
    );
    until("bob has it", Duration::from_secs(10), || {
        match node.balance("bob", "USD") {
            amount if amount == "1.50" => Ok(()),
            amount => Err(amount),
        }
    });
    let refused = transfer("1000");
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success());
    assert!(said.contains("422: @alice has 3.50 USD"), "{said}");
}
