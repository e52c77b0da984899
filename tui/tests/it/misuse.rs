//! Misuse: exit 2, and what would be right.

use std::fs;

use crate::program::Home;

#[test]
fn flags_and_arguments_that_are_none_exit_with_two() {
    let home = Home::new();
    for arguments in [
        &["fly"][..],
        &["start", "--role", "king"],
        &["start", "--port-offset", "many"],
        &["start", "--foreground", "--wait"],
        &["transfer", "alice"],
        &["verify", "3", "--all"],
        &["verify", "-1"],
        &["phone", "approve", "code"],
        &["logs", "kitchen"],
        &["mesh", "list", "--status", "sad"],
        &["--node", "ftp://x", "queue"],
        &["mesh", "register", "--dev"],
    ] {
        let ran = home.tana(arguments);
        assert_eq!(ran.code, 2, "{arguments:?}: {ran:?}");
        assert!(!ran.err.is_empty(), "{arguments:?}");
    }
}

#[test]
fn amounts_currencies_and_codes_are_checked_before_anything_is_asked() {
    let home = Home::with_chain();
    // No node runs: what reaches for one would exit with 3.
    for amount in ["", "five", "1e3", "1,5", "-5"] {
        home.tana(&["transfer", "--", "alice", "bob", amount, "USD"])
            .exits(2);
    }
    home.tana(&["deposit", "alice", "5", "U"])
        .exits(2)
        .says(&["USD"]);
    home.tana(&["new", "user", "alice"]).exits(0);
    home.tana(&["phone", "approve", "https://example.org", "--user", "alice"])
        .exits(2)
        .says(&["code"]);
}

#[test]
fn a_bad_setting_is_named_with_its_file_and_what_would_be_right() {
    let home = Home::with_chain();
    fs::write(home.file("config.json"), "{\"ledgerPrt\": 1}").unwrap();
    home.tana(&["status"])
        .exits(2)
        .says(&["config.json", "ledgerPrt", "ledgerPort"]);
    fs::write(home.file("config.json"), "{\"role\": \"fu").unwrap();
    home.tana(&["start"]).exits(1).says(&["config.json"]);
}

#[test]
fn errors_are_json_where_json_is_asked_for() {
    let home = Home::with_chain();
    let ran = home.tana(&["balance", "alice", "--json"]).exits(3);
    let error: serde_json::Value = serde_json::from_str(&ran.err).unwrap();
    assert_eq!(error["exit"], 3);
    assert!(error["error"].as_str().unwrap().contains("tana start"));
    assert!(ran.out.is_empty());
}

#[test]
fn the_help_documents_the_exit_codes() {
    let help = Home::new().tana(&["--help"]).exits(0).out;
    for line in [
        "0  done",
        "2  misuse",
        "3  the node",
        "4  refused",
        "5  not",
    ] {
        assert!(help.contains(line), "no {line:?} in {help}");
    }
}
