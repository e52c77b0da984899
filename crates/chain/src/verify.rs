//! The six checks of a block (design §5). All of them are always made, each names what it found.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;

use serde_json::Value;
use tana_protocol::api::ledger::{BlockCheck, BlockVerification, CheckName};
use tana_protocol::block::{Block, BlockHeader, StateChange};
use tana_protocol::json::is_exact;
use tana_protocol::transaction::PartyRef;
use tana_protocol::{
    ChainSpec, Hash32, PublicKey, SignedTransaction, StateKey, StateValue, Transaction,
    TransactionId, TransactionType,
};

use crate::block::{content_refs, receipts_root, tx_root};
use crate::contract::Contracts;
use crate::execute::{Execution, Executor, Outcome, Read, id_of};
use crate::genesis::genesis;
use crate::rules;
use crate::signatures::{Checking, Job};
use crate::state::{StateError, StateReader};
use crate::tree::{self, TreeNodes, TreeUpdate};

/// What a block is judged by.
pub struct Judged<'a> {
    /// The chain.
    pub spec: &'a ChainSpec,
    /// The header of the block before, and its hash.
    pub parent: (&'a BlockHeader, Hash32),
    /// The block.
    pub block: &'a Block,
    /// The state before the block, as far as its transactions need it.
    pub state: &'a dyn StateReader,
    /// The tree before the block, on the way to what it changes.
    pub nodes: &'a TreeNodes,
    /// What executes its contracts.
    pub contracts: Contracts<'a>,
    /// For signatures.
    pub threads: NonZeroUsize,
}

/// What replay gave.
#[derive(Clone, Debug, PartialEq)]
pub struct Replayed {
    /// Receipts and changes.
    pub execution: Execution,
    /// The tree after the block.
    pub tree: TreeUpdate,
}

/// Collects what each check found.
struct Findings(Vec<(CheckName, Option<String>)>);

impl Findings {
    fn new() -> Self {
        Self(
            CheckName::ALL
                .into_iter()
                .map(|name| (name, None))
                .collect(),
        )
    }

    /// Notes the first thing that does not hold.
    fn found(&mut self, name: CheckName, detail: impl Into<String>) {
        let slot = self.0.iter_mut().find(|(check, _)| *check == name);
        if let Some((_, first @ None)) = slot {
            *first = Some(detail.into());
        }
    }

    fn must<T: PartialEq>(&mut self, name: CheckName, what: &str, stored: &T, computed: &T) {
        if stored != computed {
            self.found(name, format!("{what} is not what it should be"));
        }
    }

    fn verification(self, height: u64) -> BlockVerification {
        let checks: Vec<BlockCheck> = self
            .0
            .into_iter()
            .map(|(name, detail)| BlockCheck {
                name,
                ok: detail.is_none(),
                detail,
            })
            .collect();
        BlockVerification {
            height,
            valid: checks.iter().all(|check| check.ok),
            checks,
        }
    }
}

/// Makes all six checks of a block above the genesis, and answers what replay gave where it came to an end.
///
/// # Errors
/// When the state was not loaded, or the contract engine gave no answer. That says nothing about the block.
pub fn verify(judged: &Judged<'_>) -> Result<(BlockVerification, Option<Replayed>), StateError> {
    let block = judged.block;
    let mut findings = Findings::new();
    let prepared = prepare(&block.content.transactions, judged.threads);
    // The signatures take about as long as all the rest, so both are done at once: with the keys that the state before the
    // block names, which are those that replay asks for, but of senders whom the block itself creates or changes.
    let expected: Vec<Option<PublicKey>> = prepared
        .iter()
        .map(|prepared| expected_key(judged.state, &prepared.signed.transaction))
        .collect();
    let early: Vec<Job<'_>> = (prepared.iter().zip(&expected))
        .filter_map(|(prepared, key)| Some(job((*key)?, prepared)))
        .collect();
    let checking = Checking::new(&early);
    let outcome = std::thread::scope(|scope| {
        for _ in 0..checking.helpers(judged.threads) {
            scope.spawn(|| checking.work());
        }
        header(judged, &mut findings);
        let stored = body(block, &prepared, &mut findings);
        let replayed = replay(judged, &prepared, &mut findings).map(|(execution, keys)| {
            producer(judged, &execution, &mut findings);
            (compare(judged, execution, &stored, &mut findings), keys)
        });
        checking.work();
        replayed
    });
    let (replayed, keys) = outcome?;
    let mut fits = checking.into_answers().into_iter();
    for ((prepared, expected), key) in prepared.iter().zip(&expected).zip(keys) {
        let early = expected.and_then(|_| fits.next());
        let fits = match (early, key) {
            // Replay has said already why it can be in no block.
            (_, None) => continue,
            (Some(fits), Some(key)) if *expected == Some(key) => fits,
            (_, Some(key)) => {
                let late = job(key, prepared);
                late.key.verify(late.message, &late.signature).is_ok()
            }
        };
        if !fits {
            findings.found(
                CheckName::Signatures,
                format!("the signature of {} does not fit", prepared.id),
            );
        }
    }
    Ok((findings.verification(block.height()), replayed))
}

/// Fewer transactions than this are not worth a thread to prepare them.
const WORTH: usize = 64;

/// A transaction of the block, with what is derived of it.
struct Prepared<'a> {
    signed: &'a SignedTransaction,
    id: TransactionId,
    message: String,
}

impl<'a> Prepared<'a> {
    fn new(signed: &'a SignedTransaction) -> Self {
        let message = signed.transaction.message();
        Self {
            signed,
            id: id_of(&message, &signed.signature),
            message,
        }
    }
}

fn prepare(transactions: &[SignedTransaction], threads: NonZeroUsize) -> Vec<Prepared<'_>> {
    let prepare = |part| {
        <[SignedTransaction]>::iter(part)
            .map(Prepared::new)
            .collect::<Vec<_>>()
    };
    if transactions.len() < WORTH {
        return prepare(transactions);
    }
    let size = transactions.len().div_ceil(threads.get());
    let (own, others) = transactions.split_at(size);
    std::thread::scope(|scope| {
        let others: Vec<_> = others
            .chunks(size)
            .map(|part| (part, scope.spawn(move || prepare(part))))
            .collect();
        let mut all = prepare(own);
        for (part, other) in others {
            all.extend(other.join().unwrap_or_else(|_| prepare(part)));
        }
        all
    })
}

fn job<'a>(key: PublicKey, prepared: &'a Prepared<'_>) -> Job<'a> {
    Job {
        key,
        message: &prepared.message,
        signature: prepared.signed.signature,
    }
}

/// With which key a transaction has to be signed, as far as the state before the block says.
fn expected_key(state: &dyn StateReader, transaction: &Transaction) -> Option<PublicKey> {
    if transaction.kind == TransactionType::UserCreation {
        return rules::user::new_user(transaction)
            .ok()
            .map(|new| new.public_key);
    }
    let id = match transaction.from.target() {
        PartyRef::Id(id) => *id,
        PartyRef::Name(name) => match state.get(&StateKey::Username(name.clone())).ok()?? {
            StateValue::Owner(id) => id,
            _ => return None,
        },
    };
    match state.get(&StateKey::User(id)).ok()?? {
        StateValue::User(user) => Some(user.public_key),
        _ => None,
    }
}

fn header(judged: &Judged<'_>, findings: &mut Findings) {
    let header = &judged.block.content.header;
    let (parent, parent_hash) = &judged.parent;
    let name = CheckName::Hash;
    findings.must(name, "hash", &judged.block.content.hash, &header.hash());
    findings.must(name, "previousHash", &header.previous_hash, parent_hash);
    findings.must(name, "chainId", &header.chain_id, &judged.spec.chain_id);
    let height = parent.height.saturating_add(1);
    findings.must(name, "height", &header.height, &height);
    let limit = judged.spec.limits.block_gas_limit;
    findings.must(name, "gasLimit", &header.gas_limit, &limit);
    let content = &judged.block.content;
    let refs = content_refs(&content.transactions, &content.receipts);
    findings.must(name, "contentRefs", &header.content_refs, &refs);
    if header.timestamp <= parent.timestamp {
        findings.found(name, "timestamp is not later than the block before");
    }
    let agreed = &parent.next_validators_hash;
    findings.must(name, "validatorsHash", &header.validators_hash, agreed);
}

/// Checks what the header says of the body; answers the canonical JSON of the state changes.
fn body(block: &Block, prepared: &[Prepared<'_>], findings: &mut Findings) -> Vec<u8> {
    let content = &block.content;
    let header = &content.header;
    let ids: Vec<_> = prepared.iter().map(|transaction| transaction.id).collect();
    findings.must(CheckName::TxRoot, "txRoot", &header.tx_root, &tx_root(&ids));
    let count = u32::try_from(ids.len()).unwrap_or(u32::MAX);
    findings.must(CheckName::TxRoot, "txCount", &header.tx_count, &count);
    if ids.iter().collect::<BTreeSet<_>>().len() != ids.len() {
        findings.found(CheckName::TxRoot, "a transaction is there twice");
    }
    let root = receipts_root(&content.receipts);
    findings.must(
        CheckName::TxRoot,
        "receiptsRoot",
        &header.receipts_root,
        &root,
    );
    let changes = StateChange::canonical_list(&content.state_changes);
    findings.must(
        CheckName::StateChanges,
        "changesHash",
        &header.changes_hash,
        &Hash32::of(&changes),
    );
    changes
}

/// Whether a block's state changes are those that execution gave; `stored` is their canonical JSON. Where a number in them
/// has its canonical form in common with others, the values are compared themselves.
fn are_those_of(changes: &[StateChange], stored: &[u8], execution: &Execution) -> bool {
    let is_exact = |value: &Option<Value>| value.as_ref().is_none_or(is_exact);
    stored == execution.changes.text()
        && (changes.iter()).all(|change| is_exact(&change.before) && is_exact(&change.after))
        || changes == execution.state_changes()
}

/// Executes the block's transactions again; answers for each with which key it has to be signed, and `None` where it can
/// be in no block.
fn replay(
    judged: &Judged<'_>,
    prepared: &[Prepared<'_>],
    findings: &mut Findings,
) -> Result<(Execution, Vec<Option<PublicKey>>), StateError> {
    let header = &judged.block.content.header;
    let mut executor = Executor::new(judged.spec, header.height, header.timestamp, judged.state)
        .with_contracts(judged.contracts);
    let mut keys = Vec::with_capacity(prepared.len());
    for transaction in prepared {
        if !executor.has_room(transaction.signed.transaction.kind) {
            findings.found(CheckName::StateRoot, "the block exceeds its limits");
        }
        let mut asked = None;
        let read = Read {
            transaction: &transaction.signed.transaction,
            id: transaction.id,
            message: &transaction.message,
        };
        let outcome = executor.execute(read, &mut |key| {
            asked = Some(*key);
            true
        })?;
        keys.push(asked);
        if let Outcome::Excluded(failure) = outcome {
            findings.found(
                CheckName::Signatures,
                format!("{} can be in no block: {failure}", transaction.id),
            );
        }
    }
    Ok((executor.finish()?, keys))
}

fn producer(judged: &Judged<'_>, execution: &Execution, findings: &mut Findings) {
    let producer = &judged.block.content.header.producer;
    let detail = match execution.validators.key_of(producer) {
        None => Some(format!("{producer} is no validator at this height")),
        Some(key) => judged
            .block
            .verify_producer(&key)
            .err()
            .map(|error| error.to_string()),
    };
    if let Some(detail) = detail {
        findings.found(CheckName::ProducerSignature, detail);
    }
}

fn compare(
    judged: &Judged<'_>,
    execution: Execution,
    stored: &[u8],
    findings: &mut Findings,
) -> Option<Replayed> {
    let content = &judged.block.content;
    let header = &content.header;
    let name = CheckName::StateChanges;
    let fits = are_those_of(&content.state_changes, stored, &execution);
    findings.must(name, "stateChanges", &fits, &true);
    findings.must(name, "receipts", &content.receipts, &execution.receipts);
    let name = CheckName::StateRoot;
    findings.must(name, "gasUsed", &header.gas_used, &execution.gas_used);
    let set = execution.validators.set_hash();
    findings.must(name, "validatorsHash", &header.validators_hash, &set);
    let next = execution.next_validators.set_hash();
    findings.must(
        name,
        "nextValidatorsHash",
        &header.next_validators_hash,
        &next,
    );
    let before = tree::root(judged.nodes, judged.parent.0.height);
    match before {
        Ok(root) => findings.must(
            name,
            "the state root before",
            &root,
            &judged.parent.0.state_root,
        ),
        Err(error) => findings.found(name, error.to_string()),
    }
    match tree::update_of(judged.nodes, header.height, &execution.changes) {
        Ok(tree) => {
            findings.must(name, "stateRoot", &header.state_root, &tree.root);
            Some(Replayed { execution, tree })
        }
        Err(error) => {
            findings.found(name, error.to_string());
            None
        }
    }
}

/// The checks of block 0: every node computes it from the chain file.
#[must_use]
pub fn verify_genesis(spec: &ChainSpec, block: &Block) -> BlockVerification {
    let mut findings = Findings::new();
    match genesis(spec) {
        Err(error) => findings.found(CheckName::Hash, error.to_string()),
        Ok(computed) => {
            let (stored, right) = (&block.content, &computed.block.content);
            let (header, wanted) = (&stored.header, &right.header);
            findings.must(CheckName::Hash, "the genesis", header, wanted);
            findings.must(CheckName::Hash, "hash", &stored.hash, &right.hash);
            findings.must(
                CheckName::TxRoot,
                "txRoot",
                &header.tx_root,
                &wanted.tx_root,
            );
            if !stored.transactions.is_empty() || !stored.receipts.is_empty() {
                findings.found(CheckName::TxRoot, "the genesis has no transactions");
            }
            let name = CheckName::StateRoot;
            findings.must(name, "stateRoot", &header.state_root, &wanted.state_root);
            let name = CheckName::StateChanges;
            findings.must(
                name,
                "stateChanges",
                &stored.state_changes,
                &right.state_changes,
            );
            findings.must(
                CheckName::ProducerSignature,
                "the signature",
                &block.signature,
                &computed.block.signature,
            );
        }
    }
    findings.verification(block.height())
}

/// The keys that a block says it changed: what to load of the tree besides what execution names.
#[must_use]
pub fn named_keys(block: &Block) -> Vec<StateKey> {
    block
        .content
        .state_changes
        .iter()
        .filter_map(|change| change.key.parse().ok())
        .collect()
}
