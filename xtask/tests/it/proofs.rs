//! What is believed only because it was checked here: `tana verify --offline` from the database alone, `tana balance --proof`
//! against a block that a validator of the chain file has signed; both once more after one byte was changed.

use sqlx::{AssertSqlSafe, Connection as _};

use crate::faults;
use crate::node::Node;

fn with_alice() -> Node {
    let node = Node::running();
    node.user("alice");
    node.user("bob");
    node.tana(&["deposit", "alice", "100", "USD", "--wait"])
        .ok();
    node.tana(&["transfer", "alice", "bob", "12.34", "USD", "--wait"])
        .ok();
    node
}

/// Changes one row of the ledger's database behind its back.
fn change(node: &Node, sql: &str) {
    let database = faults::database(node, "ledger");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let url = format!("sqlite://{}", database.display());
        let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
        let sql = AssertSqlSafe(sql.to_owned());
        let done = sqlx::query(sql).execute(&mut connection).await.unwrap();
        assert_eq!(done.rows_affected(), 1);
        connection.close().await.unwrap();
    });
}

#[test]
fn a_chain_is_verified_from_its_database_alone_and_a_changed_byte_is_named() {
    let node = with_alice();
    node.tana(&["stop"]).ok();
    let whole = node.json(&["verify", "--offline", "--all"]);
    assert_eq!(whole["valid"], true, "{whole}");
    assert_eq!(whole["strays"], serde_json::json!([]), "{whole}");
    let tip = whole["to"].as_u64().unwrap();
    assert_eq!(whole["checked"], tip + 1);
    node.tana(&["verify", "--offline"]).ok();
    node.tana(&["verify", "--offline", "--from", "1", "--to", "2"])
        .ok();
    node.tana(&["verify", "--offline", "99"])
        .refused(&[&format!("0 to {tip}")]);

    change(
        &node,
        "UPDATE transactions SET receipt = replace(receipt, '\"ok\"', '\"oj\"') \
         WHERE block_height = 2 AND receipt LIKE '%\"ok\"%'",
    );
    let ran = node.tana(&["verify", "--offline", "--all", "--json"]);
    assert_eq!(ran.code, Some(1), "{}{}", ran.out, ran.err);
    let found = ran.json();
    assert_eq!(found["valid"], false);
    let bad = found["invalid"].as_array().unwrap();
    let heights: Vec<_> = bad.iter().map(|block| block["height"].as_u64()).collect();
    assert_eq!(heights, [Some(2)], "{found}");
    let said = node.tana(&["verify", "--offline", "2"]);
    assert!(said.out.contains("block 2 is not valid"), "{}", said.out);
    // The other blocks hold by themselves.
    node.tana(&["verify", "--offline", "1"]).ok();

    // A tip that does not hold is served to nobody.
    change(
        &node,
        "UPDATE blocks SET gas_used = gas_used + 1 WHERE height = (SELECT max(height) FROM blocks)",
    );
    node.start_command().refused(&[&format!("block {tip}")]);
}

#[test]
fn a_balance_is_proved_here_and_one_that_somebody_changed_is_not_believed() {
    let node = with_alice();
    let proved = node.json(&["balance", "alice", "--proof"]);
    assert_eq!(
        proved["balances"],
        serde_json::json!([{"currencyCode": "USD", "amount": "87.66"}])
    );
    let said = node.tana(&["balance", "alice", "--proof"]).ok();
    assert!(
        said.out.contains("proved here against block"),
        "{}",
        said.out
    );
    // That there is nothing is proved too.
    node.tana(&["balance", "nobody", "--proof"])
        .refused(&["it is proved that there is no user nobody"]);

    // What is proved is read from the history, so that a proof of any block can be given.
    change(
        &node,
        "UPDATE state_changes SET after = replace(replace(after, '87.66', '87.67'), '8766', '8767') \
         WHERE key LIKE 'balance/%' AND (after LIKE '%87.66%' OR after LIKE '%8766%')",
    );
    node.tana(&["balance", "alice", "--proof"]).refused(&[
        "balance/",
        "does not hold",
        "do not believe this ledger",
    ]);
    // Whose row was not touched is proved as before.
    node.tana(&["balance", "bob", "--proof"]).ok();
}
