//! What running contracts are told: the chain, where there is one, and the hosts that are allowed.

use std::sync::Arc;

use futures::future::BoxFuture;
use serde_json::{Value, json};
use tana_protocol::ContractId;
use tana_runtime::message::Question;
use tana_runtime::pool::Answers;

use crate::chain::Chain;

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
    pub(crate) fn of(&self, contract: Option<ContractId>) -> ContractAnswers<'_> {
        ContractAnswers {
            all: self,
            contract,
        }
    }
}

pub(crate) struct ContractAnswers<'a> {
    all: &'a ChainAnswers,
    contract: Option<ContractId>,
}

impl Answers for ContractAnswers<'_> {
    fn answer(&self, question: Question) -> BoxFuture<'_, Result<Value, String>> {
        Box::pin(async move {
            if matches!(question, Question::Fetch { .. }) {
                return tana_runtime::fetch::fetch(&self.all.hosts, question).await;
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
}
