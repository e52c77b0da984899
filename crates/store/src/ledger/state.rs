//! The state: each kind of value lies in its own table, its history in `state_changes`, its tree in `state_nodes`.

use std::collections::BTreeMap;
use std::sync::Arc;

use tana_protocol::contract::DataKey;
use tana_protocol::state::{TreeNode, TreeNodeKey};
use tana_protocol::{ContractId, StateKey, StateValue};

use super::backend::{Argument, Backend, Query, Transaction};
use super::rows;
use super::table::{
    Answer, BALANCES, CONTRACT_DATA, CONTRACTS, CURRENCIES, Cell, Column, Kind, STATE_CHANGES,
    STATE_NODES, STATE_VALUES, Table, USERS, text,
};
use crate::error::StoreResult;

/// Keys by the table that holds them.
#[derive(Default)]
struct Sorted {
    users: Vec<String>,
    names: Vec<String>,
    keys: Vec<String>,
    balances: Vec<Vec<Cell>>,
    currencies: Vec<String>,
    contracts: Vec<String>,
    codes: Vec<String>,
    data: Vec<Vec<Cell>>,
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
                sorted.balances.push(vec![text(owner), text(code)]);
            }
            StateKey::Currency(code) => sorted.currencies.push(code.to_string()),
            StateKey::Contract(id) => sorted.contracts.push(id.to_string()),
            StateKey::Code(id) => sorted.codes.push(id.to_string()),
            StateKey::Data(id, key) => sorted.data.push(vec![text(id), text(key)]),
            StateKey::Chain | StateKey::Validators | StateKey::ContractName(_) => {
                sorted.others.push(key.to_string());
            }
        }
    }
    sorted
}

/// Reads columns of the rows with these texts in one; nothing to do for none.
async fn columns_among<B: Backend>(
    view: &mut B::Transaction,
    table: &'static Table,
    columns: Vec<Column>,
    column: &'static str,
    texts: Vec<String>,
) -> StoreResult<Answer> {
    if texts.is_empty() {
        return Ok(Answer::none(table));
    }
    view.read(Query::among::<B>(table, columns, column, texts))
        .await
}

async fn among<B: Backend>(
    view: &mut B::Transaction,
    table: &'static Table,
    column: &'static str,
    texts: Vec<String>,
) -> StoreResult<Answer> {
    columns_among::<B>(view, table, table.columns.to_vec(), column, texts).await
}

async fn with_keys<B: Backend>(
    view: &mut B::Transaction,
    table: &'static Table,
    keys: &[Vec<Cell>],
) -> StoreResult<Answer> {
    if keys.is_empty() {
        return Ok(Answer::none(table));
    }
    view.read(Query::with_keys::<B>(table, keys)).await
}

/// All values are of one moment: a block that is committed meanwhile is in all of them or in none.
pub(crate) async fn present<B: Backend>(
    backend: &B,
    keys: &[StateKey],
) -> StoreResult<BTreeMap<StateKey, StateValue>> {
    if keys.is_empty() {
        return Ok(BTreeMap::new());
    }
    let mut tries = 0;
    loop {
        match present_once(backend, keys).await {
            Err(error) => {
                tries += 1;
                if !backend.again(&error, tries).await {
                    return Err(error);
                }
            }
            found => return found,
        }
    }
}

async fn present_once<B: Backend>(
    backend: &B,
    keys: &[StateKey],
) -> StoreResult<BTreeMap<StateKey, StateValue>> {
    let mut found = BTreeMap::new();
    let sorted = sort(keys);
    let mut view = backend.view().await?;
    for row in among::<B>(&mut view, &USERS, "id", sorted.users)
        .await?
        .records()
    {
        let key = StateKey::User(row.parsed("id")?);
        found.insert(key, StateValue::User(Arc::new(rows::user(&row)?)));
    }
    let named = among::<B>(&mut view, &USERS, "username", sorted.names).await?;
    for row in named.records() {
        let key = StateKey::Username(row.parsed("username")?);
        found.insert(key, StateValue::Owner(row.parsed("id")?));
    }
    let keyed = among::<B>(&mut view, &USERS, "public_key", sorted.keys).await?;
    for row in keyed.records() {
        let key = StateKey::UserKey(Box::new(row.parsed("public_key")?));
        found.insert(key, StateValue::Owner(row.parsed("id")?));
    }
    for row in with_keys::<B>(&mut view, &BALANCES, &sorted.balances)
        .await?
        .records()
    {
        let key = StateKey::Balance(row.parsed("owner_id")?, row.parsed("currency_code")?);
        found.insert(key, StateValue::Balance(rows::balance(&row)?));
    }
    let currencies = among::<B>(&mut view, &CURRENCIES, "code", sorted.currencies).await?;
    for row in currencies.records() {
        let key = StateKey::Currency(row.parsed("code")?);
        found.insert(key, StateValue::Currency(rows::currency(&row)?));
    }
    let contracts = CONTRACTS.only(&["id", "value"]);
    let contracts = columns_among::<B>(&mut view, &CONTRACTS, contracts, "id", sorted.contracts);
    for row in contracts.await?.records() {
        let key = StateKey::Contract(row.parsed("id")?);
        found.insert(key, StateValue::Contract(row.json("value")?));
    }
    let codes = CONTRACTS.only(&["id", "code"]);
    let codes = columns_among::<B>(&mut view, &CONTRACTS, codes, "id", sorted.codes);
    for row in codes.await?.records() {
        let key = StateKey::Code(row.parsed("id")?);
        found.insert(key, StateValue::Code(row.json("code")?));
    }
    for row in with_keys::<B>(&mut view, &CONTRACT_DATA, &sorted.data)
        .await?
        .records()
    {
        let key = StateKey::Data(row.parsed("contract_id")?, row.parsed("key")?);
        found.insert(key, StateValue::Data(row.json("value")?));
    }
    let others = among::<B>(&mut view, &STATE_VALUES, "key", sorted.others).await?;
    for row in others.records() {
        let key: StateKey = row.parsed("key")?;
        let value = rows::value(&key, row.text("value")?)?;
        found.insert(key, value);
    }
    view.commit().await?;
    Ok(found)
}

pub(crate) async fn past<B: Backend>(
    backend: &B,
    keys: &[StateKey],
    height: u64,
) -> StoreResult<BTreeMap<StateKey, StateValue>> {
    let mut values = BTreeMap::new();
    if keys.is_empty() {
        return Ok(values);
    }
    let columns = vec![("key", Kind::Text), ("after", Kind::Text)];
    let sql = format!(
        "SELECT asked.value AS \"key\", (SELECT c.after FROM state_changes c WHERE c.key = asked.value \
         AND c.height <= $2 ORDER BY c.height DESC LIMIT 1) AS \"after\" FROM {} asked",
        B::texts(1)
    );
    let mut query = Query::new(sql, STATE_CHANGES.name, columns);
    let texts = keys.iter().map(ToString::to_string).collect();
    query.arguments.push(Argument::Texts(texts));
    query.arguments.push(Argument::Cell(height.into()));
    for row in backend.read(query).await?.records() {
        if let Some(text) = row.optional("after")? {
            let key: StateKey = row.parsed("key")?;
            let value = rows::value(&key, text)?;
            values.insert(key, value);
        }
    }
    Ok(values)
}

pub(crate) async fn storage<B: Backend>(
    backend: &B,
    contract: ContractId,
    height: Option<u64>,
) -> StoreResult<BTreeMap<DataKey, String>> {
    let mut stored = BTreeMap::new();
    let Some(height) = height else {
        let mut query = Query::select(&CONTRACT_DATA, CONTRACT_DATA.columns.to_vec());
        query.push(" WHERE contract_id = ").bind(text(contract));
        for row in backend.read(query).await?.records() {
            stored.insert(row.parsed("key")?, row.json("value")?);
        }
        return Ok(stored);
    };
    let columns = STATE_CHANGES.only(&["key", "after"]);
    let mut query = Query::select(&STATE_CHANGES, columns);
    // Keys are ASCII, and 0 comes after the slash: everything that begins with the prefix lies between the two.
    query
        .push(" c WHERE key > ")
        .bind(text(format_args!("data/{contract}/")));
    query
        .push(" AND key < ")
        .bind(text(format_args!("data/{contract}0")));
    query.push(" AND height <= ").bind(height);
    query.push(
        " AND NOT EXISTS (SELECT 1 FROM state_changes n WHERE n.key = c.key AND n.height > c.height AND n.height <= ",
    );
    query.bind(height).push(")");
    for row in backend.read(query).await?.records() {
        if row.optional("after")?.is_none() {
            continue;
        }
        match row.parsed("key")? {
            StateKey::Data(_, key) => stored.insert(key, row.json("after")?),
            _ => return Err(row.damaged("key", "it is no storage key").into()),
        };
    }
    Ok(stored)
}

pub(crate) async fn nodes<B: Backend>(
    backend: &B,
    keys: &[TreeNodeKey],
) -> StoreResult<Vec<TreeNode>> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let keys: Vec<Vec<Cell>> = keys
        .iter()
        .map(|key| vec![key.version.into(), Cell::Bytes(key.path.clone())])
        .collect();
    let query = Query::with_keys::<B>(&STATE_NODES, &keys);
    let found = backend.read(query).await?;
    found
        .records()
        .map(|row| {
            Ok(TreeNode {
                key: TreeNodeKey {
                    version: row.number("version")?,
                    path: row.bytes("path")?.to_vec(),
                },
                bytes: row.bytes("node")?.to_vec(),
            })
        })
        .collect()
}
