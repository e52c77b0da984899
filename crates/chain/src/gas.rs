//! What transactions cost, in one table. Fixed by type: a transaction that fails costs as much as one that does not.

use tana_protocol::TransactionType;

/// The largest signed message of a transaction that deploys and calls no contract, in bytes.
pub const MESSAGE_LIMIT: usize = 16 * 1024;

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
