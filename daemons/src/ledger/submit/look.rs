//! What transactions are judged by: the state that they find, and whether their signatures fit.

use std::collections::BTreeMap;
use std::sync::Arc;

use tana_chain::signatures::{self, Job};
use tana_chain::{MemoryState, Prepared, plan};
use tana_protocol::{Hash32, PublicKey, TransactionId};

use crate::ledger::error::LedgerError;
use crate::ledger::load::{self, At};
use crate::ledger::service::Ledger;

/// A look at the chain for some transactions.
pub(super) struct Looked {
    /// The tip that it was taken of.
    pub(super) tip: Hash32,
    /// Those of the transactions that are in a block, and in which.
    pub(super) included: BTreeMap<TransactionId, u64>,
    pub(super) state: MemoryState,
    /// For each transaction the key that its signature was checked with, and whether it fits; `None` where nobody is known
    /// to sign it.
    checked: Vec<Option<(PublicKey, bool)>>,
}

impl Looked {
    /// Looks, and checks all signatures, on all cores.
    pub(super) async fn at(
        ledger: &Ledger,
        transactions: &Arc<[Prepared]>,
    ) -> Result<Self, LedgerError> {
        let none = vec![None; transactions.len()];
        look(ledger, transactions, none).await
    }

    /// Looks again, where a block has come since. What was checked with a key that is still the signer's stays so.
    pub(super) async fn again(
        self,
        ledger: &Ledger,
        transactions: &Arc<[Prepared]>,
    ) -> Result<Self, LedgerError> {
        look(ledger, transactions, self.checked).await
    }

    /// For each transaction whether its signature fits.
    pub(super) fn fits(&self) -> impl Iterator<Item = bool> {
        let checked = self.checked.iter();
        checked.map(|checked| checked.is_some_and(|(_, fits)| fits))
    }
}

async fn look(
    ledger: &Ledger,
    transactions: &Arc<[Prepared]>,
    mut checked: Vec<Option<(PublicKey, bool)>>,
) -> Result<Looked, LedgerError> {
    let tip = ledger.tip().hash;
    let ids: Vec<TransactionId> = transactions.iter().map(|prepared| prepared.id).collect();
    let included = ledger.store().included(&ids).await?;
    let wanted = transactions
        .iter()
        .map(|prepared| &prepared.signed.transaction);
    let state = load::state(ledger.store(), wanted, At::Tip).await?;
    let signers = transactions
        .iter()
        .map(|prepared| plan::signer(&prepared.signed.transaction, &state));
    let mut unchecked = Vec::new();
    for (place, (signer, checked)) in signers.zip(&mut checked).enumerate() {
        if checked.map(|(key, _)| key) != signer {
            *checked = None;
            unchecked.extend(signer.map(|key| (place, key)));
        }
    }
    if !unchecked.is_empty() {
        let (threads, transactions) = (ledger.threads(), Arc::clone(transactions));
        let check = move || {
            let jobs: Vec<Job<'_>> = unchecked
                .iter()
                .map(|(place, key)| Job {
                    key: *key,
                    message: &transactions[*place].message,
                    signature: transactions[*place].signed.signature,
                })
                .collect();
            let fits = signatures::check(&jobs, threads);
            unchecked.into_iter().zip(fits).collect::<Vec<_>>()
        };
        for ((place, key), fits) in tokio::task::spawn_blocking(check).await? {
            checked[place] = Some((key, fits));
        }
    }
    Ok(Looked {
        tip,
        included,
        state,
        checked,
    })
}
