//! The tables of the ledger's database, the same for every backend: what a row is written from, what it is read as and
//! what verification compares are one description. A column that is not here is neither written nor checked.

use std::borrow::Cow;
use std::fmt::Display;
use std::str::FromStr;

use serde::de::DeserializeOwned;
use tana_protocol::Timestamp;

use super::Difference;
use crate::error::StoreError;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Integer,
    Text,
    Bytes,
}

/// A column's name and what it holds.
pub(crate) type Column = (&'static str, Kind);

/// Whether a row is ever written again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rows {
    /// Written with a block, and never again.
    History,
    /// Replaced by a later block's.
    Present,
}

/// One table.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) name: &'static str,
    /// The key comes first.
    pub(crate) columns: &'static [Column],
    /// How many columns the key has.
    pub(crate) key: usize,
    pub(crate) rows: Rows,
}

use Kind::{Bytes, Integer, Text};

pub(crate) static BLOCKS: Table = Table {
    name: "blocks",
    columns: &[
        ("height", Integer),
        ("hash", Text),
        ("parent_hash", Text),
        ("chain_id", Text),
        ("timestamp", Integer),
        ("producer", Text),
        ("tx_root", Text),
        ("receipts_root", Text),
        ("changes_hash", Text),
        ("state_root", Text),
        ("tx_count", Integer),
        ("failed_count", Integer),
        ("gas_used", Integer),
        ("gas_limit", Integer),
        ("content_refs", Text),
        ("validators_hash", Text),
        ("next_validators_hash", Text),
        ("signature", Text),
        ("transactions", Text),
    ],
    key: 1,
    rows: Rows::History,
};

pub(crate) static TRANSACTIONS: Table = Table {
    name: "transactions",
    columns: &[
        ("seq", Integer),
        ("id", Text),
        ("from_id", Text),
        ("to_id", Text),
        ("amount", Text),
        ("currency_code", Text),
        ("type", Text),
        ("status", Text),
        ("metadata", Text),
        ("created_at", Integer),
        ("confirmed_at", Integer),
        ("block_height", Integer),
        ("body", Text),
        ("receipt", Text),
    ],
    key: 1,
    rows: Rows::History,
};

pub(crate) static STATE_CHANGES: Table = Table {
    name: "state_changes",
    columns: &[
        ("height", Integer),
        ("position", Integer),
        ("key", Text),
        ("before", Text),
        ("after", Text),
    ],
    key: 2,
    rows: Rows::History,
};

pub(crate) static STATE_NODES: Table = Table {
    name: "state_nodes",
    columns: &[("version", Integer), ("path", Bytes), ("node", Bytes)],
    key: 2,
    rows: Rows::History,
};

pub(crate) static USERS: Table = Table {
    name: "users",
    columns: &[
        ("id", Text),
        ("username", Text),
        ("display_name", Text),
        ("public_key", Text),
        ("role", Text),
        ("bio", Text),
        ("nonce", Integer),
        ("created_at", Integer),
        ("updated_at", Integer),
    ],
    key: 1,
    rows: Rows::Present,
};

pub(crate) static BALANCES: Table = Table {
    name: "balances",
    columns: &[
        ("owner_id", Text),
        ("currency_code", Text),
        ("owner_type", Text),
        ("amount", Text),
        ("updated_at", Integer),
    ],
    key: 2,
    rows: Rows::Present,
};

pub(crate) static CURRENCIES: Table = Table {
    name: "currencies",
    columns: &[
        ("code", Text),
        ("type", Text),
        ("decimals", Integer),
        ("name", Text),
        ("symbol", Text),
        ("verified", Integer),
        ("created_at", Integer),
    ],
    key: 1,
    rows: Rows::Present,
};

pub(crate) static CONTRACTS: Table = Table {
    name: "contracts",
    columns: &[
        ("id", Text),
        ("owner_id", Text),
        ("name", Text),
        ("code_hash", Text),
        ("created_at", Integer),
        ("value", Text),
        ("code", Text),
    ],
    key: 1,
    rows: Rows::Present,
};

pub(crate) static CONTRACT_DATA: Table = Table {
    name: "contract_data",
    columns: &[("contract_id", Text), ("key", Text), ("value", Text)],
    key: 2,
    rows: Rows::Present,
};

pub(crate) static STATE_VALUES: Table = Table {
    name: "state_values",
    columns: &[("key", Text), ("value", Text)],
    key: 1,
    rows: Rows::Present,
};

impl Table {
    /// The columns of these names, in their order.
    pub(crate) fn only(&self, names: &[&str]) -> Vec<Column> {
        let named = |name: &&str| self.columns.iter().copied().find(|(of, _)| of == name);
        names.iter().filter_map(named).collect()
    }

    /// All columns but these.
    pub(crate) fn without(&self, names: &[&str]) -> Vec<Column> {
        let all = self.columns.iter().copied();
        all.filter(|(name, _)| !names.contains(name)).collect()
    }

    /// The columns of the key.
    pub(crate) fn key_columns(&self) -> &'static [Column] {
        &self.columns[..self.key]
    }

    /// What comes before the rows of a statement that writes them.
    pub(crate) fn insert(&self) -> String {
        format!("INSERT INTO {} ({})", self.name, list(self.columns))
    }

    /// What comes after them.
    pub(crate) fn or_replace(&self) -> String {
        if self.rows == Rows::History {
            return String::new();
        }
        let (key, rest) = self.columns.split_at(self.key);
        let set: Vec<String> = rest
            .iter()
            .map(|(name, _)| format!("\"{name}\" = excluded.\"{name}\""))
            .collect();
        format!(
            " ON CONFLICT ({}) DO UPDATE SET {}",
            list(key),
            set.join(", ")
        )
    }
}

/// Columns as a statement names them.
pub(crate) fn list(columns: &[Column]) -> String {
    let quoted: Vec<String> = columns
        .iter()
        .map(|(name, _)| format!("\"{name}\""))
        .collect();
    quoted.join(", ")
}

/// What is in a column of a row. A text that is none any more is bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Cell {
    Null,
    Integer(i64),
    Text(String),
    Bytes(Vec<u8>),
}

impl From<u64> for Cell {
    /// Both databases' integers are signed; nothing here comes near their end.
    fn from(value: u64) -> Self {
        Self::Integer(i64::try_from(value).unwrap_or(i64::MAX))
    }
}

impl From<Timestamp> for Cell {
    fn from(at: Timestamp) -> Self {
        at.ms().into()
    }
}

impl<T: Into<Self>> From<Option<T>> for Cell {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

/// A value's own text.
pub(crate) fn text(value: impl Display) -> Cell {
    Cell::Text(value.to_string())
}

/// What reading a cell answers: its value, or what is wrong with it.
pub(crate) type Read<T> = Result<T, Difference>;

impl From<Difference> for StoreError {
    fn from(found: Difference) -> Self {
        Self::Damaged {
            what: found.place(),
            detail: found.detail,
        }
    }
}

/// A row that was read, with the names of its cells.
#[derive(Clone, Debug)]
pub(crate) struct Record<'a> {
    pub(crate) table: &'static str,
    pub(crate) columns: &'a [Column],
    pub(crate) cells: &'a [Cell],
}

impl<'a> Record<'a> {
    pub(crate) fn damaged(&self, column: &'static str, detail: impl Display) -> Difference {
        Difference {
            table: self.table,
            column: Some(column),
            detail: detail.to_string(),
        }
    }

    fn cell(&self, column: &'static str) -> &'a Cell {
        let at = self.columns.iter().position(|(name, _)| *name == column);
        at.and_then(|at| self.cells.get(at)).unwrap_or(&Cell::Null)
    }

    pub(crate) fn optional(&self, column: &'static str) -> Read<Option<&'a str>> {
        match self.cell(column) {
            Cell::Null => Ok(None),
            Cell::Text(text) => Ok(Some(text)),
            Cell::Integer(_) | Cell::Bytes(_) => Err(self.damaged(column, "it is not UTF-8 text")),
        }
    }

    pub(crate) fn text(&self, column: &'static str) -> Read<&'a str> {
        self.optional(column)?
            .ok_or_else(|| self.damaged(column, "it is empty"))
    }

    pub(crate) fn number(&self, column: &'static str) -> Read<u64> {
        match self.cell(column) {
            Cell::Integer(value) => {
                u64::try_from(*value).map_err(|_| self.damaged(column, "the number is negative"))
            }
            _ => Err(self.damaged(column, "it is no number")),
        }
    }

    pub(crate) fn small<T: TryFrom<u64>>(&self, column: &'static str) -> Read<T> {
        T::try_from(self.number(column)?)
            .map_err(|_| self.damaged(column, "the number is too large"))
    }

    pub(crate) fn time(&self, column: &'static str) -> Read<Timestamp> {
        self.number(column).map(Timestamp::from_ms)
    }

    pub(crate) fn bytes(&self, column: &'static str) -> Read<&'a [u8]> {
        match self.cell(column) {
            Cell::Bytes(bytes) => Ok(bytes),
            _ => Err(self.damaged(column, "it holds no bytes")),
        }
    }

    /// A column that a type's own parser reads.
    pub(crate) fn parsed<T: FromStr<Err: Display>>(&self, column: &'static str) -> Read<T> {
        let parsed = self.text(column)?.parse();
        parsed.map_err(|error| self.damaged(column, error))
    }

    /// A column that holds JSON.
    pub(crate) fn json<T: DeserializeOwned>(&self, column: &'static str) -> Read<T> {
        serde_json::from_str(self.text(column)?).map_err(|error| self.damaged(column, error))
    }

    /// A column that holds one of a wire type's words.
    pub(crate) fn word<T: DeserializeOwned>(&self, column: &'static str) -> Read<T> {
        let word: Cow<'_, str> = self.text(column)?.into();
        serde_json::from_value(serde_json::Value::String(word.into_owned()))
            .map_err(|error| self.damaged(column, error))
    }
}

/// What a statement answered.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) table: &'static str,
    pub(crate) columns: Vec<Column>,
    pub(crate) rows: Vec<Vec<Cell>>,
}

impl Answer {
    /// No row of a table.
    pub(crate) fn none(table: &'static Table) -> Self {
        Self {
            table: table.name,
            columns: table.columns.to_vec(),
            rows: Vec::new(),
        }
    }

    pub(crate) fn records(&self) -> impl Iterator<Item = Record<'_>> {
        self.rows.iter().map(|cells| Record {
            table: self.table,
            columns: &self.columns,
            cells,
        })
    }

    pub(crate) fn first(&self) -> Option<Record<'_>> {
        self.records().next()
    }
}
