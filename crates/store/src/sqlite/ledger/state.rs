//! The state in SQLite: each kind of value lies in its own table, its history in `state_changes`, its tree in
//! `state_nodes`.

use std::collections::BTreeMap;

use serde_json::json;
use sqlx::sqlite::{SqlitePool, SqliteRow};
use sqlx::{QueryBuilder, Row, Sqlite, SqliteConnection};
use tana_protocol::contract::DataKey;
use tana_protocol::state::{TreeNode, TreeNodeKey};
use tana_protocol::{ContractId, CurrencyCode, StateKey, StateValue, UserId};

use super::rows;
use crate::error::StoreResult;
use crate::sqlite::failed;

const DOING: &str = "reading the state";

/// Keys by the table that holds them.
#[derive(Default)]
struct Sorted {
    users: Vec<String>,
    names: Vec<String>,
    keys: Vec<String>,
    balances: Vec<(String, String)>,
    currencies: Vec<String>,
    contracts: Vec<String>,
    data: Vec<(String, String)>,
    others: Vec<String>,
}

fn sort(keys: &[StateKey]) -> Sorted {
    let mut sorted = Sorted::default();
    for key in keys {
        match key {
            StateKey::User(id) => sorted.users.push(id.to_string()),
            StateKey::Username(name) => sorted.names.push(name.to_string()),
            StateKey::UserKey(public) => sorted.keys.push(public.to_string()),
            StateKey::Balance(owner, code) => {
                sorted.balances.push((owner.to_string(), code.to_string()));
            }
            StateKey::Currency(code) => sorted.currencies.push(code.to_string()),
            StateKey::Contract(id) => sorted.contracts.push(id.to_string()),
            StateKey::Data(id, key) => sorted.data.push((id.to_string(), key.to_string())),
            StateKey::Chain
            | StateKey::Validators
            | StateKey::ContractName(_)
            | StateKey::Code(_) => sorted.others.push(key.to_string()),
        }
    }
    sorted
}

async fn select<T: serde::Serialize>(
    view: &mut SqliteConnection,
    sql: &'static str,
    list: &[T],
) -> StoreResult<Vec<SqliteRow>> {
    if list.is_empty() {
        return Ok(Vec::new());
    }
    sqlx::query(sql)
        .bind(json!(list).to_string())
        .fetch_all(view)
        .await
        .map_err(failed(DOING))
}

/// All values are of one moment: a block that is committed meanwhile is in all of them or in none.
pub(super) async fn present(
    pool: &SqlitePool,
    keys: &[StateKey],
) -> StoreResult<BTreeMap<StateKey, StateValue>> {
    let sorted = sort(keys);
    let mut view = pool.begin().await.map_err(failed(DOING))?;
    let mut found = BTreeMap::new();
    let sql = "SELECT * FROM users WHERE id IN (SELECT value FROM json_each(?))";
    for row in select(&mut view, sql, &sorted.users).await? {
        let id: UserId = rows::parsed(&row, "id")?;
        found.insert(StateKey::User(id), StateValue::User(rows::user(&row)?));
    }
    let sql = "SELECT id, username FROM users WHERE username IN (SELECT value FROM json_each(?))";
    for row in select(&mut view, sql, &sorted.names).await? {
        let key = StateKey::Username(rows::parsed(&row, "username")?);
        found.insert(key, StateValue::Owner(rows::parsed(&row, "id")?));
    }
    let sql =
        "SELECT id, public_key FROM users WHERE public_key IN (SELECT value FROM json_each(?))";
    for row in select(&mut view, sql, &sorted.keys).await? {
        let key = StateKey::UserKey(Box::new(rows::parsed(&row, "public_key")?));
        found.insert(key, StateValue::Owner(rows::parsed(&row, "id")?));
    }
    let sql = "SELECT b.* FROM json_each(?) j JOIN balances b \
               ON b.owner_id = j.value ->> 0 AND b.currency_code = j.value ->> 1";
    for row in select(&mut view, sql, &sorted.balances).await? {
        let code: CurrencyCode = rows::parsed(&row, "currency_code")?;
        let key = StateKey::Balance(rows::parsed(&row, "owner_id")?, code);
        found.insert(key, StateValue::Balance(rows::balance(&row)?));
    }
    let sql = "SELECT * FROM currencies WHERE code IN (SELECT value FROM json_each(?))";
    for row in select(&mut view, sql, &sorted.currencies).await? {
        let key = StateKey::Currency(rows::parsed(&row, "code")?);
        found.insert(key, StateValue::Currency(rows::currency(&row)?));
    }
    let sql = "SELECT id, value FROM contracts WHERE id IN (SELECT value FROM json_each(?))";
    for row in select(&mut view, sql, &sorted.contracts).await? {
        let key = StateKey::Contract(rows::parsed(&row, "id")?);
        let value = value(&key, rows::json(&row, "value")?)?;
        found.insert(key, value);
    }
    let sql = "SELECT d.* FROM json_each(?) j JOIN contract_data d \
               ON d.contract_id = j.value ->> 0 AND d.key = j.value ->> 1";
    for row in select(&mut view, sql, &sorted.data).await? {
        let key = StateKey::Data(
            rows::parsed(&row, "contract_id")?,
            rows::parsed(&row, "key")?,
        );
        found.insert(key, StateValue::Data(rows::json(&row, "value")?));
    }
    let sql = "SELECT key, value FROM state_values WHERE key IN (SELECT value FROM json_each(?))";
    for row in select(&mut view, sql, &sorted.others).await? {
        let key: StateKey = rows::parsed(&row, "key")?;
        let value = value(&key, rows::json(&row, "value")?)?;
        found.insert(key, value);
    }
    Ok(found)
}

fn value(key: &StateKey, json: serde_json::Value) -> StoreResult<StateValue> {
    StateValue::from_json(key, json).map_err(|error| rows::damaged(key.to_string(), error))
}

pub(super) async fn past(
    pool: &SqlitePool,
    keys: &[StateKey],
    height: u64,
) -> StoreResult<BTreeMap<StateKey, StateValue>> {
    let found = sqlx::query(
        "SELECT j.value AS key, (SELECT c.after FROM state_changes c \
           WHERE c.key = j.value AND c.height <= ?2 ORDER BY c.height DESC LIMIT 1) AS value \
         FROM json_each(?1) j",
    )
    .bind(json!(keys).to_string())
    .bind(super::write::integer(height))
    .fetch_all(pool)
    .await
    .map_err(failed(DOING))?;
    let mut values = BTreeMap::new();
    for row in found {
        if rows::optional(&row, "value")?.is_some() {
            let key: StateKey = rows::parsed(&row, "key")?;
            let value = value(&key, rows::json(&row, "value")?)?;
            values.insert(key, value);
        }
    }
    Ok(values)
}

pub(super) async fn storage(
    pool: &SqlitePool,
    contract: ContractId,
    height: Option<u64>,
) -> StoreResult<BTreeMap<DataKey, String>> {
    let mut stored = BTreeMap::new();
    let Some(height) = height else {
        let found = sqlx::query("SELECT key, value FROM contract_data WHERE contract_id = ?")
            .bind(contract.to_string())
            .fetch_all(pool)
            .await
            .map_err(failed(DOING))?;
        for row in found {
            stored.insert(rows::parsed(&row, "key")?, rows::json(&row, "value")?);
        }
        return Ok(stored);
    };
    // Keys are ASCII, and 0 comes after the slash: everything that begins with the prefix lies between the two. Of a
    // group SQLite answers the row that has the greatest height.
    let found = sqlx::query(
        "SELECT key, after AS value, max(height) FROM state_changes \
         WHERE key > ?1 || '/' AND key < ?1 || '0' AND height <= ?2 GROUP BY key",
    )
    .bind(format!("data/{contract}"))
    .bind(super::write::integer(height))
    .fetch_all(pool)
    .await
    .map_err(failed(DOING))?;
    for row in found {
        if rows::optional(&row, "value")?.is_none() {
            continue;
        }
        match rows::parsed(&row, "key")? {
            StateKey::Data(_, key) => stored.insert(key, rows::json(&row, "value")?),
            other => return Err(rows::damaged(other.to_string(), "it is no storage key")),
        };
    }
    Ok(stored)
}

/// Nodes a statement asks for at most.
const CHUNK: usize = 200;

pub(super) async fn nodes(pool: &SqlitePool, keys: &[TreeNodeKey]) -> StoreResult<Vec<TreeNode>> {
    let mut nodes = Vec::with_capacity(keys.len());
    for part in keys.chunks(CHUNK) {
        let mut query = QueryBuilder::<Sqlite>::new(
            "SELECT version, path, node FROM state_nodes WHERE (version, path) IN (",
        );
        query.push_values(part, |mut row, key| {
            row.push_bind(super::write::integer(key.version))
                .push_bind(key.path.as_slice());
        });
        query.push(")");
        let found = query.build().fetch_all(pool).await.map_err(failed(DOING))?;
        for row in found {
            nodes.push(TreeNode {
                key: TreeNodeKey {
                    version: rows::number(&row, "version")?,
                    path: row.try_get("path").map_err(failed(DOING))?,
                },
                bytes: row.try_get("node").map_err(failed(DOING))?,
            });
        }
    }
    Ok(nodes)
}
