//! A world in a file: what `tana-runtime run --context` and the tests run contracts in.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Host, Pending};
use tana_sandbox::message::{BlockContext, Invocation, Question, User};

/// A context file: everything is optional.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct LocalContext {
    /// The block around the execution.
    pub block: Option<BlockContext>,
    /// Id or name of the user who calls.
    pub caller: Option<String>,
    /// Id or name of the user who owns the contract.
    pub owner: Option<String>,
    /// The contract's id.
    pub contract_id: Option<String>,
    /// Id of the transaction that calls: what `Math.random()` draws from.
    pub transaction_id: Option<String>,
    /// What `context.input()` gives.
    pub input: Option<Value>,
    /// The users that there are.
    pub users: Vec<User>,
    /// Balances: user (id or name) to currency to decimal text.
    pub balances: BTreeMap<String, BTreeMap<String, String>>,
    /// Decimals by currency code, beside those that every chain begins with.
    pub currencies: BTreeMap<String, u8>,
    /// Transactions by id.
    pub transactions: BTreeMap<String, Value>,
    /// Blocks by height.
    pub blocks: BTreeMap<u64, Value>,
    /// The contract's storage.
    pub data: BTreeMap<String, String>,
    /// Hosts that `fetch` may reach.
    pub fetch_hosts: Vec<String>,
}

impl LocalContext {
    /// Puts what the file says into an invocation.
    ///
    /// # Errors
    /// A sentence when caller or owner is not among the users.
    pub fn apply(&self, invocation: &mut Invocation) -> Result<(), String> {
        let find = |what: &str, text: &Option<String>| match text {
            None => Ok(None),
            Some(text) => match self.user(text) {
                Some(user) => Ok(Some(user.clone())),
                None => Err(format!("`{what}` names {text}, who is not among `users`")),
            },
        };
        invocation.caller = find("caller", &self.caller)?;
        invocation.owner = find("owner", &self.owner)?;
        invocation.contract_id.clone_from(&self.contract_id);
        invocation.transaction_id.clone_from(&self.transaction_id);
        if let Some(block) = &self.block {
            invocation.block = block.clone();
        }
        if let (true, Some(caller)) = (invocation.block.executor.is_empty(), &invocation.caller) {
            invocation.block.executor.clone_from(&caller.id);
        }
        if let Some(input) = &self.input {
            invocation.input = input.clone();
        }
        invocation.fetch_hosts.clone_from(&self.fetch_hosts);
        Ok(())
    }

    fn user(&self, text: &str) -> Option<&User> {
        self.users
            .iter()
            .find(|user| user.id == text || bare(&user.username) == bare(text))
    }

    fn balance(&self, user: &str, currency: &str) -> Option<&String> {
        let found = self.user(user);
        let names = [
            Some(user),
            found.map(|u| u.id.as_str()),
            found.map(|u| u.username.as_str()),
        ];
        let held = names.into_iter().flatten().find_map(|name| {
            self.balances
                .iter()
                .find(|(key, _)| bare(key) == bare(name))
        })?;
        held.1.get(currency)
    }
}

fn bare(name: &str) -> String {
    name.strip_prefix('@').unwrap_or(name).to_lowercase()
}

/// Answers from a [`LocalContext`].
#[derive(Debug)]
pub struct LocalHost {
    context: LocalContext,
}

impl LocalHost {
    /// A host for a context, with the currencies that every chain begins with.
    #[must_use]
    pub fn new(mut context: LocalContext) -> Self {
        for (code, decimals) in [("USD", 2), ("BTC", 8), ("ETH", 18)] {
            context
                .currencies
                .entry(code.to_owned())
                .or_insert(decimals);
        }
        Self { context }
    }
}

impl Host for LocalHost {
    fn ask(&self, question: &Question) -> Result<Value, String> {
        let context = &self.context;
        Ok(match question {
            Question::User { user } => json!(context.user(user)),
            Question::Balance { user, currency } => {
                json!(context.balance(user, currency).map_or("0", String::as_str))
            }
            Question::Currency { code } => context
                .currencies
                .get(code)
                .map_or(Value::Null, |decimals| json!({ "decimals": decimals })),
            Question::Transaction { id } => {
                context.transactions.get(id).cloned().unwrap_or_default()
            }
            Question::Block {
                height: Some(height),
            } => context.blocks.get(height).cloned().unwrap_or_default(),
            Question::Block { height: None } => context
                .blocks
                .values()
                .next_back()
                .cloned()
                .unwrap_or_default(),
            Question::Storage => json!(context.data),
            Question::Fetch { .. } => return Err("fetch is answered elsewhere".into()),
        })
    }

    fn fetch(&self, question: Question) -> Pending {
        let hosts = self.context.fetch_hosts.clone();
        Box::pin(async move { tana_sandbox::fetch::fetch(&hosts, question).await })
    }
}
