//! The chain as contracts at the edge see it: the ledger's answers, kept until the next block.

use std::collections::HashMap;

use serde_json::{Value, json};
use tana_client::{ClientError, LedgerClient, UntilBlock};
use tana_protocol::{Code, ContractId, ContractName, TransactionId, UserId, Username};
use tana_sandbox::message::{BlockContext, Question};

/// Answers that are kept at most.
const KEPT: usize = 10_000;

pub(crate) struct Chain {
    ledger: LedgerClient,
    kept: UntilBlock<Answers>,
}

#[derive(Default)]
struct Answers {
    answers: HashMap<String, Value>,
    /// Which contract answers to a name; none where no contract does.
    names: HashMap<ContractName, Option<ContractId>>,
    latest: Option<BlockContext>,
}

impl Chain {
    pub(crate) fn new(ledger: LedgerClient) -> Self {
        Self {
            ledger,
            kept: UntilBlock::default(),
        }
    }

    /// Drops what is kept whenever a block comes; never ends while the ledger may come back.
    pub(crate) async fn follow(&self) {
        self.kept.follow(&self.ledger).await;
    }

    /// The block on top of which a handler runs.
    pub(crate) async fn latest(&self) -> Result<BlockContext, String> {
        if let Some(block) = self.kept.read(|kept| kept.latest.clone()) {
            return Ok(block);
        }
        let asked = self.kept.asked();
        let block = self.ledger.latest_block().await.map_err(sentence)?;
        let context = BlockContext {
            height: block.header.height,
            timestamp: block.header.timestamp.ms(),
            hash: block.hash.to_hex(),
            previous_hash: Some(block.header.previous_hash.to_hex()),
            executor: String::new(),
        };
        self.kept
            .keep(asked, |kept| kept.latest = Some(context.clone()));
        Ok(context)
    }

    /// The contract that answers to a name now: another one from the block on that holds a redeployment.
    pub(crate) async fn named(
        &self,
        name: &ContractName,
    ) -> Result<Option<ContractId>, ClientError> {
        if let Some(known) = self.kept.read(|kept| kept.names.get(name).copied()) {
            return Ok(known);
        }
        let asked = self.kept.asked();
        let found = match self.ledger.contract_named(name).await {
            Ok(view) => Some(view.id),
            Err(error) if error.code() == Some(Code::NotFound) => None,
            Err(error) => return Err(error),
        };
        self.kept.keep(asked, |kept| {
            if kept.names.len() < KEPT {
                kept.names.insert(name.clone(), found);
            }
        });
        Ok(found)
    }

    /// Answers a question of a contract.
    pub(crate) async fn answer(
        &self,
        question: &Question,
        contract: Option<ContractId>,
    ) -> Result<Value, String> {
        let key = match (question, contract) {
            (Question::Storage, Some(id)) => format!("storage of {id}"),
            _ => json!(question).to_string(),
        };
        if let Some(answer) = self.kept.read(|kept| kept.answers.get(&key).cloned()) {
            return Ok(answer);
        }
        let asked = self.kept.asked();
        let answer = self.ask(question, contract).await?;
        self.kept.keep(asked, |kept| {
            if kept.answers.len() < KEPT {
                kept.answers.insert(key, answer.clone());
            }
        });
        Ok(answer)
    }

    async fn ask(
        &self,
        question: &Question,
        contract: Option<ContractId>,
    ) -> Result<Value, String> {
        match question {
            Question::User { user } => self.user(user).await,
            Question::Balance { user, currency } => {
                let Ok(id) = user.parse::<UserId>() else {
                    return Ok(json!("0"));
                };
                let balances = absent(self.ledger.balances(&id).await)?;
                let found = balances
                    .as_array()
                    .into_iter()
                    .flatten()
                    .find(|balance| balance["currencyCode"] == **currency);
                Ok(found.map_or(json!("0"), |balance| balance["amount"].clone()))
            }
            Question::Currency { code } => {
                let currencies = json!(self.ledger.currencies().await.map_err(sentence)?);
                let found = currencies
                    .as_array()
                    .into_iter()
                    .flatten()
                    .find(|currency| currency["code"] == **code);
                Ok(found.map_or(
                    Value::Null,
                    |currency| json!({ "decimals": currency["decimals"] }),
                ))
            }
            Question::Transaction { id } => match id.parse::<TransactionId>() {
                Ok(id) => absent(self.ledger.transaction(&id).await),
                Err(_) => Ok(Value::Null),
            },
            Question::Block {
                height: Some(height),
            } => absent(self.ledger.block(*height).await).map(|block| without_list(&block)),
            Question::Block { height: None } => {
                absent(self.ledger.latest_block().await).map(|block| without_list(&block))
            }
            Question::Storage => match contract {
                Some(id) => Ok(json!(
                    self.ledger.contract_data(&id).await.map_err(sentence)?
                )),
                // Of a directory: nothing is stored.
                None => Ok(json!({})),
            },
            Question::Fetch { .. } => Err("fetch is answered elsewhere".into()),
        }
    }

    async fn user(&self, text: &str) -> Result<Value, String> {
        if let Ok(id) = text.parse::<UserId>() {
            return absent(self.ledger.user(&id).await);
        }
        match text.parse::<Username>() {
            Ok(name) => absent(self.ledger.user_named(&name).await),
            Err(_) => Ok(Value::Null),
        }
    }
}

/// A block without what only explorers read.
fn without_list(block: &Value) -> Value {
    let mut block = block.clone();
    if let Some(fields) = block.as_object_mut() {
        for name in ["transactions", "receipts", "stateChanges"] {
            fields.remove(name);
        }
    }
    block
}

/// `null` for what there is not.
fn absent<T: serde::Serialize>(answer: Result<T, ClientError>) -> Result<Value, String> {
    match answer {
        Ok(value) => Ok(json!(value)),
        Err(error) if error.code() == Some(Code::NotFound) => Ok(Value::Null),
        Err(error) => Err(sentence(error)),
    }
}

#[allow(clippy::needless_pass_by_value, reason = "for map_err")]
fn sentence(error: ClientError) -> String {
    error.to_string()
}
