//! Values as rows and rows as values. What does not parse was changed by somebody: it is damaged, and named.

use tana_protocol::api::ledger::TransactionStatus;
use tana_protocol::block::{Block, BlockHeader, Receipt, StateChange, UnsignedBlock};
use tana_protocol::contract::ContractState;
use tana_protocol::json::compact;
use tana_protocol::state::{BalanceState, CurrencyState, UserState};
use tana_protocol::{
    Amount, ContractId, CurrencyCode, Decimals, StateKey, StateValue, TransactionId, UserId,
};

use super::table::{
    BALANCES, BLOCKS, CONTRACT_DATA, CONTRACTS, CURRENCIES, Cell, Read, Record, STATE_CHANGES,
    STATE_NODES, STATE_VALUES, TRANSACTIONS, Table, USERS, text,
};
use super::{BlockSummary, Commit, TransactionRecord};
use crate::error::{StoreError, StoreResult};

/// Positions that a block has in the order of transactions.
pub(crate) const POSITIONS: u64 = 1 << 20;

/// Rows of one table.
pub(crate) type TableRows = (&'static Table, Vec<Vec<Cell>>);

fn damaged(what: impl Into<String>, detail: impl std::fmt::Display) -> StoreError {
    StoreError::Damaged {
        what: what.into(),
        detail: detail.to_string(),
    }
}

/// Everything that a block writes and that stays as it is.
pub(crate) fn history(commit: &Commit<'_>) -> StoreResult<Vec<TableRows>> {
    Ok(vec![
        (&BLOCKS, vec![block_row(commit.block)]),
        (&TRANSACTIONS, transaction_rows(commit)?),
        (&STATE_CHANGES, change_rows(commit.block)),
        (&STATE_NODES, node_rows(commit)),
    ])
}

fn block_row(block: &Block) -> Vec<Cell> {
    let header = &block.content.header;
    let ids: Vec<TransactionId> = block
        .content
        .receipts
        .iter()
        .map(|receipt| receipt.transaction_id)
        .collect();
    let failures = block.content.receipts.iter().filter(|r| !r.is_ok()).count();
    vec![
        header.height.into(),
        text(block.content.hash.to_hex()),
        text(header.previous_hash.to_hex()),
        text(&header.chain_id),
        header.timestamp.into(),
        text(&header.producer),
        text(header.tx_root.to_hex()),
        text(header.receipts_root.to_hex()),
        text(header.changes_hash.to_hex()),
        text(header.state_root.to_hex()),
        u64::from(header.tx_count).into(),
        (failures as u64).into(),
        header.gas_used.into(),
        header.gas_limit.into(),
        text(compact(&header.content_refs)),
        text(header.validators_hash.to_hex()),
        text(header.next_validators_hash.to_hex()),
        block.signature.as_ref().map(ToString::to_string).into(),
        text(compact(&ids)),
    ]
}

fn transaction_rows(commit: &Commit<'_>) -> StoreResult<Vec<Vec<Cell>>> {
    let content = &commit.block.content;
    let header = &content.header;
    if content.receipts.len() != content.transactions.len()
        || commit.parties.len() != content.transactions.len()
    {
        return Err(damaged(
            "block",
            "it has not as many receipts as transactions",
        ));
    }
    let first = header.height.saturating_mul(POSITIONS);
    let entries = content.transactions.iter().zip(&content.receipts);
    let rows = (0_u64..).zip(entries).zip(commit.parties);
    Ok(rows
        .map(|((position, (signed, receipt)), parties)| {
            let transaction = &signed.transaction;
            let status = if receipt.is_ok() {
                TransactionStatus::Confirmed
            } else {
                TransactionStatus::Failed
            };
            vec![
                first.saturating_add(position).into(),
                text(receipt.transaction_id),
                parties.from.map(|id| id.to_string()).into(),
                parties.to.map(|id| id.to_string()).into(),
                transaction.amount.as_ref().map(ToString::to_string).into(),
                transaction
                    .currency_code
                    .as_ref()
                    .map(ToString::to_string)
                    .into(),
                text(transaction.kind),
                text(status.as_str()),
                transaction.metadata.as_ref().map(compact).into(),
                transaction.timestamp.into(),
                header.timestamp.into(),
                header.height.into(),
                text(compact(signed)),
                text(compact(receipt)),
            ]
        })
        .collect())
}

fn change_rows(block: &Block) -> Vec<Vec<Cell>> {
    let height = block.height();
    (0_u64..)
        .zip(&block.content.state_changes)
        .map(|(position, change)| {
            vec![
                height.into(),
                position.into(),
                text(&change.key),
                change.before.as_ref().map(compact).into(),
                change.after.as_ref().map(compact).into(),
            ]
        })
        .collect()
}

fn node_rows(commit: &Commit<'_>) -> Vec<Vec<Cell>> {
    let nodes = commit.nodes.iter();
    nodes
        .map(|node| {
            vec![
                node.key.version.into(),
                Cell::Bytes(node.key.path.clone()),
                Cell::Bytes(node.bytes.clone()),
            ]
        })
        .collect()
}

/// What the tables of the state say once values are written: rows that are there, and keys whose rows are not.
pub(crate) struct Present {
    pub(crate) rows: Vec<TableRows>,
    pub(crate) gone: Vec<TableRows>,
}

/// The rows that hold these values. A row of users also says whose a name and a key are.
pub(crate) fn present(values: &[(StateKey, StateValue)]) -> StoreResult<Present> {
    let (mut users, mut balances, mut currencies, mut others) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let (mut contracts, mut data, mut gone) = (Vec::new(), Vec::new(), Vec::new());
    for (key, value) in values {
        match (key, value) {
            (StateKey::User(id), StateValue::User(user)) => users.push(user_row(id, user)),
            (StateKey::Username(_) | StateKey::UserKey(_), StateValue::Owner(_)) => {}
            (StateKey::Balance(owner, code), StateValue::Balance(balance)) => balances.push(vec![
                text(owner),
                text(code),
                word(&balance.owner_type),
                text(balance.amount.units()),
                balance.updated_at.into(),
            ]),
            (StateKey::Currency(code), StateValue::Currency(currency)) => {
                currencies.push(currency_row(code, currency));
            }
            (StateKey::Contract(id), StateValue::Contract(contract)) => {
                contracts.push(contract_row(*id, contract, values)?);
            }
            // In the row of its contract.
            (StateKey::Code(_), StateValue::Code(_)) => {}
            (StateKey::Data(id, key), StateValue::Data(value)) => {
                data.push(vec![text(id), text(key), text(compact(value))]);
            }
            (StateKey::Data(id, key), StateValue::Gone) => gone.push(vec![text(id), text(key)]),
            (StateKey::Chain, StateValue::Chain(_))
            | (StateKey::Validators, StateValue::Validators(_))
            | (StateKey::ContractName(_), StateValue::Named(_)) => {
                others.push(vec![text(key), text(compact(&value.to_json()))]);
            }
            (key, _) => return Err(damaged(key.to_string(), "its value is of another kind")),
        }
    }
    Ok(Present {
        rows: vec![
            (&USERS, users),
            (&BALANCES, balances),
            (&CURRENCIES, currencies),
            (&CONTRACTS, contracts),
            (&CONTRACT_DATA, data),
            (&STATE_VALUES, others),
        ],
        gone: vec![(&CONTRACT_DATA, gone)],
    })
}

fn user_row(id: &UserId, user: &UserState) -> Vec<Cell> {
    vec![
        text(id),
        text(&user.username),
        text(&user.display_name),
        text(user.public_key),
        text(user.role),
        text(&user.bio),
        user.nonce.into(),
        user.created_at.into(),
        user.updated_at.into(),
    ]
}

fn currency_row(code: &CurrencyCode, currency: &CurrencyState) -> Vec<Cell> {
    vec![
        text(code),
        word(&currency.kind),
        u64::from(u8::from(currency.decimals)).into(),
        currency.name.clone().into(),
        currency.symbol.clone().into(),
        u64::from(currency.verified).into(),
        currency.created_at.into(),
    ]
}

/// A contract's row holds its code, which is written with it and never again.
fn contract_row(
    id: ContractId,
    contract: &ContractState,
    values: &[(StateKey, StateValue)],
) -> StoreResult<Vec<Cell>> {
    let code = values.iter().find_map(|(key, value)| match value {
        StateValue::Code(code) if *key == StateKey::Code(id) => Some(code),
        _ => None,
    });
    let code = code.ok_or_else(|| damaged(format!("contract {id}"), "it has no code"))?;
    Ok(vec![
        text(id),
        text(contract.owner),
        text(&contract.name),
        text(contract.code_hash),
        contract.created_at.into(),
        text(compact(contract)),
        text(compact(code)),
    ])
}

/// A wire type's word.
pub(crate) fn word<T: serde::Serialize>(value: &T) -> Cell {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => Cell::Text(word),
        _ => Cell::Null,
    }
}

pub(crate) fn summary(row: &Record<'_>) -> Read<BlockSummary> {
    let signature = row
        .optional("signature")?
        .map(str::parse)
        .transpose()
        .map_err(|error| row.damaged("signature", error))?;
    Ok(BlockSummary {
        header: BlockHeader {
            chain_id: row.text("chain_id")?.to_owned(),
            height: row.number("height")?,
            previous_hash: row.parsed("parent_hash")?,
            timestamp: row.time("timestamp")?,
            producer: row.parsed("producer")?,
            tx_root: row.parsed("tx_root")?,
            receipts_root: row.parsed("receipts_root")?,
            changes_hash: row.parsed("changes_hash")?,
            state_root: row.parsed("state_root")?,
            tx_count: row.small("tx_count")?,
            gas_used: row.number("gas_used")?,
            gas_limit: row.number("gas_limit")?,
            content_refs: row.json("content_refs")?,
            validators_hash: row.parsed("validators_hash")?,
            next_validators_hash: row.parsed("next_validators_hash")?,
        },
        hash: row.parsed("hash")?,
        signature,
        failed_count: row.small("failed_count")?,
    })
}

/// A block from its row, its transactions' and its changes'.
pub(crate) fn block<'r>(
    row: &Record<'_>,
    transactions: impl Iterator<Item = Record<'r>>,
    changes: impl Iterator<Item = Record<'r>>,
) -> Read<Block> {
    let summary = summary(row)?;
    let (mut signed, mut receipts): (Vec<_>, Vec<Receipt>) = (Vec::new(), Vec::new());
    for row in transactions {
        signed.push(row.json("body")?);
        receipts.push(row.json("receipt")?);
    }
    let state_changes = changes
        .map(|row| {
            let value = |column| {
                row.optional(column)?
                    .map(serde_json::from_str)
                    .transpose()
                    .map_err(|error| row.damaged(column, error))
            };
            Ok(StateChange {
                key: row.text("key")?.to_owned(),
                before: value("before")?,
                after: value("after")?,
            })
        })
        .collect::<Read<_>>()?;
    Ok(Block {
        content: UnsignedBlock {
            header: summary.header,
            hash: summary.hash,
            transactions: signed,
            receipts,
            state_changes,
        },
        signature: summary.signature,
    })
}

pub(crate) fn transaction(row: &Record<'_>) -> Read<TransactionRecord> {
    Ok(TransactionRecord {
        id: row.parsed("id")?,
        seq: row.number("seq")?,
        signed: row.json("body")?,
        status: row.word("status")?,
        block_height: row.number("block_height")?,
        confirmed_at: row.time("confirmed_at")?,
        receipt: row.json("receipt")?,
    })
}

pub(crate) fn user(row: &Record<'_>) -> Read<UserState> {
    Ok(UserState {
        username: row.parsed("username")?,
        display_name: row.text("display_name")?.to_owned(),
        public_key: row.parsed("public_key")?,
        role: row.parsed("role")?,
        bio: row.text("bio")?.to_owned(),
        nonce: row.number("nonce")?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
    })
}

pub(crate) fn balance(row: &Record<'_>) -> Read<BalanceState> {
    let whole = Decimals::try_from(0).map_err(|error| row.damaged("amount", error))?;
    Ok(BalanceState {
        amount: Amount::parse(row.text("amount")?, whole)
            .map_err(|error| row.damaged("amount", error))?,
        owner_type: row.word("owner_type")?,
        updated_at: row.time("updated_at")?,
    })
}

pub(crate) fn currency(row: &Record<'_>) -> Read<CurrencyState> {
    let decimals = Decimals::try_from(row.small::<u8>("decimals")?)
        .map_err(|error| row.damaged("decimals", error))?;
    let verified = match row.number("verified")? {
        0 => false,
        1 => true,
        _ => return Err(row.damaged("verified", "it is neither 0 nor 1")),
    };
    Ok(CurrencyState {
        kind: row.word("type")?,
        decimals,
        name: row.optional("name")?.map(str::to_owned),
        symbol: row.optional("symbol")?.map(str::to_owned),
        verified,
        created_at: row.time("created_at")?,
    })
}

/// A value of the state that has no table of its own.
pub(crate) fn value(key: &StateKey, text: &str) -> StoreResult<StateValue> {
    let json = serde_json::from_str(text).map_err(|error| damaged(key.to_string(), error))?;
    StateValue::from_json(key, json).map_err(|error| damaged(key.to_string(), error))
}
