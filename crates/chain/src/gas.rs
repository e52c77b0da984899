//! What transactions cost, in one table. Fixed by type: a transaction that fails costs as much as one that does not.
//! What a contract uses is added to that.

use tana_protocol::TransactionType;
use tana_protocol::contract::MAX_SOURCE_BYTES;

/// The largest signed message of a transaction that deploys and calls no contract, in bytes.
const MESSAGE_LIMIT: usize = 16 * 1024;
/// The largest of a call.
const CALL_MESSAGE_LIMIT: usize = 64 * 1024;

/// Gas that one execution of a contract may use.
pub const CALL_LIMIT: u32 = 10_000_000;
/// Gas of a byte of a source: it is parsed, metered and kept for ever.
const SOURCE_BYTE: u64 = 10;

/// The largest signed message of a transaction of this type, in bytes. A source may be escaped twofold.
#[must_use]
pub const fn message_limit(kind: TransactionType) -> usize {
    match kind {
        TransactionType::ContractDeployment => 2 * MAX_SOURCE_BYTES + MESSAGE_LIMIT,
        TransactionType::ContractCall => CALL_MESSAGE_LIMIT,
        _ => MESSAGE_LIMIT,
    }
}

/// Gas of taking in a source of this length.
#[must_use]
pub const fn of_source(bytes: usize) -> u64 {
    (bytes as u64).saturating_mul(SOURCE_BYTE)
}

/// The most that a transaction of this type can use.
#[must_use]
pub const fn most(kind: TransactionType) -> u64 {
    match kind {
        TransactionType::ContractDeployment => {
            of(kind) + of_source(MAX_SOURCE_BYTES) + CALL_LIMIT as u64
        }
        TransactionType::ContractCall => of(kind) + CALL_LIMIT as u64,
        _ => of(kind),
    }
}

/// Gas of a transaction of this type, apart from what a contract uses.
#[must_use]
pub const fn of(kind: TransactionType) -> u64 {
    match kind {
        TransactionType::Transfer | TransactionType::Deposit | TransactionType::Withdraw => 1_000,
        TransactionType::RoleChange | TransactionType::BalanceAdjustment => 2_000,
        TransactionType::UserCreation
        | TransactionType::CurrencyCreation
        | TransactionType::ValidatorUpdate => 5_000,
        TransactionType::ContractDeployment | TransactionType::ContractCall => 10_000,
    }
}
