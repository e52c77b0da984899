//! What the suite writes: people, balances, contracts, and three blocks with all that belongs to them.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;
use tana_protocol::api::ledger::OwnerType;
use tana_protocol::block::{Block, BlockHeader, Receipt, StateChange, UnsignedBlock};
use tana_protocol::contract::{CodeState, ContractState, DataKey, Entries};
use tana_protocol::genesis::{CurrencyType, Validator};
use tana_protocol::state::{
    BalanceState, CurrencyState, TreeNode, TreeNodeKey, UserState, ValidatorState,
};
use tana_protocol::transaction::Party;
use tana_protocol::{
    Amount, ContractId, CurrencyCode, Hash32, Role, SecretKey, SignedTransaction, StateKey,
    StateValue, Timestamp, Transaction, TransactionType, UserId,
};

use crate::error::StoreResult;

use super::super::{Commit, Committed, LedgerStore, Parties};

pub(super) const START: u64 = 1_800_000_000_000;

pub(super) fn at(height: u64) -> Timestamp {
    Timestamp::from_ms(START + height)
}

pub(super) fn key(number: u8) -> SecretKey {
    SecretKey::from_seed(&[number; 32])
}

pub(super) fn person(number: u8) -> UserId {
    UserId::of_genesis("conformance", &number.to_string())
}

pub(super) fn usd() -> CurrencyCode {
    "USD".parse().expect("a valid code")
}

pub(super) fn user(number: u8, nonce: u64, height: u64) -> (StateKey, StateValue) {
    let state = UserState {
        username: format!("user-{number}").parse().expect("a valid name"),
        display_name: format!("Üser “{number}”"),
        public_key: key(number).public(),
        role: Role::User,
        bio: String::new(),
        nonce,
        created_at: at(0),
        updated_at: at(height),
    };
    (
        StateKey::User(person(number)),
        StateValue::User(Arc::new(state)),
    )
}

pub(super) fn balance(number: u8, units: u128, height: u64) -> (StateKey, StateValue) {
    let state = BalanceState {
        amount: Amount::from_units(units).expect("not too large"),
        owner_type: OwnerType::User,
        updated_at: at(height),
    };
    let key = StateKey::Balance(person(number), usd());
    (key, StateValue::Balance(state))
}

pub(super) fn shop(number: u8) -> ContractId {
    ContractId::of_genesis("conformance", &number.to_string())
}

pub(super) fn contract(number: u8, height: u64) -> (StateKey, StateValue) {
    let state = ContractState {
        name: "shop".parse().expect("a name"),
        version: format!("0.{number}.0"),
        description: "Öpen".to_owned(),
        owner: person(1),
        source_hash: Hash32::of(b"source"),
        code_hash: Hash32::of(b"code"),
        gas_schedule: 1,
        entries: Entries {
            contract: true,
            ..Entries::default()
        },
        block: height,
        transaction: transfer(1).id(),
        created_at: at(height),
    };
    (
        StateKey::Contract(shop(number)),
        StateValue::Contract(Box::new(state)),
    )
}

/// A key and a value that only look like something else.
pub(super) const ODD: &str = "a/b %\u{0}'\"é";

pub(super) fn data(number: u8, key: &str, value: Option<&str>) -> (StateKey, StateValue) {
    let key = StateKey::Data(shop(number), DataKey::new(key).expect("a key"));
    let value = value.map_or(StateValue::Gone, |text| StateValue::Data(text.to_owned()));
    (key, value)
}

/// Values after others were written over them.
pub(super) fn written(
    values: &mut BTreeMap<StateKey, StateValue>,
    over: impl IntoIterator<Item = (StateKey, StateValue)>,
) {
    values.extend(over);
    values.retain(|_, value| *value != StateValue::Gone);
}

pub(super) fn transfer(nonce: u64) -> SignedTransaction {
    let mut transaction = Transaction::new(
        TransactionType::Transfer,
        Party::from(person(1)),
        Party::from(person(2)),
        at(nonce),
        nonce,
    );
    transaction.amount = Some("1.50".parse().expect("an amount"));
    transaction.currency_code = Some(usd());
    transaction.metadata = Some(json!({"note": "ünïcode ' \" \\ \u{0}"}));
    transaction.sign(&key(1))
}

pub(super) fn node(height: u64, path: &[u8]) -> TreeNode {
    TreeNode {
        key: TreeNodeKey {
            path: path.to_vec(),
            version: height,
        },
        bytes: vec![0, 255, u8::try_from(height).unwrap_or(9), 0],
    }
}

/// A block with all that is written with it. What it says need not follow the chain's rules: a store does not know
/// them.
pub(super) struct Written {
    pub(super) block: Block,
    pub(super) values: Vec<(StateKey, StateValue)>,
    pub(super) nodes: Vec<TreeNode>,
    pub(super) parties: Vec<Parties>,
}

impl Written {
    pub(super) fn new(
        height: u64,
        previous_hash: Hash32,
        transactions: Vec<SignedTransaction>,
        values: Vec<(StateKey, StateValue)>,
    ) -> Self {
        let receipts: Vec<Receipt> = (0_u64..)
            .zip(&transactions)
            .map(|(position, signed)| Receipt {
                transaction_id: signed.id(),
                // The second of a block fails.
                code: if position == 1 {
                    "bad-nonce"
                } else {
                    Receipt::OK
                }
                .to_owned(),
                message: "as told".to_owned(),
                gas_used: 1000,
                result: None,
                logs: None,
                events: None,
            })
            .collect();
        let header = BlockHeader {
            chain_id: "conformance".to_owned(),
            height,
            previous_hash,
            timestamp: at(height),
            producer: "validator-1".parse().expect("a node id"),
            tx_root: Hash32::of(b"tx"),
            receipts_root: Hash32::of(b"receipts"),
            changes_hash: Hash32::of(b"changes"),
            state_root: Hash32::of(b"state"),
            tx_count: u32::try_from(transactions.len()).unwrap_or(0),
            gas_used: 1000 * transactions.len() as u64,
            gas_limit: 100_000,
            content_refs: vec![Hash32::of(b"content")],
            validators_hash: Hash32::of(b"a"),
            next_validators_hash: Hash32::of(b"b"),
        };
        let state_changes = values
            .iter()
            .map(|(key, value)| StateChange {
                key: key.to_string(),
                before: (height > 0).then(|| json!({"before": height})),
                after: Some(value)
                    .filter(|value| *value != &StateValue::Gone)
                    .map(StateValue::to_json),
            })
            .collect();
        let parties = transactions
            .iter()
            .map(|_| Parties {
                from: Some(person(1)),
                to: Some(person(2)),
            })
            .collect();
        let unsigned = UnsignedBlock {
            hash: header.hash(),
            header,
            transactions,
            receipts,
            state_changes,
        };
        let block = if height == 0 {
            Block {
                content: unsigned,
                signature: None,
            }
        } else {
            unsigned.sign(&key(9))
        };
        Self {
            block,
            values,
            nodes: vec![node(height, &[0]), node(height, &[1, 0x70])],
            parties,
        }
    }

    pub(super) fn genesis() -> Self {
        let currency = CurrencyState {
            kind: CurrencyType::Fiat,
            decimals: 2.try_into().expect("at most 18"),
            name: Some("US dollar".to_owned()),
            symbol: None,
            verified: true,
            created_at: at(0),
        };
        let validators = ValidatorState {
            set: vec![Validator {
                node_id: "validator-1".parse().expect("a node id"),
                public_key: key(9).public(),
                power: 1,
            }],
            pending: None,
        };
        let name = |number: u8| {
            let name = format!("user-{number}").parse().expect("a valid name");
            (StateKey::Username(name), StateValue::Owner(person(number)))
        };
        let public = |number: u8| {
            (
                StateKey::UserKey(Box::new(key(number).public())),
                StateValue::Owner(person(number)),
            )
        };
        let values = vec![
            (StateKey::Currency(usd()), StateValue::Currency(currency)),
            (
                StateKey::Validators,
                StateValue::Validators(Box::new(validators)),
            ),
            user(1, 0, 0),
            name(1),
            public(1),
            user(2, 0, 0),
            name(2),
            public(2),
            balance(1, Amount::MAX.units(), 0),
        ];
        Self::new(0, Hash32::ZERO, Vec::new(), values)
    }

    pub(super) fn second() -> Self {
        let mut values = vec![balance(1, 5, 1), balance(2, 7, 1), user(1, 2, 1)];
        values.extend([contract(1, 1), contract(2, 1)]);
        let name = StateKey::ContractName("shop".parse().expect("a name"));
        values.push((name, StateValue::Named(shop(2))));
        for number in [1, 2] {
            let code = CodeState {
                source: format!("export const a: string = '\u{0}{number}';"),
                code: "export const a = '\u{0}';".to_owned(),
            };
            values.push((StateKey::Code(shop(number)), StateValue::Code(code)));
        }
        values.extend([data(1, "a", Some("1")), data(1, ODD, Some(ODD))]);
        values.push(data(2, "a", Some("of another")));
        let parent = Self::genesis().block.content.hash;
        Self::new(1, parent, vec![transfer(1), transfer(2)], values)
    }

    pub(super) fn third() -> Self {
        let parent = Self::second().block.content.hash;
        let (key, StateValue::User(mut newcomer)) = user(3, 0, 2) else {
            unreachable!("a user's value is a user");
        };
        Arc::make_mut(&mut newcomer).created_at = at(2);
        let mut values = vec![user(1, 3, 2), (key, StateValue::User(newcomer))];
        values.extend([data(1, "a", None), data(1, ODD, Some("2"))]);
        values.push(data(1, "b", Some("new")));
        Self::new(2, parent, vec![transfer(3)], values)
    }

    pub(super) fn as_commit(&self) -> Commit<'_> {
        Commit {
            block: &self.block,
            values: &self.values,
            nodes: &self.nodes,
            parties: &self.parties,
        }
    }

    pub(super) async fn commit(&self, store: &dyn LedgerStore) -> StoreResult<Committed> {
        store.commit(&self.as_commit()).await
    }
}

pub(super) fn many(height: u64, parent: Hash32) -> Written {
    Written::new(
        height,
        parent,
        vec![transfer(height)],
        vec![
            user(1, height, height),
            balance(2, u128::from(height), height),
        ],
    )
}
