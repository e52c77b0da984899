//! A chain in memory with a sovereign and some users, for the tests.

use std::num::NonZeroUsize;

use serde_json::json;
use tana_chain::{
    BlockPlan, ContractHost, Contracts, Executor, Judged, MemoryState, Outcome, Prepared,
    TreeNodes, genesis, seal, verify,
};
use tana_protocol::api::ledger::BlockVerification;
use tana_protocol::block::{Block, Receipt};
use tana_protocol::genesis::{ChainLimits, GenesisSovereign, Validator};
use tana_protocol::problem::Code;
use tana_protocol::state::{UserState, ValidatorState};
use tana_protocol::transaction::Party;
use tana_protocol::{
    Amount, ChainSpec, CurrencyCode, SecretKey, SignedTransaction, StateKey, StateValue, Timestamp,
    Transaction, TransactionType, UserId,
};

pub(crate) const START: u64 = 1_800_000_000_000;

/// Somebody with a key and an id.
#[derive(Clone)]
pub(crate) struct Person {
    pub(crate) key: SecretKey,
    pub(crate) id: UserId,
}

pub(crate) struct World {
    pub(crate) spec: ChainSpec,
    pub(crate) state: MemoryState,
    pub(crate) nodes: TreeNodes,
    pub(crate) tip: Block,
    pub(crate) producer: SecretKey,
    pub(crate) sovereign: Person,
    /// What executes contracts; none: they are refused.
    pub(crate) host: Option<Box<dyn ContractHost>>,
}

fn seed(text: &str) -> SecretKey {
    SecretKey::from_seed(&tana_protocol::Hash32::of(text.as_bytes()).0)
}

impl World {
    pub(crate) fn new() -> Self {
        let producer = seed("producer");
        let key = seed("sovereign");
        let spec = ChainSpec {
            chain_id: "test-1".into(),
            name: "test".into(),
            network: tana_protocol::Network::Testnet,
            genesis_time: Timestamp::from_ms(START),
            sovereigns: vec![GenesisSovereign {
                username: "root".parse().unwrap(),
                display_name: "Root".into(),
                public_key: key.public(),
            }],
            validators: vec![Validator {
                node_id: "validator-1".parse().unwrap(),
                public_key: producer.public(),
                power: 1,
            }],
            currencies: ChainSpec::genesis_currencies(),
            engine: None,
            gas_schedule: None,
            limits: ChainLimits::default(),
        };
        let made = genesis(&spec).unwrap();
        let mut state = MemoryState::whole();
        state.apply(&made.values);
        let mut nodes = TreeNodes::default();
        nodes.load(made.tree.nodes).unwrap();
        let sovereign = Person {
            key,
            id: UserId::of_genesis("test-1", "@root"),
        };
        Self {
            spec,
            state,
            nodes,
            tip: made.block,
            producer,
            sovereign,
            host: None,
        }
    }

    fn contracts(&self) -> Contracts<'_> {
        match &self.host {
            None => Contracts::Refused,
            Some(host) => Contracts::Run(&**host, self.tip.content.hash),
        }
    }

    /// A world with users of these names, each with 100.00 USD.
    pub(crate) fn with_users(names: &[&str]) -> (Self, Vec<Person>) {
        let mut world = Self::new();
        let people: Vec<Person> = names.iter().map(|name| world.create(name)).collect();
        let root = world.sovereign.clone();
        for person in &people {
            let deposit = world.money(TransactionType::Deposit, &root, person.id, "100", "USD");
            world.ok(deposit);
        }
        (world, people)
    }

    pub(crate) fn create(&mut self, name: &str) -> Person {
        let key = seed(name);
        let transaction = self.creation(name, &key);
        let id = UserId::created_by(&transaction.id());
        self.ok(transaction);
        Person { key, id }
    }

    pub(crate) fn creation(&self, name: &str, key: &SecretKey) -> SignedTransaction {
        let mut transaction = Transaction::new(
            TransactionType::UserCreation,
            Party::system(),
            Party::system(),
            self.now(),
            0,
        );
        transaction.contract_input = Some(json!({
            "username": name, "displayName": name, "publicKey": key.public().to_string(), "bio": "", "role": "user"
        }));
        transaction.sign(key)
    }

    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from_ms(self.tip.content.header.timestamp.ms() + 1)
    }

    pub(crate) fn nonce(&self, id: UserId) -> u64 {
        match self.state.peek(&StateKey::User(id)) {
            Some(StateValue::User(user)) => user.nonce,
            _ => 0,
        }
    }

    pub(crate) fn unsigned(&self, kind: TransactionType, from: &Person, to: UserId) -> Transaction {
        let nonce = self.nonce(from.id) + 1;
        Transaction::new(kind, from.id.into(), to.into(), self.now(), nonce)
    }

    pub(crate) fn money(
        &self,
        kind: TransactionType,
        from: &Person,
        to: UserId,
        amount: &str,
        code: &str,
    ) -> SignedTransaction {
        let mut transaction = self.unsigned(kind, from, to);
        transaction.amount = Some(amount.parse().unwrap());
        transaction.currency_code = Some(code.parse().unwrap());
        transaction.sign(&from.key)
    }

    pub(crate) fn balance(&self, id: UserId, code: &str) -> u128 {
        let code: CurrencyCode = code.parse().unwrap();
        match self.state.peek(&StateKey::Balance(id, code)) {
            Some(StateValue::Balance(balance)) => balance.amount.units(),
            _ => Amount::ZERO.units(),
        }
    }

    /// Builds and signs the next block of these transactions. Those that no block can hold are left out.
    pub(crate) fn build(&self, transactions: &[SignedTransaction]) -> Block {
        let parent = &self.tip.content.header;
        let mut executor = Executor::new(&self.spec, parent.height + 1, self.now(), &self.state)
            .with_contracts(self.contracts());
        let mut included = Vec::new();
        for transaction in transactions {
            let prepared = Prepared::new(transaction.clone());
            let outcome = executor
                .apply(&prepared, &mut |key, prepared| {
                    prepared.signed.verify(key).is_ok()
                })
                .unwrap();
            if matches!(outcome, Outcome::Included(_)) {
                included.push(prepared.signed);
            }
        }
        let execution = executor.finish().unwrap();
        let tree =
            tana_chain::tree::update(&self.nodes, parent.height + 1, &execution.values).unwrap();
        let plan = BlockPlan {
            spec: &self.spec,
            parent,
            parent_hash: self.tip.content.hash,
            timestamp: self.now(),
            producer: "validator-1".parse().unwrap(),
        };
        seal(&plan, included, &execution, &tree)
            .unwrap()
            .sign(&self.producer)
    }

    /// On one thread and on several, which must find the same.
    pub(crate) fn judge(&self, block: &Block) -> BlockVerification {
        let judged = self.judged(block);
        let alone = verify(&judged).unwrap();
        let threads = NonZeroUsize::new(3).unwrap();
        let together = verify(&Judged { threads, ..judged }).unwrap();
        assert_eq!(alone, together);
        alone.0
    }

    fn judged<'a>(&'a self, block: &'a Block) -> Judged<'a> {
        Judged {
            spec: &self.spec,
            parent: (&self.tip.content.header, self.tip.content.hash),
            block,
            state: &self.state,
            nodes: &self.nodes,
            contracts: self.contracts(),
            threads: NonZeroUsize::MIN,
        }
    }

    /// Verifies a block and takes it as the new tip.
    pub(crate) fn take(&mut self, block: Block) {
        let (verification, replayed) = verify(&self.judged(&block)).unwrap();
        assert!(verification.valid, "{verification:?}");
        let replayed = replayed.unwrap();
        self.state.apply(&replayed.execution.values);
        self.nodes.load(replayed.tree.nodes).unwrap();
        self.tip = block;
    }

    pub(crate) fn run(&mut self, transactions: &[SignedTransaction]) -> Vec<Receipt> {
        let block = self.build(transactions);
        let receipts = block.content.receipts.clone();
        self.take(block);
        receipts
    }

    pub(crate) fn ok(&mut self, transaction: SignedTransaction) {
        let receipts = self.run(&[transaction]);
        assert_eq!(receipts.len(), 1, "excluded");
        assert!(receipts[0].is_ok(), "{:?}", receipts[0]);
    }

    /// Runs one transaction that must fail with this code, and nothing but the sender's nonce may change.
    pub(crate) fn fails(&mut self, transaction: &SignedTransaction, code: Code) {
        let before = self.state.clone();
        let receipts = self.run(std::slice::from_ref(transaction));
        assert_eq!(receipts[0].code, code.as_str(), "{}", receipts[0].message);
        self.only_nonces_differ(&before);
    }

    /// The validators after the tip, where the tip changed nothing itself.
    fn due(&self, before: &ValidatorState) -> ValidatorState {
        let mut after = before.clone();
        let next = self.tip.content.header.height + 1;
        if let Some(update) = after.pending.take_if(|update| update.height <= next) {
            let changed = update.validator;
            after.set.retain(|one| one.node_id != changed.node_id);
            if changed.power > 0 {
                after.set.push(changed);
            }
            after.set.sort_by(|a, b| a.node_id.cmp(&b.node_id));
        }
        after
    }

    pub(crate) fn only_nonces_differ(&self, before: &MemoryState) {
        assert_eq!(before.iter().count(), self.state.iter().count());
        for ((key, old), (new_key, new)) in before.iter().zip(self.state.iter()) {
            assert_eq!(key, new_key);
            match (old, new) {
                (StateValue::User(old), StateValue::User(new)) => {
                    let mut old = UserState::clone(old);
                    old.nonce = new.nonce;
                    old.updated_at = new.updated_at;
                    assert_eq!(old, **new);
                }
                // What was decided before takes effect in its block, whatever else is in that.
                (StateValue::Validators(old), StateValue::Validators(new)) => {
                    assert_eq!(self.due(old), **new);
                }
                _ => assert_eq!(old, new, "{key}"),
            }
        }
    }

    /// How a lone transaction is refused that no block can hold.
    pub(crate) fn excluded(&self, transaction: &SignedTransaction) -> Code {
        let mut executor = Executor::new(&self.spec, 1, self.now(), &self.state);
        let prepared = Prepared::new(transaction.clone());
        let outcome = executor.apply(&prepared, &mut |key, prepared| {
            prepared.signed.verify(key).is_ok()
        });
        match outcome.unwrap() {
            Outcome::Excluded(failure) => failure.code,
            Outcome::Included(receipt) => panic!("included: {receipt:?}"),
        }
    }
}
