//! What verification looks at: rows exactly as they lie in the database, compared with what replay writes. So whatever
//! column somebody changes is found, also where the changed text still says the same, or says it to nobody but lists.

use std::collections::{BTreeMap, BTreeSet};

use tana_protocol::block::Block;
use tana_protocol::{StateKey, StateValue};

use super::Commit;
use super::backend::{Backend, Query, Transaction};
use super::lists::{changes_of, transactions_of};
use super::rows::{self, POSITIONS};
use super::table::{
    Answer, BALANCES, BLOCKS, CONTRACT_DATA, CONTRACTS, CURRENCIES, Cell, STATE_CHANGES,
    STATE_NODES, STATE_VALUES, TRANSACTIONS, Table, USERS,
};
use crate::error::StoreResult;

/// The rows that a block wrote and that stay as they are, as they lie in the database.
#[derive(Debug)]
pub struct StoredBlock {
    height: u64,
    block: Answer,
    transactions: Answer,
    changes: Answer,
    nodes: Answer,
}

/// A row that is not what replay gives.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Difference {
    /// Its table.
    pub table: &'static str,
    /// Where it differs; `None` where it is missing, or should be.
    pub column: Option<&'static str>,
    /// In words.
    pub detail: String,
}

impl Difference {
    /// Table and column, in words.
    #[must_use]
    pub fn place(&self) -> String {
        match self.column {
            Some(column) => format!("column {column} of {}", self.table),
            None => format!("table {}", self.table),
        }
    }
}

impl StoredBlock {
    /// The block that the rows say, `None` where there is no row of it.
    ///
    /// # Errors
    /// The cell that says nothing.
    pub fn block(&self) -> Result<Option<Block>, Difference> {
        let row = self.block.first();
        row.map(|row| rows::block(&row, self.transactions.records(), self.changes.records()))
            .transpose()
    }

    /// Where the rows are not those that this commit writes.
    ///
    /// # Errors
    /// When the commit contradicts itself.
    pub fn differences(&self, commit: &Commit<'_>) -> StoreResult<Vec<Difference>> {
        let written = rows::history(commit)?;
        let stored = [&self.block, &self.transactions, &self.changes, &self.nodes];
        let mut found = Vec::new();
        for ((table, expected), stored) in written.iter().zip(stored) {
            compare(table, expected, &stored.rows, &mut found);
        }
        Ok(found)
    }

    /// The block's height.
    #[must_use]
    pub const fn height(&self) -> u64 {
        self.height
    }
}

/// A row's key, for people.
fn shown(table: &Table, row: &[Cell]) -> String {
    let key: Vec<String> = table
        .key_columns()
        .iter()
        .zip(row)
        .map(|((name, _), cell)| format!("{name} {}", cell_shown(cell)))
        .collect();
    key.join(", ")
}

fn cell_shown(cell: &Cell) -> String {
    match cell {
        Cell::Null => "null".to_owned(),
        Cell::Integer(value) => value.to_string(),
        Cell::Text(text) => text
            .chars()
            .take(80)
            .flat_map(char::escape_default)
            .collect(),
        Cell::Bytes(bytes) => hex::encode(bytes),
    }
}

fn compare(
    table: &Table,
    expected: &[Vec<Cell>],
    stored: &[Vec<Cell>],
    found: &mut Vec<Difference>,
) {
    let mut rest: BTreeMap<&[Cell], &Vec<Cell>> =
        stored.iter().map(|row| (&row[..table.key], row)).collect();
    for wanted in expected {
        let Some(row) = rest.remove(&wanted[..table.key]) else {
            found.push(Difference {
                table: table.name,
                column: None,
                detail: format!("the row with {} is missing", shown(table, wanted)),
            });
            continue;
        };
        for ((name, _), (wanted_cell, cell)) in table.columns.iter().zip(wanted.iter().zip(row)) {
            if wanted_cell != cell {
                found.push(Difference {
                    table: table.name,
                    column: Some(name),
                    detail: format!("the row with {} was changed", shown(table, wanted)),
                });
            }
        }
    }
    found.extend(rest.into_values().map(|row| Difference {
        table: table.name,
        column: None,
        detail: format!("a row with {} belongs to nothing", shown(table, row)),
    }));
}

pub(crate) async fn stored<B: Backend>(backend: &B, height: u64) -> StoreResult<StoredBlock> {
    let mut block = Query::select(&BLOCKS, BLOCKS.columns.to_vec());
    block.push(" WHERE height = ").bind(height);
    let mut nodes = Query::select(&STATE_NODES, STATE_NODES.columns.to_vec());
    nodes.push(" WHERE version = ").bind(height);
    Ok(StoredBlock {
        height,
        // First: what a commit writes with it is there as soon as it is.
        block: backend.read(block).await?,
        transactions: backend
            .read(transactions_of(height, TRANSACTIONS.columns.to_vec()))
            .await?,
        changes: backend.read(changes_of(height)).await?,
        nodes: backend.read(nodes).await?,
    })
}

/// Compares the rows of the state with the values that the block at `height` gave them, as far as no later block has
/// changed them again.
pub(crate) async fn present<B: Backend>(
    backend: &B,
    height: u64,
    values: &[(StateKey, StateValue)],
) -> StoreResult<Vec<Difference>> {
    let mut found = Vec::new();
    if values.is_empty() {
        return Ok(found);
    }
    let mut view = backend.view().await?;
    let keys = values.iter().map(|(key, _)| key.to_string()).collect();
    let mut query = Query::new(
        "SELECT DISTINCT \"key\" FROM state_changes WHERE \"key\"".to_owned(),
        STATE_CHANGES.name,
        STATE_CHANGES.only(&["key"]),
    );
    query.one_of::<B>(keys);
    query.push(" AND height > ").bind(height);
    let later = view.read(query).await?;
    let later: BTreeSet<&Cell> = later.rows.iter().flatten().collect();
    let last: Vec<(StateKey, StateValue)> = values
        .iter()
        .filter(|(key, _)| !later.contains(&Cell::Text(key.to_string())))
        .cloned()
        .collect();
    let wanted = rows::present(&last)?;
    for (table, expected) in &wanted.rows {
        let keys = keys_of(table, expected);
        let stored = with_keys::<B>(&mut view, table, &keys).await?;
        compare(table, expected, &stored.rows, &mut found);
    }
    for (table, keys) in &wanted.gone {
        let stored = with_keys::<B>(&mut view, table, keys).await?;
        compare(table, &[], &stored.rows, &mut found);
    }
    view.commit().await?;
    Ok(found)
}

fn keys_of(table: &Table, rows: &[Vec<Cell>]) -> Vec<Vec<Cell>> {
    rows.iter().map(|row| row[..table.key].to_vec()).collect()
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

/// Strays that are named at most.
const NAMED: u64 = 100;

/// Rows that belong to no block and to no value that one wrote.
pub(crate) async fn strays<B: Backend>(backend: &B) -> StoreResult<Vec<Difference>> {
    let mut view = backend.view().await?;
    let mut tip = Query::select(&BLOCKS, BLOCKS.only(&["height"]));
    tip.push(" ORDER BY height DESC LIMIT 1");
    let after = match view.read(tip).await?.rows.first().map(Vec::as_slice) {
        Some([Cell::Integer(tip)]) => u64::try_from(tip.saturating_add(1)).unwrap_or(0),
        _ => 0,
    };
    let mut found = Vec::new();
    for (table, column, end) in [
        (&BLOCKS, "height", after),
        (&TRANSACTIONS, "seq", after.saturating_mul(POSITIONS)),
        (&STATE_CHANGES, "height", after),
        (&STATE_NODES, "version", after),
    ] {
        let mut query = Query::select(table, table.key_columns().to_vec());
        query.push(" WHERE ").push(column).push(" < ").bind(0_u64);
        query.push(" OR ").push(column).push(" >= ").bind(end);
        query.push(" LIMIT ").bind(NAMED);
        compare(table, &[], &view.read(query).await?.rows, &mut found);
    }
    for (table, key) in [
        (&USERS, "'user/' || id"),
        (&BALANCES, "'balance/' || owner_id || '/' || currency_code"),
        (&CURRENCIES, "'currency/' || code"),
        (&CONTRACTS, "'contract/' || id"),
        (&CONTRACT_DATA, "'data/' || contract_id || '/' || t.key"),
        (&STATE_VALUES, "t.key"),
    ] {
        let mut query = Query::select(table, table.key_columns().to_vec());
        query.push(" t WHERE NOT EXISTS (SELECT 1 FROM state_changes c WHERE c.key = ");
        query.push(key).push(") LIMIT ").bind(NAMED);
        compare(table, &[], &view.read(query).await?.rows, &mut found);
    }
    view.commit().await?;
    Ok(found)
}
