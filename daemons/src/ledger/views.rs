//! What is stored, in the form in which it is answered.

use serde_json::Value;
use tana_protocol::amount::AmountText;
use tana_protocol::api::ledger::{
    BalanceView, BatchAccepted, BlockView, CheckName, ContractView, CurrencyView, DeadLetterView,
    ReceiptView, Submitted, TransactionStatus, TransactionView,
};
use tana_protocol::block::Block;
use tana_protocol::contract::ContractState;
use tana_protocol::genesis::Currency;
use tana_protocol::state::CurrencyState;
use tana_protocol::{Amount, ContractId, CurrencyCode, Decimals};
use tana_store::ledger::{BalanceRecord, BlockSummary, TransactionRecord};
use tana_store::queue::{DeadLetter, QueueEntry};

use super::submit::Accepted;

/// The wire word of a check.
pub(super) fn check_word(name: CheckName) -> String {
    match serde_json::to_value(name) {
        Ok(Value::String(word)) => word,
        _ => String::new(),
    }
}

/// A block as it is listed.
pub(super) fn listed(block: &Block) -> BlockView {
    let failed = block.content.receipts.iter().filter(|r| !r.is_ok()).count();
    summary(BlockSummary {
        header: block.content.header.clone(),
        hash: block.content.hash,
        signature: block.signature,
        failed_count: u32::try_from(failed).unwrap_or(u32::MAX),
    })
}

pub(super) fn summary(summary: BlockSummary) -> BlockView {
    BlockView {
        header: summary.header,
        hash: summary.hash,
        signature: summary.signature,
        transactions: None,
        receipts: None,
        state_changes: None,
        failed_count: Some(summary.failed_count),
    }
}

/// A block with its body.
pub(super) fn whole(block: Block) -> BlockView {
    BlockView {
        header: block.content.header,
        hash: block.content.hash,
        signature: block.signature,
        transactions: Some(block.content.transactions),
        receipts: Some(block.content.receipts),
        state_changes: Some(block.content.state_changes),
        failed_count: None,
    }
}

pub(super) fn transaction(record: TransactionRecord) -> TransactionView {
    TransactionView {
        id: record.id,
        created_at: record.signed.transaction.timestamp,
        signed: record.signed,
        status: record.status,
        block_height: Some(record.block_height),
        confirmed_at: Some(record.confirmed_at),
        receipt: Some(ReceiptView::from(record.receipt)),
    }
}

pub(super) fn queued(entry: QueueEntry) -> TransactionView {
    TransactionView {
        id: entry.id,
        created_at: entry.transaction.transaction.timestamp,
        signed: entry.transaction,
        status: TransactionStatus::Queued,
        block_height: None,
        confirmed_at: None,
        receipt: None,
    }
}

/// An accepted transaction that no block can take: it has failed, outside of any block.
pub(super) fn dead(letter: DeadLetter) -> TransactionView {
    TransactionView {
        id: letter.id,
        created_at: letter.transaction.transaction.timestamp,
        signed: letter.transaction,
        status: TransactionStatus::Failed,
        block_height: None,
        confirmed_at: None,
        receipt: Some(ReceiptView {
            code: letter.code.as_str(),
            message: letter.reason,
            gas_used: 0,
            result: None,
            logs: None,
            events: None,
        }),
    }
}

pub(super) fn dead_letter(letter: DeadLetter) -> DeadLetterView {
    DeadLetterView {
        id: letter.id,
        stream_id: letter.stream_id.to_string(),
        code: letter.code,
        reason: letter.reason,
        buried_at: letter.buried_at,
        signed: letter.transaction,
    }
}

pub(super) fn submitted(accepted: Accepted) -> Submitted {
    let transaction = accepted.signed.transaction;
    Submitted {
        id: accepted.id,
        status: accepted.status,
        stream_id: accepted.stream_id.map(|id| id.to_string()),
        kind: transaction.kind,
        from: transaction.from,
        to: transaction.to,
        timestamp: transaction.timestamp,
    }
}

pub(super) fn batch_member(accepted: Accepted, status: u16) -> BatchAccepted {
    let submitted = submitted(accepted);
    BatchAccepted {
        status,
        id: submitted.id,
        stream_id: submitted.stream_id,
        kind: submitted.kind,
        from: submitted.from,
        to: submitted.to,
        timestamp: submitted.timestamp,
    }
}

/// A contract without its source.
pub(super) fn contract(id: ContractId, state: ContractState) -> ContractView {
    ContractView {
        id,
        owner_id: state.owner,
        name: state.name.to_string(),
        version: state.version,
        description: Some(state.description).filter(|text| !text.is_empty()),
        code_hash: state.source_hash,
        metered_hash: Some(state.code_hash),
        gas_schedule: Some(state.gas_schedule),
        has_contract: state.entries.contract,
        has_init: state.entries.init,
        has_get: state.entries.get,
        has_post: state.entries.post,
        is_active: true,
        deployed_in_block: state.block,
        deployment_tx_id: state.transaction,
        created_at: state.created_at,
        source_code: None,
    }
}

/// A balance in the currency's own form.
pub(super) fn balance(record: BalanceRecord, decimals: Decimals) -> Option<BalanceView> {
    Some(BalanceView {
        owner_id: record.owner,
        owner_type: record.state.owner_type,
        currency_code: record.currency,
        amount: amount(record.state.amount, decimals)?,
        updated_at: record.state.updated_at,
    })
}

/// The shortest exact text; always one that parses.
pub(super) fn amount(amount: Amount, decimals: Decimals) -> Option<AmountText> {
    amount.format_short(decimals).parse().ok()
}

pub(super) fn currency(code: CurrencyCode, state: CurrencyState) -> CurrencyView {
    CurrencyView {
        currency: Currency {
            code,
            kind: state.kind,
            decimals: state.decimals,
            name: state.name,
            symbol: state.symbol,
        },
        verified: state.verified,
    }
}
