//! Commands that need a node, where none runs: exit 3, and how to start one.

use std::fs;
use std::net::TcpListener;

use crate::program::Home;

#[test]
fn what_asks_a_service_says_how_to_start_one() {
    let home = Home::with_chain();
    // Ports of nobody: nothing else of this machine may answer.
    fs::write(home.file("config.json"), "{\"portOffset\": 21000}").unwrap();
    home.tana(&["new", "user", "alice"]).exits(0);
    for arguments in [
        &["balance", "alice"][..],
        &["deposit", "alice", "5", "usd"],
        &["transfer", "alice", "bob", "5", "USD"],
        &["deploy", "user", "alice"],
        &["queue"],
        &["verify", "--all"],
        &["mesh", "list"],
        &["mesh", "register"],
        &["mesh", "approve", "validator-2"],
        &["sovereign", "list"],
        &["login"],
    ] {
        home.tana(arguments)
            .exits(3)
            .says(&["tana start", "http://127.0.0.1:29"]);
    }
    home.tana(&["logs", "-f"]).exits(3).says(&["tana start"]);
}

#[test]
fn status_is_an_answer_and_no_error() {
    let home = Home::with_chain();
    let ran = home.tana(&["status"]).exits(3);
    assert!(ran.out.contains("no node runs") && ran.out.contains("tana start"));
    assert!(ran.err.is_empty());
    let json = home.tana(&["status", "--json"]).exits(3).json();
    assert_eq!(json["running"], false);
}

#[test]
fn alone_and_without_a_terminal_it_prints_the_same_and_no_escape_sequence() {
    let home = Home::with_chain();
    let alone = home.tana(&[]).exits(3);
    assert_eq!(alone.out, home.tana(&["status"]).out);
    assert!(!alone.out.contains('\u{1b}'));
}

#[test]
fn stopping_what_does_not_run_is_done() {
    let home = Home::with_chain();
    let ran = home.tana(&["stop"]).exits(0);
    assert!(ran.out.contains("nothing to stop"), "{ran:?}");
}

#[test]
fn a_start_without_a_chain_says_how_to_make_one() {
    Home::new()
        .tana(&["start"])
        .exits(1)
        .says(&["tana new chain"]);
}

#[test]
fn a_start_on_a_taken_port_names_it_and_starts_nothing() {
    let home = Home::with_chain();
    let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    fs::write(
        home.file("config.json"),
        format!("{{\"ledgerPort\": {port}}}"),
    )
    .unwrap();
    let ran = home.tana(&["start", "--role", "validator"]).exits(1);
    assert!(ran.err.contains(&port.to_string()), "{ran:?}");
    assert!(!home.file("node.sock").exists());
}

#[test]
fn a_check_of_an_empty_home_says_that_there_is_no_chain() {
    let found = Home::new().tana(&["check", "--json"]).exits(1).json();
    let codes: Vec<&str> = found
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| finding["code"].as_str().unwrap())
        .collect();
    assert!(codes.contains(&"no-chain"), "{codes:?}");
    assert!(codes.contains(&"disk") && codes.contains(&"clock"));
}

#[test]
fn a_log_of_a_node_that_does_not_run_is_read_from_its_file() {
    let home = Home::with_chain();
    fs::create_dir_all(home.file("logs")).unwrap();
    fs::write(home.file("logs/ledger.log"), "one\ntwo\u{1b}[31m\nthree\n").unwrap();
    let ran = home.tana(&["logs", "ledger", "-n", "2"]).exits(0);
    assert_eq!(ran.out, "two\nthree\n");
    home.tana(&["logs", "mesh"]).exits(3).says(&["tana start"]);
}
