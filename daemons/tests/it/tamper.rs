//! Somebody changes one thing in the database: verification finds it, and names the block and the check.
//!
//! The columns come from the database's own catalogue: one that is added and not verified makes this fail.

use serde_json::json;
use sqlx::postgres::PgConnection;
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, ColumnIndex, Connection as _, Decode, Row, Type};
use tana_daemons::ledger::{Config, Heights, Offline};
use tana_protocol::api::ledger::{CheckName, VerificationLine};
use tana_protocol::{ContractId, Hash32, Receipt, SignedTransaction, TransactionType};
use tana_scratch::Scratch;

use crate::chain_site::{Chain, Person, contract, creation, money, runtime_program};

/// Stores two values, prints, and answers: every part of a receipt is there.
const SHOP: &str = "import { console } from 'tana/core';\nimport { data } from 'tana/data';\n\
    export async function contract() {\n  console.log('sold');\n  await data.set('cheese', 'gouda');\n\
      await data.set('sold', '3');\n  await data.commit();\n  return { left: 2 };\n}\n";

/// A chain with something in every table.
async fn fill(chain: &Chain) {
    let [alice, bob] = chain.people(["alice", "bob"]).await;
    let client = chain.client();
    let mut transfer = chain.transfer(&alice, &bob, "5").await.transaction;
    transfer.metadata = Some(json!({"note": "for lunch"}));
    client.submit(&transfer.sign(&alice.key)).await.unwrap();
    chain.seal().await;
    let carol = creation("carol", &tana_protocol::SecretKey::generate());
    client.submit(&carol).await.unwrap();
    let all = money(TransactionType::Transfer, &bob, alice.id, "105", 1);
    client.submit(&all).await.unwrap();
    chain.seal().await;
    // The ledger would not queue it; a producer may bring it, and it fails in its block.
    let fails = money(TransactionType::Transfer, &bob, alice.id, "1", 2);
    let built = chain.build(vec![fails]).await;
    let block = built.block.unwrap().sign(&chain.producer_key);
    chain.commit(&block).await;
    let deployed = deploy(chain, &alice).await;
    let mut call = contract(
        TransactionType::ContractCall,
        &alice,
        json!({"how": "well"}),
    );
    call.nonce = chain.next_nonce(alice.id).await;
    call.contract_id = Some(ContractId::created_by(&deployed.id()));
    client.submit(&call.sign(&alice.key)).await.unwrap();
    let block = chain.seal().await;
    let receipts = &block.content.receipts;
    assert!(receipts.iter().all(Receipt::is_ok), "{receipts:?}");
}

async fn deploy(chain: &Chain, owner: &Person) -> SignedTransaction {
    let input = json!({
        "name": "shop", "sourceCode": SHOP, "codeHash": Hash32::of(SHOP.as_bytes()).to_hex(), "version": "1",
        "description": "Cheese", "metadata": {"shelf": 1},
    });
    let mut deployment = contract(TransactionType::ContractDeployment, owner, input);
    deployment.nonce = chain.next_nonce(owner.id).await;
    let deployment = deployment.sign(&owner.key);
    chain.client().submit(&deployment).await.unwrap();
    let block = chain.seal().await;
    let receipts = &block.content.receipts;
    assert!(receipts.iter().all(Receipt::is_ok), "{receipts:?}");
    deployment
}

/// A value of a column.
#[derive(Clone, Debug, PartialEq)]
enum Value {
    Null,
    Integer(i64),
    Text(String),
    Bytes(Vec<u8>),
}

impl Value {
    /// As a literal of SQL, in both dialects.
    fn literal(&self, database: &Database) -> String {
        match self {
            Self::Null => "NULL".to_owned(),
            Self::Integer(value) => value.to_string(),
            Self::Text(text) => format!("'{}'", text.replace('\'', "''")),
            Self::Bytes(bytes) => match database {
                Database::Sqlite(_) => format!("x'{}'", hex::encode(bytes)),
                Database::Postgres(_) => format!("decode('{}', 'hex')", hex::encode(bytes)),
            },
        }
    }

    /// The value with one byte changed, in a few ways.
    fn flipped(&self) -> Vec<Self> {
        match self {
            Self::Null => Vec::new(),
            // The second is for keys, where the first may be another row's.
            Self::Integer(value) => {
                vec![Self::Integer(value ^ 1), Self::Integer(value ^ (1 << 40))]
            }
            Self::Text(text) => {
                let at = |wanted: fn(&u8) -> bool| {
                    let bytes = text.as_bytes();
                    let found = (0..bytes.len()).rev().find(|at| wanted(&bytes[*at]));
                    found.map(|at| (at, bytes[at]))
                };
                let with = |at: usize, byte: u8| {
                    let mut bytes = text.clone().into_bytes();
                    bytes[at] = byte;
                    Self::Text(String::from_utf8(bytes).unwrap())
                };
                let digit = at(u8::is_ascii_alphanumeric).map(|(at, byte)| with(at, byte ^ 1));
                let case = at(u8::is_ascii_alphabetic).map(|(at, byte)| with(at, byte ^ 0x20));
                let all = digit.into_iter().chain(case);
                // Something was taken away where nothing can be flipped.
                let none = text.is_empty() || !text.bytes().any(|b| b.is_ascii_alphanumeric());
                all.chain(none.then(|| Self::Text(format!("{text} "))))
                    .collect()
            }
            Self::Bytes(bytes) => {
                let mut first = bytes.clone();
                first[0] ^= 0x80;
                let mut last = bytes.clone();
                *last.last_mut().unwrap() ^= 1;
                vec![Self::Bytes(first), Self::Bytes(last)]
            }
        }
    }
}

struct Column {
    table: String,
    name: String,
    kind: String,
    nullable: bool,
}

enum Database {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

/// What the migrations keep for themselves: checked by their own checksums when the database is opened.
const OWN: &str = "_sqlx_migrations";

impl Database {
    async fn open(address: &str) -> Self {
        let mut database = if address.starts_with("sqlite:") {
            Self::Sqlite(SqliteConnection::connect(address).await.unwrap())
        } else {
            Self::Postgres(PgConnection::connect(address).await.unwrap())
        };
        let unguarded = match &database {
            Self::Sqlite(_) => "PRAGMA foreign_keys = OFF",
            Self::Postgres(_) => "SET session_replication_role = replica",
        };
        database.execute(unguarded).await.unwrap();
        database
    }

    async fn execute(&mut self, sql: &str) -> Result<u64, sqlx::Error> {
        let sql = AssertSqlSafe(sql.to_owned());
        Ok(match self {
            Self::Sqlite(connection) => sqlx::query(sql).execute(connection).await?.rows_affected(),
            Self::Postgres(connection) => {
                sqlx::query(sql).execute(connection).await?.rows_affected()
            }
        })
    }

    async fn columns(&mut self) -> Vec<Column> {
        let all: Vec<(String, String, String, bool)> = match self {
            Self::Sqlite(connection) => sqlx::query_as(
                "SELECT m.name, p.name, lower(p.type), NOT p.\"notnull\" AND p.pk = 0 FROM sqlite_master m \
                 JOIN pragma_table_info(m.name) p WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%'",
            )
            .fetch_all(connection)
            .await
            .unwrap(),
            Self::Postgres(connection) => sqlx::query_as(
                "SELECT table_name::text, column_name::text, data_type::text, is_nullable = 'YES' \
                 FROM information_schema.columns WHERE table_schema = 'public'",
            )
            .fetch_all(connection)
            .await
            .unwrap(),
        };
        all.into_iter()
            .filter(|(table, ..)| !table.starts_with(OWN))
            .map(|(table, name, kind, nullable)| Column {
                table,
                name,
                kind,
                nullable,
            })
            .collect()
    }

    /// The values of the one row that a query answers.
    async fn row(&mut self, sql: String) -> Option<Vec<Value>> {
        let query = AssertSqlSafe(sql);
        match self {
            Self::Sqlite(connection) => {
                let row = sqlx::query(query).fetch_optional(connection).await;
                row.unwrap().as_ref().map(values)
            }
            Self::Postgres(connection) => {
                let row = sqlx::query(query).fetch_optional(connection).await;
                row.unwrap().as_ref().map(values)
            }
        }
    }

    /// The value of a column in the first or the last row that has one, a condition that only this row fulfils, and the
    /// height of the block that wrote it.
    async fn pick(
        &mut self,
        column: &Column,
        order: &str,
        null: &str,
    ) -> Option<(Value, String, i64)> {
        let key = key_of(&column.table);
        let names: Vec<String> = key.iter().map(|name| format!("t.\"{name}\"")).collect();
        let sql = format!(
            "SELECT t.\"{}\", {} AS tampered_height, {} FROM {} t WHERE t.\"{}\" IS {null} ORDER BY {} {order} LIMIT 1",
            column.name,
            height_of(&column.table),
            names.join(", "),
            column.table,
            column.name,
            names.join(&format!(" {order}, ")),
        );
        let mut values = self.row(sql).await?.into_iter();
        let value = values.next().unwrap();
        let Some(Value::Integer(height)) = values.next() else {
            panic!("no block wrote a row of {}", column.table)
        };
        let keys: Vec<Value> = values.collect();
        let condition: Vec<String> = key
            .iter()
            .zip(&keys)
            .map(|(name, value)| format!("\"{name}\" = {}", value.literal(self)))
            .collect();
        Some((value, condition.join(" AND "), height))
    }
}

/// All values of a row, whatever the backend.
fn values<R: Row>(row: &R) -> Vec<Value>
where
    usize: ColumnIndex<R>,
    for<'r> i64: Decode<'r, R::Database> + Type<R::Database>,
    for<'r> String: Decode<'r, R::Database> + Type<R::Database>,
    for<'r> Vec<u8>: Decode<'r, R::Database> + Type<R::Database>,
{
    let value = |at: usize| {
        if let Ok(number) = row.try_get::<Option<i64>, _>(at) {
            number.map_or(Value::Null, Value::Integer)
        } else if let Ok(text) = row.try_get::<Option<String>, _>(at) {
            text.map_or(Value::Null, Value::Text)
        } else {
            Value::Bytes(row.get(at))
        }
    };
    (0..row.len()).map(value).collect()
}

fn key_of(table: &str) -> &'static [&'static str] {
    match table {
        "blocks" => &["height"],
        "transactions" => &["seq"],
        "state_changes" => &["height", "position"],
        "state_nodes" => &["version", "path"],
        "users" | "contracts" => &["id"],
        "balances" => &["owner_id", "currency_code"],
        "currencies" => &["code"],
        "contract_data" => &["contract_id", "key"],
        "state_values" => &["key"],
        other => panic!("the table {other} is new: say here what its key is"),
    }
}

/// The block that wrote a row `t`.
fn height_of(table: &str) -> String {
    let last =
        |key: &str| format!("(SELECT max(c.height) FROM state_changes c WHERE c.key = {key})");
    match table {
        "blocks" | "state_changes" => "t.height".to_owned(),
        "transactions" => "t.block_height".to_owned(),
        "state_nodes" => "t.version".to_owned(),
        "users" => last("'user/' || t.id"),
        "contracts" => last("'contract/' || t.id"),
        "balances" => last("'balance/' || t.owner_id || '/' || t.currency_code"),
        "currencies" => last("'currency/' || t.code"),
        "contract_data" => last("'data/' || t.contract_id || '/' || t.key"),
        _ => last("t.key"),
    }
}

/// The checks that may name a change in a table.
fn checks_of(table: &str) -> &'static [CheckName] {
    match table {
        "blocks" => &CheckName::ALL,
        "transactions" => &[CheckName::TxRoot, CheckName::Signatures],
        "state_changes" => &[CheckName::StateChanges],
        _ => &[CheckName::StateRoot],
    }
}

/// The checks that fail, by height; strays have none.
async fn verify(offline: &Offline, heights: Heights) -> (Vec<(u64, CheckName)>, Vec<String>) {
    let (mut failed, mut strays) = (Vec::new(), Vec::new());
    let done = offline.verify(heights, |line| {
        match line {
            VerificationLine::Range { .. } => {}
            VerificationLine::Block(block) => {
                let bad = block.checks.iter().filter(|check| !check.ok);
                failed.extend(bad.map(|check| (block.height, check.name)));
                assert_eq!(block.valid, block.checks.iter().all(|check| check.ok));
            }
            VerificationLine::Strays(found) => strays = found,
        }
        Ok(())
    });
    done.await.unwrap();
    (failed, strays)
}

async fn offline(chain: &Chain) -> Offline {
    let config = Config {
        runtime: runtime_program(),
        ..Config::of(&chain.settings).unwrap()
    };
    Offline::open(&config).await.unwrap()
}

async fn every_change_is_found(chain: Chain) {
    fill(&chain).await;
    chain.ledger.stop().await;
    let offline = offline(&chain).await;
    let (failed, strays) = verify(&offline, Heights::All).await;
    assert_eq!(
        (failed, strays),
        (Vec::new(), Vec::new()),
        "as it was written"
    );
    let mut database = Database::open(&chain.settings.database_url).await;
    let columns = database.columns().await;
    assert!(columns.len() > 60, "only {} columns", columns.len());
    let (mut changes, mut untried) = (0, Vec::new());
    for column in &columns {
        let mut tried = 0;
        for (order, null) in [("ASC", "NOT NULL"), ("DESC", "NOT NULL"), ("DESC", "NULL")] {
            let Some((value, condition, height)) = database.pick(column, order, null).await else {
                continue;
            };
            let mut others = value.flipped();
            if value == Value::Null {
                others.push(match column.kind.as_str() {
                    "integer" | "bigint" => Value::Integer(1),
                    _ => Value::Text("x".to_owned()),
                });
            } else if column.nullable {
                others.push(Value::Null);
            }
            for other in others {
                tried += usize::from(
                    one_change(
                        &offline,
                        &mut database,
                        column,
                        (&value, &other),
                        &condition,
                        height,
                    )
                    .await,
                );
            }
        }
        changes += tried;
        if tried == 0 {
            untried.push(format!("{}.{}", column.table, column.name));
        }
    }
    let (failed, strays) = verify(&offline, Heights::All).await;
    assert_eq!(
        (failed, strays),
        (Vec::new(), Vec::new()),
        "all was changed back"
    );
    println!("{} columns, {changes} changes, all found", columns.len());
    assert!(
        untried.is_empty(),
        "{untried:?} must have values for this test to say something"
    );
    offline.close().await;
}

/// Whether the database took the change; it was found then, and is changed back.
async fn one_change(
    offline: &Offline,
    database: &mut Database,
    column: &Column,
    (value, other): (&Value, &Value),
    condition: &str,
    height: i64,
) -> bool {
    let (table, name) = (&column.table, &column.name);
    let set = |to: &Value, database: &Database, condition: &str| {
        format!(
            "UPDATE {table} SET \"{name}\" = {} WHERE {condition}",
            to.literal(database)
        )
    };
    let change = set(other, database, condition);
    // Another row has it already: the database itself refuses.
    let Ok(rows) = database.execute(&change).await else {
        return false;
    };
    assert_eq!(rows, 1, "{change}");
    let height = u64::try_from(height).unwrap();
    // Its own block says so, whatever the others say.
    let (failed, strays) = verify(offline, Heights::Between(Some(height), Some(height))).await;
    let named = failed
        .iter()
        .any(|(at, check)| *at == height && checks_of(table).contains(check));
    assert!(
        named,
        "block {height}: {change}\nfound: {failed:?} {strays:?}"
    );
    // A part of the key that was changed finds the row under its new name.
    let there = condition.replace(
        &format!("\"{name}\" = {}", value.literal(database)),
        &format!("\"{name}\" = {}", other.literal(database)),
    );
    let back = set(value, database, &there);
    assert_eq!(database.execute(&back).await.unwrap(), 1, "{back}");
    true
}

#[tokio::test]
async fn one_changed_byte_in_any_column_of_the_embedded_database_is_found() {
    every_change_is_found(Chain::with_contracts(&[]).await).await;
}

#[tokio::test]
async fn one_changed_byte_in_any_column_of_postgresql_is_found() {
    let scratch = Scratch::create().await;
    every_change_is_found(Chain::with_contracts(&[("DATABASE_URL", &scratch.address)]).await).await;
    scratch.remove().await;
}

#[tokio::test]
async fn rows_that_no_block_wrote_are_found() {
    let chain = Chain::with_contracts(&[]).await;
    fill(&chain).await;
    chain.ledger.stop().await;
    let offline = offline(&chain).await;
    let mut database = Database::open(&chain.settings.database_url).await;
    for (insert, delete) in [
        (
            "INSERT INTO users SELECT 'x' || id, 'x' || username, display_name, 'x' || public_key, role, bio, nonce, \
             created_at, updated_at FROM users LIMIT 1",
            "DELETE FROM users WHERE id LIKE 'x%'",
        ),
        (
            "INSERT INTO balances (owner_id, currency_code, owner_type, amount, updated_at) \
             SELECT owner_id, 'EUR', owner_type, amount, updated_at FROM balances LIMIT 1",
            "DELETE FROM balances WHERE currency_code = 'EUR'",
        ),
        (
            "INSERT INTO contracts VALUES ('a', 'b', 'c', 'd', 1, '{}', '{}')",
            "DELETE FROM contracts WHERE id = 'a'",
        ),
        (
            "INSERT INTO contract_data VALUES ('a', 'b', '\"c\"')",
            "DELETE FROM contract_data WHERE contract_id = 'a'",
        ),
        (
            "INSERT INTO state_nodes SELECT 99, path, node FROM state_nodes LIMIT 1",
            "DELETE FROM state_nodes WHERE version = 99",
        ),
    ] {
        assert_eq!(database.execute(insert).await.unwrap(), 1, "{insert}");
        let (failed, strays) = verify(&offline, Heights::All).await;
        assert_eq!(
            (failed.len(), strays.len()),
            (0, 1),
            "{insert}: {failed:?} {strays:?}"
        );
        assert_eq!(database.execute(delete).await.unwrap(), 1, "{delete}");
    }
}
