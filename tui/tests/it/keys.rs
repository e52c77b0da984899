//! What `tana new` leaves in a home.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::program::Home;

#[test]
fn a_new_chain_has_its_files_and_its_keys_are_private() {
    let home = Home::new();
    let made = home
        .tana(&["new", "chain", "demo", "--json"])
        .exits(0)
        .json();
    assert_eq!(made["name"], "demo");
    assert!(made["chainId"].as_str().unwrap().starts_with("demo-"));
    let chain: serde_json::Value =
        serde_json::from_slice(&fs::read(home.file("chains/demo.json")).unwrap()).unwrap();
    assert_eq!(chain["sovereigns"][0]["username"], "@sovereign");
    assert_eq!(chain["validators"].as_array().unwrap().len(), 1);
    for key in [
        "node-key.json",
        "sovereign-key.json",
        "users/sovereign.json",
    ] {
        let mode = fs::metadata(home.file(key)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{key}");
    }
}

#[test]
fn a_sealed_chain_never_has_an_open_sovereign_key() {
    let home = Home::new();
    let seal = ["new", "chain", "demo", "--seal"];
    // Without a passphrase nothing is made.
    home.told(&seal, "").exits(2).says(&["passphrase"]);
    assert!(!home.file("sovereign-key.json").exists());
    home.told(&seal, "first and last\n").exits(0);
    let read = || fs::read_to_string(home.file("sovereign-key.json")).unwrap();
    let key = read();
    assert!(!key.contains("secretKey"), "{key}");
    assert!(
        !home.file("users/sovereign.json").exists(),
        "no open copy of it"
    );
    // Left before the chain file was written: the key stays, for who knows its passphrase.
    fs::remove_file(home.file("chains/demo.json")).unwrap();
    home.told(&seal, "another\n").exits(1);
    assert!(!home.file("chains/demo.json").exists());
    home.told(&seal, "first and last\n").exits(0);
    assert_eq!(read(), key);
    let again = home.tana(&["new", "chain", "demo"]).exits(0);
    assert!(again.out.contains("already"), "{again:?}");
    home.told(&["sovereign", "unseal"], "first and last\n")
        .exits(0);
    // An open key that an earlier try left is sealed.
    fs::remove_file(home.file("chains/demo.json")).unwrap();
    home.told(&seal, "third\n").exits(0);
    assert!(!read().contains("secretKey"));
}

#[test]
fn sealing_what_an_open_try_left_leaves_no_open_copy_of_the_key() {
    let home = Home::with_chain();
    let seal = ["new", "chain", "demo", "--seal"];
    let user = home.file("users/sovereign.json");
    // A chain that is there is not sealed by being made again: that is said, and how it is.
    home.told(&seal, "first and last\n")
        .exits(1)
        .says(&["lies open", "tana sovereign seal"]);
    // A try that ended before the chain file was written.
    fs::remove_file(home.file("chains/demo.json")).unwrap();
    let aside = home.file("aside.json");
    fs::copy(&user, &aside).unwrap();
    home.told(&seal, "first and last\n").exits(0);
    assert!(!user.exists(), "an open copy is left");
    // A user of that name with another key would sign in the sovereign's place.
    fs::remove_file(home.file("chains/demo.json")).unwrap();
    fs::remove_file(home.file("sovereign-key.json")).unwrap();
    fs::rename(&aside, &user).unwrap();
    home.told(&seal, "first and last\n")
        .exits(1)
        .says(&["another key", "--sovereign"]);
    assert!(!home.file("sovereign-key.json").exists());
}

#[test]
fn the_same_chain_again_changes_nothing_and_another_is_refused() {
    let home = Home::with_chain();
    let read = || {
        ["node-key.json", "sovereign-key.json", "chains/demo.json"]
            .map(|name| fs::read(home.file(name)).unwrap())
    };
    let before = read();
    let again = home.tana(&["new", "chain", "demo"]).exits(0);
    assert!(again.out.contains("already"), "{again:?}");
    home.tana(&["new", "chain", "other"])
        .exits(1)
        .says(&["demo", "TANA_HOME"]);
    assert_eq!(read(), before);
}

#[test]
fn two_chains_of_one_name_have_different_ids() {
    let id = |home: &Home| {
        let said = home
            .tana(&["new", "chain", "demo", "--json"])
            .exits(0)
            .json();
        said["chainId"].as_str().unwrap().to_owned()
    };
    assert_ne!(id(&Home::new()), id(&Home::new()));
}

#[test]
fn a_chain_without_its_node_key_says_what_is_missing() {
    let home = Home::with_chain();
    fs::remove_file(home.file("node-key.json")).unwrap();
    home.tana(&["new", "chain", "demo"])
        .exits(1)
        .says(&["node-key.json", "tana new node"]);
    home.tana(&["start"]).exits(1).says(&["node-key.json"]);
}

#[test]
fn a_user_keeps_the_key_it_has() {
    let home = Home::new();
    let key = || {
        let said = home
            .tana(&["new", "user", "@Alice", "--json"])
            .exits(0)
            .json();
        assert_eq!(said["username"], "@alice");
        said["publicKey"].clone()
    };
    assert_eq!(key(), key());
    assert!(home.file("users/alice.json").is_file());
}

#[test]
fn names_that_lead_out_of_the_home_are_refused() {
    let home = Home::new();
    for name in ["../alice", "a/b", "", "a b", "ä"] {
        home.tana(&["new", "user", name]).exits(2);
        home.tana(&["new", "chain", name]).exits(2);
        home.tana(&["new", "node", name]).exits(2);
        home.tana(&["new", "contract", name]).exits(2);
    }
}

#[test]
fn a_key_that_others_may_read_is_not_used() {
    let home = Home::with_chain();
    let key = home.file("node-key.json");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    home.tana(&["start"]).exits(1).says(&["chmod 600"]);
    let found = home.tana(&["check", "--json"]).exits(1).json();
    let finding = found
        .as_array()
        .unwrap()
        .iter()
        .find(|finding| finding["code"] == "node-key")
        .unwrap();
    assert_eq!(finding["weight"], "wrong");
}

#[test]
fn the_first_new_node_names_this_home_and_the_next_is_another() {
    let home = Home::new();
    home.tana(&["new", "node", "validator-7"]).exits(0);
    assert!(home.file("node-key.json").is_file());
    let config = fs::read_to_string(home.file("config.json")).unwrap();
    assert!(config.contains("validator-7"), "{config}");
    home.tana(&["new", "node", "validator-8"]).exits(0);
    assert!(home.file("nodes/validator-8.json").is_file());
}

#[test]
fn a_new_contract_is_a_directory_that_is_not_overwritten() {
    let home = Home::new();
    home.tana(&["new", "contract", "shop"]).exits(0);
    let source = home.file("shop/contract.ts");
    fs::write(&source, "mine").unwrap();
    home.tana(&["new", "contract", "shop"])
        .exits(1)
        .says(&["shop"]);
    assert_eq!(fs::read_to_string(source).unwrap(), "mine");
}
