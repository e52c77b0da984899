//! A chain with as many accounts as wanted, made without signing for each: blocks without transactions write them through
//! the store, in the order of the state tree, so that each node of the tree is written about once. Only the last block is
//! one that verifies; what comes after it is an ordinary chain.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;
use tana_chain::{
    BlockPlan, Execution, Executor, MemoryState, Outcome, Prepared, TreeNodes, TreeUpdate, genesis,
    plan, seal, tree,
};
use tana_protocol::api::ledger::OwnerType;
use tana_protocol::block::StateChange;
use tana_protocol::node::NodeKey;
use tana_protocol::state::{BalanceState, TreeNodeKey, UserState, ValidatorState};
use tana_protocol::{
    Amount, Block, ChainSpec, CurrencyCode, Hash32, NodeId, Role, SecretKey, ServiceKind,
    SignedTransaction, StateKey, StateValue, Timestamp, Transaction, TransactionId,
    TransactionType, UserId,
};
use tana_store::ledger::{Commit, Committed, LedgerStore, Parties, Tip};

/// Values that one block of the filling writes.
const VALUES: usize = 20_000;
/// What each account has, in cents.
const CENTS: u128 = 100_000;

/// A chain, who seals its blocks, and its accounts.
pub(crate) struct Site {
    pub(crate) spec: ChainSpec,
    producer: NodeId,
    key: SecretKey,
    currency: CurrencyCode,
}

/// A chain in a database.
pub(crate) struct Chain<'a, S> {
    pub(crate) site: &'a Site,
    pub(crate) store: S,
    pub(crate) tip: Tip,
    accounts: usize,
}

/// A block, and what it is executed on and writes.
pub(crate) struct Made {
    pub(crate) block: Block,
    pub(crate) parent: Tip,
    pub(crate) state: MemoryState,
    pub(crate) nodes: TreeNodes,
    values: Vec<(StateKey, StateValue)>,
    written: TreeUpdate,
    parties: Vec<Parties>,
}

impl Made {
    pub(crate) fn commit(&self) -> Commit<'_> {
        Commit {
            block: &self.block,
            values: &self.values,
            nodes: &self.written.nodes,
            parties: &self.parties,
        }
    }
}

fn now() -> Result<Timestamp> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH)?;
    Ok(Timestamp::from_ms(u64::try_from(since.as_millis())?))
}

impl Site {
    /// The chain of a home, sealed by the home's own producer.
    pub(crate) fn of(home: &Path) -> Result<Self> {
        let read = |name: &str| -> Result<String> {
            std::fs::read_to_string(home.join(name)).with_context(|| format!("reading {name}"))
        };
        let spec: ChainSpec = serde_json::from_str(&read("chains/demo.json")?)?;
        let key: Value = serde_json::from_str(&read("node-key.json")?)?;
        let key: SecretKey = key["secretKey"].as_str().context("no key")?.parse()?;
        let key = NodeKey::new(key).service_key(ServiceKind::Producer);
        let validator = spec.validators.first().context("no validator")?;
        ensure!(
            validator.public_key == key.public(),
            "the chain's first validator is another node"
        );
        Ok(Self {
            producer: validator.node_id.clone(),
            currency: "USD".parse()?,
            spec,
            key,
        })
    }

    fn person(number: usize) -> (UserId, SecretKey) {
        let seed = Hash32::of(format!("account {number}").as_bytes()).0;
        let id = UserId::created_by(&TransactionId(Hash32(seed)));
        (id, SecretKey::from_seed(&seed))
    }

    /// The values of an account: its user, its name, its key, its balance.
    fn values(&self, number: usize, at: Timestamp) -> Result<[(StateKey, StateValue); 4]> {
        let (id, key) = Self::person(number);
        let user = UserState {
            username: format!("@account{number}").parse()?,
            display_name: format!("Account {number}"),
            public_key: key.public(),
            role: Role::User,
            bio: String::new(),
            nonce: 0,
            created_at: at,
            updated_at: at,
        };
        let balance = BalanceState {
            amount: Amount::from_units(CENTS)?,
            owner_type: OwnerType::User,
            updated_at: at,
        };
        Ok([
            (
                StateKey::Username(user.username.clone()),
                StateValue::Owner(id),
            ),
            (
                StateKey::UserKey(Box::new(user.public_key)),
                StateValue::Owner(id),
            ),
            (StateKey::User(id), StateValue::User(user.into())),
            (
                StateKey::Balance(id, self.currency.clone()),
                StateValue::Balance(balance),
            ),
        ])
    }

    /// All values of so many accounts in the order of the tree, computed on all cores.
    fn all_values(
        &self,
        count: usize,
        at: Timestamp,
    ) -> Result<Vec<(Hash32, (StateKey, StateValue))>> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let part = count.div_ceil(cores).max(1);
        let mut all = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..count)
                .step_by(part)
                .map(|first| {
                    scope.spawn(move || {
                        let mut values = Vec::with_capacity(4 * part);
                        for number in first..count.min(first + part) {
                            let account = self.values(number, at)?;
                            values.extend(account.map(|value| (value.0.hash(), value)));
                        }
                        anyhow::Ok(values)
                    })
                })
                .collect();
            let mut all = Vec::with_capacity(4 * count);
            for worker in workers {
                all.extend(worker.join().expect("computing an account never panics")?);
            }
            anyhow::Ok(all)
        })?;
        all.sort_unstable_by_key(|(hash, _)| *hash);
        Ok(all)
    }

    fn validators(&self) -> ValidatorState {
        ValidatorState {
            set: self.spec.validators.clone(),
            pending: None,
        }
    }
}

impl<'a, S: LedgerStore> Chain<'a, S> {
    /// Writes the genesis and the accounts into an empty database.
    pub(crate) async fn fill(site: &'a Site, store: S, accounts: usize) -> Result<Self> {
        let first = genesis(&site.spec)?;
        let header = first.block.content.header.clone();
        let hash = first.block.content.hash;
        let commit = Commit {
            block: &first.block,
            values: &first.values,
            nodes: &first.tree.nodes,
            parties: &[],
        };
        ensure!(store.commit(&commit).await? == Committed::Done);
        let mut chain = Self {
            site,
            store,
            tip: Tip { header, hash },
            accounts,
        };
        let values = site.all_values(accounts, now()?)?;
        let mut values = values.into_iter().map(|(_, value)| value).peekable();
        while values.peek().is_some() {
            let part: Vec<_> = values.by_ref().take(VALUES).collect();
            chain.write(part).await?;
        }
        // The one that a ledger verifies when it starts.
        let last = chain.make(&[]).await?;
        chain.keep(last).await?;
        Ok(chain)
    }

    /// A block that has no transactions and gives values all the same.
    async fn write(&mut self, values: Vec<(StateKey, StateValue)>) -> Result<()> {
        let validators = self.site.validators();
        let changes = values
            .iter()
            .map(|(key, value)| StateChange {
                key: key.to_string(),
                before: None,
                after: Some(value.to_json()),
            })
            .collect();
        let execution = Execution {
            receipts: Vec::new(),
            changes: tana_chain::Changes::default(),
            values,
            gas_used: 0,
            validators: validators.clone(),
            next_validators: validators,
        };
        let mut made = self
            .sealed(Vec::new(), execution, MemoryState::part(), now()?)
            .await?;
        // Beside the hash, which takes longer than all the rest and is never looked at.
        made.block.content.state_changes = changes;
        self.keep(made).await
    }

    async fn sealed(
        &self,
        transactions: Vec<SignedTransaction>,
        execution: Execution,
        state: MemoryState,
        timestamp: Timestamp,
    ) -> Result<Made> {
        let height = self.tip.header.height;
        let keys = execution.values.iter().map(|(key, _)| key);
        let root = TreeNodeKey {
            path: vec![0],
            version: height,
        };
        let (mut nodes, mut missing) = (TreeNodes::default(), vec![root]);
        while !missing.is_empty() {
            let found = self.store.nodes(&missing).await?;
            ensure!(found.len() == missing.len(), "the tree is not whole");
            nodes.load(found)?;
            missing = tree::missing(&nodes, height, keys.clone());
        }
        let written = tree::update(&nodes, height + 1, &execution.values)?;
        let plan = BlockPlan {
            spec: &self.site.spec,
            parent: &self.tip.header,
            parent_hash: self.tip.hash,
            timestamp,
            producer: self.site.producer.clone(),
        };
        let parties = transactions.iter().map(|signed| Parties {
            from: plan::party(&signed.transaction.from, &state),
            to: plan::party(&signed.transaction.to, &state),
        });
        let parties = parties.collect();
        let content = seal(&plan, transactions, &execution, &written)?;
        Ok(Made {
            block: content.sign(&self.site.key),
            parent: self.tip.clone(),
            state,
            nodes,
            values: execution.values,
            written,
            parties,
        })
    }

    /// The next block with these transactions; not written yet.
    async fn make(&self, transactions: &[SignedTransaction]) -> Result<Made> {
        let wanted = transactions.iter().map(|signed| &signed.transaction);
        let mut state = MemoryState::part();
        loop {
            let missing = plan::missing(wanted.clone(), &state);
            if missing.is_empty() {
                break;
            }
            let mut found = self.store.state(&missing).await?;
            for key in missing {
                let value = found.remove(&key);
                state.load(key, value);
            }
        }
        let later = self.tip.header.timestamp.plus(Duration::from_millis(1));
        let timestamp = now()?.max(later);
        let height = self.tip.header.height + 1;
        let mut executor = Executor::new(&self.site.spec, height, timestamp, &state);
        for signed in transactions {
            let outcome = executor.apply(&Prepared::new(signed.clone()), &mut |_, _| true)?;
            let done = matches!(&outcome, Outcome::Included(receipt) if receipt.is_ok());
            ensure!(done, "a transfer did not do what it says: {outcome:?}");
        }
        let execution = executor.finish()?;
        self.sealed(transactions.to_vec(), execution, state, timestamp)
            .await
    }

    /// The next block with so many transfers, each between two accounts of its own from all over the state.
    pub(crate) async fn transfers(&self, count: usize) -> Result<Made> {
        let distance = self.accounts / (2 * count);
        let pairs = (0..count).map(|number| (2 * number * distance, (2 * number + 1) * distance));
        let senders: Vec<StateKey> = (pairs.clone())
            .map(|(from, _)| StateKey::User(Site::person(from).0))
            .collect();
        let senders = self.store.state(&senders).await?;
        let signed: Vec<SignedTransaction> = pairs
            .map(|(from, to)| self.transfer(from, to, &senders))
            .collect::<Result<_>>()?;
        self.make(&signed).await
    }

    fn transfer(
        &self,
        from: usize,
        to: usize,
        senders: &BTreeMap<StateKey, StateValue>,
    ) -> Result<SignedTransaction> {
        let ((from, key), (to, _)) = (Site::person(from), Site::person(to));
        let Some(StateValue::User(user)) = senders.get(&StateKey::User(from)) else {
            bail!("there is no user {from}");
        };
        let mut transaction = Transaction::new(
            TransactionType::Transfer,
            from.into(),
            to.into(),
            now()?,
            user.nonce + 1,
        );
        transaction.amount = Some("0.01".parse()?);
        transaction.currency_code = Some(self.site.currency.clone());
        transaction.chain_id = Some(self.site.spec.chain_id.clone());
        Ok(transaction.sign(&key))
    }

    /// Writes a block and stands on it.
    pub(crate) async fn keep(&mut self, made: Made) -> Result<()> {
        let done = self.store.commit(&made.commit()).await?;
        ensure!(done == Committed::Done, "a block was not written: {done:?}");
        self.tip = Tip {
            hash: made.block.content.hash,
            header: made.block.content.header,
        };
        Ok(())
    }
}
