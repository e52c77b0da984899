//! Blocks from the ledger, and what of them is checked in this process: nothing that the ledger says of itself is taken for a check.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tana_client::{ContentClient, LedgerClient, PageQuery};
use tana_home::Settings;
use tana_protocol::api::ledger::{BlockView, ChainInfo, CheckName};
use tana_protocol::block::producer_message;
use tana_protocol::transaction::PartyRef;
use tana_protocol::{Party, PublicKey, SignedTransaction, TransactionId, TransactionType};

use super::Outbox;
use crate::features::blocks::model::{Finding, LocalCheck, WholeBlock};
use crate::features::queue::model::Found;
use crate::msg::{ChainNews, Msg};

/// Users asked for on behalf of one block.
const USERS: usize = 64;
/// Users remembered.
const REMEMBERED: usize = 4096;

/// What was learned of the chain and its users, so that it is asked once.
#[derive(Clone, Default)]
pub(super) struct Known(Arc<Mutex<Facts>>);

#[derive(Default)]
struct Facts {
    info: Option<ChainInfo>,
    /// Key and name by what a transaction calls the user.
    users: HashMap<String, (PublicKey, String)>,
}

impl Known {
    pub(super) fn info(&self, info: ChainInfo) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).info = Some(info);
    }

    fn user(&self, text: &str) -> Option<(PublicKey, String)> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .users
            .get(text)
            .cloned()
    }

    fn learn(&self, text: &str, key: PublicKey, name: String) {
        let mut facts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if facts.users.len() >= REMEMBERED {
            facts.users.clear();
        }
        facts.users.insert(text.to_owned(), (key, name));
    }

    fn producer(&self, block: &BlockView) -> Option<PublicKey> {
        let facts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let validators = &facts.info.as_ref()?.validators;
        validators
            .iter()
            .find(|v| v.node_id == block.header.producer)
            .map(|v| v.public_key)
    }
}

/// Reads a block whole and checks what can be checked here.
pub(super) async fn load(ledger: LedgerClient, known: Known, height: u64, outbox: Outbox) {
    let result = match ledger.block(height).await {
        Ok(block) => Ok(Box::new(examine(&ledger, &known, block).await)),
        Err(error) => Err(error.to_string()),
    };
    outbox.send(Msg::Chain(ChainNews::Whole { height, result }));
}

async fn examine(ledger: &LedgerClient, known: &Known, block: BlockView) -> WholeBlock {
    let transactions = block.transactions.as_deref().unwrap_or_default();
    let mut asked = 0;
    for signed in transactions {
        for party in [&signed.transaction.from, &signed.transaction.to] {
            if party.is_system() || known.user(party.as_str()).is_some() || asked >= USERS {
                continue;
            }
            asked += 1;
            let user = match party.target() {
                PartyRef::Id(id) => ledger.user(id).await,
                PartyRef::Name(name) => ledger.user_named(name).await,
            };
            // A contract, or a user that never came to be.
            if let Ok(user) = user {
                known.learn(party.as_str(), user.public_key, user.username.to_string());
            }
        }
    }
    let names = transactions
        .iter()
        .flat_map(|s| [&s.transaction.from, &s.transaction.to])
        .filter_map(|p: &Party| {
            known
                .user(p.as_str())
                .map(|(_, name)| (p.as_str().to_owned(), name))
        })
        .collect();
    let checks = vec![
        LocalCheck {
            name: CheckName::Hash,
            finding: hash(&block),
        },
        LocalCheck {
            name: CheckName::TxRoot,
            finding: transaction_root(&block, transactions),
        },
        LocalCheck {
            name: CheckName::Signatures,
            finding: signatures(known, transactions).await,
        },
        LocalCheck {
            name: CheckName::ProducerSignature,
            finding: producer(known, &block),
        },
    ];
    WholeBlock {
        block,
        checks,
        names,
    }
}

fn hash(block: &BlockView) -> Finding {
    let computed = block.header.hash();
    if computed == block.hash {
        Finding::Holds
    } else {
        Finding::Broken(format!(
            "the header hashes to {}, not to what the block says",
            computed.short()
        ))
    }
}

/// The Merkle root over the ids that the transactions themselves give.
fn transaction_root(block: &BlockView, transactions: &[SignedTransaction]) -> Finding {
    let ids: Vec<_> = transactions.iter().map(SignedTransaction::id).collect();
    let count = u32::try_from(ids.len()).unwrap_or(u32::MAX);
    if count != block.header.tx_count {
        return Finding::Broken(format!(
            "the header counts {} transactions, the block has {count}",
            block.header.tx_count
        ));
    }
    let computed = tana_chain::block::tx_root(&ids);
    if computed == block.header.tx_root {
        Finding::Holds
    } else {
        Finding::Broken(format!(
            "the transactions' root is {}, not what the header says",
            computed.short()
        ))
    }
}

fn producer(known: &Known, block: &BlockView) -> Finding {
    if block.header.height == 0 {
        // Every node computes the genesis; nobody signs it.
        return Finding::Holds;
    }
    let Some(key) = known.producer(block) else {
        return Finding::Open(format!(
            "{} is not among the chain's validators as the ledger lists them",
            block.header.producer
        ));
    };
    match &block.signature {
        Some(signature) if key.verify(&producer_message(block.hash), signature).is_ok() => {
            Finding::Holds
        }
        Some(_) => Finding::Broken(format!("the signature is not {}'s", block.header.producer)),
        None => Finding::Broken("the producer's signature is missing".to_owned()),
    }
}

async fn signatures(known: &Known, transactions: &[SignedTransaction]) -> Finding {
    let mut unknown = 0_usize;
    for (i, signed) in transactions.iter().enumerate() {
        match key_of(known, signed) {
            Some(key) if signed.verify(&key).is_ok() => {}
            Some(_) => {
                return Finding::Broken(format!(
                    "the signature of {} does not fit",
                    signed.id().short()
                ));
            }
            None => unknown += 1,
        }
        if i % 8 == 7 {
            // A full block takes a while; keys are answered meanwhile.
            tokio::task::yield_now().await;
        }
    }
    match unknown {
        0 => Finding::Holds,
        1 => Finding::Open("the signer of 1 transaction is not known here".to_owned()),
        n => Finding::Open(format!(
            "the signers of {n} transactions are not known here"
        )),
    }
}

/// Whose key a transaction must be signed with: a creation's own, else the sender's.
fn key_of(known: &Known, signed: &SignedTransaction) -> Option<PublicKey> {
    if signed.transaction.kind == TransactionType::UserCreation {
        let input = signed.transaction.contract_input.as_ref()?;
        return input.get("publicKey")?.as_str()?.parse().ok();
    }
    known
        .user(signed.transaction.from.as_str())
        .map(|(key, _)| key)
}

pub(super) async fn older(ledger: LedgerClient, before: u64, outbox: Outbox) {
    // The ledger pages by height: the page after the block `before`.
    let query = PageQuery {
        limit: Some(100),
        cursor: Some(before.to_string()),
    };
    if let Ok(page) = ledger.blocks(&query).await {
        outbox.send(Msg::Chain(ChainNews::Older(page.items)));
    }
}

pub(super) async fn verify(ledger: LedgerClient, height: u64, outbox: Outbox) {
    let result = ledger.verify_block(height).await.map_err(|e| e.to_string());
    outbox.send(Msg::Chain(ChainNews::Verified { height, result }));
}

/// Dead letters that are read.
const LETTERS: u32 = 200;

pub(super) async fn queue(ledger: LedgerClient, outbox: Outbox) {
    let found = async {
        let (queue, pending, dead) = futures::try_join!(
            ledger.queue(),
            ledger.pending(),
            ledger.dead_letters(LETTERS)
        )?;
        let mut waiting = pending.transactions;
        waiting.sort_by_key(|view| view.created_at);
        Ok::<_, tana_client::ClientError>(Box::new(Found {
            queue,
            waiting,
            dead,
        }))
    };
    let result = found.await.map_err(|e| e.to_string());
    outbox.send(Msg::Chain(ChainNews::Queue(result)));
}

/// What becomes of a dead letter.
pub(super) enum Letter {
    Retry,
    Drop,
}

/// Queues a dead letter again or drops it, with a token of this node's producer; then the queue is read anew.
pub(super) async fn letter(
    ledger: LedgerClient,
    settings: Arc<Settings>,
    id: TransactionId,
    letter: Letter,
    outbox: Outbox,
) {
    let short = crate::show::short(&id.to_string());
    let what = match letter {
        Letter::Retry => format!("queueing {short} again"),
        Letter::Drop => format!("dropping {short}"),
    };
    let reread = ledger.clone();
    let work = async {
        let token = crate::cli::queue::token(&settings).map_err(|e| format!("{e:#}"))?;
        match letter {
            Letter::Retry => ledger
                .retry_dead_letter(&id, &token)
                .await
                .map(|submitted| format!("{short} is {}", submitted.status.as_str())),
            Letter::Drop => ledger
                .drop_dead_letter(&id, &token)
                .await
                .map(|_| format!("{short} is gone")),
        }
        .map_err(|e| format!("{short}: {e}"))
    };
    outbox.around(what, work).await;
    queue(reread, outbox).await;
}

pub(super) async fn content(ledger: LedgerClient, store: ContentClient, outbox: Outbox) {
    let result = crate::survey::survey(&ledger, &store, crate::features::content::model::BLOCKS)
        .await
        .map_err(|e| e.to_string());
    outbox.send(Msg::Chain(ChainNews::Content(result)));
}

pub(super) async fn contracts(ledger: LedgerClient, outbox: Outbox) {
    let result = ledger
        .contracts(&PageQuery::first(500))
        .await
        .map(|page| page.items)
        .map_err(|e| e.to_string());
    outbox.send(Msg::Chain(ChainNews::Contracts(result)));
}
