//! What goes wrong: one clear sentence each, exit not 0, nothing lost.

use std::fs;
use std::net::TcpListener;
use std::process::Command;

use crate::binary::{self, Ran};
use crate::node::Node;
use crate::process;

#[test]
fn a_new_chain_keeps_what_is_there() {
    let node = Node::with_chain();
    let keys =
        ["node-key.json", "sovereign-key.json", "chains/demo.json"].map(|name| node.file(name));
    let before = keys.clone().map(|file| fs::read(file).unwrap());
    let again = node.tana(&["new", "chain", "demo"]);
    assert!(
        again.code == Some(0) || !again.err.is_empty(),
        "it succeeds, or says why not"
    );
    assert_eq!(
        keys.map(|file| fs::read(file).unwrap()),
        before,
        "keys and genesis are what they were"
    );
}

#[test]
fn commands_without_a_chain_or_a_node_say_what_to_do() {
    let node = Node::empty();
    node.tana(&["start", "--wait"]).refused(&["tana new chain"]);
    node.tana(&["new", "chain", "demo"]).ok();
    node.tana(&["balance", "alice"]).refused(&["tana start"]);
}

#[test]
fn a_corrupt_config_is_named() {
    let node = Node::with_chain();
    fs::write(node.file("config.json"), "{\"role\": \"fu").unwrap();
    node.start_command().refused(&["config.json"]);
    fs::write(node.file("config.json"), "{\"rôle\": \"full\"}").unwrap();
    node.start_command().refused(&["config.json", "rôle"]);
    assert!(
        process::of_home(node.home()).is_empty(),
        "nothing was started"
    );
}

#[test]
fn a_bad_setting_in_the_environment_is_named() {
    let node = Node::with_chain();
    let ran = Ran::of(
        binary::command("tana", node.home())
            .args(["start", "--wait"])
            .env("PORT", "eighty"),
    );
    ran.refused(&["PORT", "eighty"]);
}

#[test]
fn a_taken_port_is_named() {
    let node = Node::with_chain();
    let port = 8080 + node.offset;
    let taken = TcpListener::bind(("127.0.0.1", port)).unwrap();
    node.start_command().refused(&[&port.to_string()]);
    drop(taken);
}

#[test]
fn a_database_of_a_newer_version_is_refused() {
    let node = Node::running();
    node.tana(&["stop"]).ok();
    let database = database(&node, "ledger");
    migrate_to_the_future(&database);
    node.start_command().refused(&["newer"]);
    assert!(database.is_file(), "it is left as it was");
}

/// The SQLite file of a service.
pub(crate) fn database(node: &Node, service: &str) -> std::path::PathBuf {
    let files = fs::read_dir(node.file("data"))
        .unwrap()
        .flatten()
        .map(|entry| entry.path());
    files
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "db" || extension == "sqlite")
        })
        .find(|path| {
            path.file_name()
                .unwrap()
                .to_string_lossy()
                .contains(service)
        })
        .unwrap_or_else(|| {
            panic!(
                "no database of {service} in {}",
                node.file("data").display()
            )
        })
}

fn migrate_to_the_future(database: &std::path::Path) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        use sqlx::Connection;
        let url = format!("sqlite://{}", database.display());
        let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
        sqlx::query("INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (99999999999999, 'from the future', 1, x'00', 0)")
            .execute(&mut connection)
            .await
            .unwrap();
        connection.close().await.unwrap();
    });
}

/// A file system that is full, in a mount namespace of its own, which takes the mount with it when it ends.
#[test]
fn a_full_disk_is_named() {
    let node = Node::empty();
    let namespace = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["--mount", "--map-root-user", "sh", "-c", script]);
        for (key, value) in binary::command("tana", node.home()).get_envs() {
            match value {
                Some(value) => command.env(key, value),
                None => command.env_remove(key),
            };
        }
        command
            .env("TANA", binary::dir().join("tana"))
            .env("OFFSET", node.offset.to_string());
        Ran::of(&mut command)
    };
    let mounts = namespace("mount -t tmpfs -o size=16m tmpfs \"$TANA_HOME\"");
    assert_eq!(
        mounts.code,
        Some(0),
        "this machine permits no mounts, not even in a namespace: {}",
        mounts.err
    );
    let script = r#"
        mount -t tmpfs -o size=16m tmpfs "$TANA_HOME" && "$TANA" new chain demo >/dev/null || exit 99
        dd if=/dev/zero of="$TANA_HOME/filler" bs=1k >/dev/null 2>&1
        "$TANA" start --wait --port-offset "$OFFSET"
        code=$?
        "$TANA" stop >/dev/null 2>&1
        exit $code
    "#;
    let ran = namespace(script);
    assert_ne!(ran.code, Some(99), "a chain fits into 16 MiB: {}", ran.err);
    ran.refused(&["no space left"]);
}
