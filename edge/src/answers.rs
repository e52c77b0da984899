//! What running contracts are told: the chain, where there is one, and the hosts that are allowed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::future::BoxFuture;
use serde_json::{Value, json};
use tana_protocol::ContractId;
use tana_sandbox::message::{Body, Part, Question};
use tana_sandbox::pool::Answers;

use tokio::sync::mpsc::UnboundedSender;

use crate::chain::Chain;
use crate::http::LIMITS;

pub(crate) struct ChainAnswers {
    chain: Option<Arc<Chain>>,
    hosts: Vec<String>,
}

impl ChainAnswers {
    pub(crate) fn new(chain: Option<Arc<Chain>>, hosts: Vec<String>) -> Self {
        Self { chain, hosts }
    }
}

impl ChainAnswers {
    /// For one contract, whose storage it is told: none for a contract that is not deployed.
    pub(crate) fn of(
        &self,
        contract: Option<ContractId>,
        parts: UnboundedSender<Part>,
    ) -> ContractAnswers<'_> {
        ContractAnswers {
            all: self,
            contract,
            parts,
            room: AtomicUsize::new(LIMITS.result_bytes),
        }
    }
}

pub(crate) struct ContractAnswers<'a> {
    all: &'a ChainAnswers,
    contract: Option<ContractId>,
    parts: UnboundedSender<Part>,
    /// Bytes that may still come in parts. The worker counts them too; but what it says is not to be relied on, and
    /// parts are kept for a client that is slow.
    room: AtomicUsize,
}

impl Answers for ContractAnswers<'_> {
    fn answer(&self, question: Question) -> BoxFuture<'_, Result<Value, String>> {
        Box::pin(async move {
            if matches!(question, Question::Fetch { .. }) {
                return tana_sandbox::fetch::fetch(&self.all.hosts, question).await;
            }
            match &self.all.chain {
                Some(chain) => chain.answer(&question, self.contract).await,
                // A directory is served without a chain: nobody is known and nothing is stored.
                None => Ok(match question {
                    Question::Balance { .. } => json!("0"),
                    Question::Storage => json!({}),
                    _ => Value::Null,
                }),
            }
        })
    }

    fn part(&self, part: Part) {
        let size = match &part {
            Part::Head { .. } => 0,
            Part::Piece(Body::Text(text)) => text.len(),
            Part::Piece(Body::Base64(text)) => text.len() / 4 * 3,
        };
        let room = self
            .room
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |room| {
                room.checked_sub(size)
            });
        if room.is_ok() {
            // Where the client has gone away, nobody takes it.
            let _ = self.parts.send(part);
        }
    }
}
