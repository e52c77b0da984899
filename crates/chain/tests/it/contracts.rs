//! What the chain makes of what an engine tells it, also where the engine lies.

use serde_json::{Value, json};
use tana_chain::ContractHost;
use tana_chain::contract::{
    Call, Called, Compiled, Effect, Entry, Fault, HostError, World as Reads,
};
use tana_protocol::block::Receipt;
use tana_protocol::contract::{DataKey, Entries};
use tana_protocol::problem::Code;
use tana_protocol::{
    ContractId, Hash32, SignedTransaction, StateKey, StateValue, TransactionId, TransactionType,
    UserId,
};

use crate::world::{Person, World};

/// An engine that believes its caller: a call's input says what the contract asks for.
pub(crate) struct Credulous;

#[derive(serde::Deserialize)]
#[serde(rename_all = "lowercase")]
enum Asked {
    Move(String, String, String, String),
    Set(String, String, String),
    Data(String, Option<String>),
}

impl ContractHost for Credulous {
    fn compile(
        &self,
        _: &TransactionId,
        _: &str,
        source: &str,
    ) -> Result<Result<Compiled, Fault>, HostError> {
        Ok(Ok(Compiled {
            code: format!("charged {source}"),
            entries: Entries {
                contract: true,
                ..Entries::default()
            },
            schedule: 7,
        }))
    }

    fn run(&self, call: &Call<'_>, world: &dyn Reads) -> Result<Called, HostError> {
        assert_eq!((call.entry, call.code), (Entry::Contract, "charged source"));
        let input = &call.input;
        if input["engine"] == "dies" {
            return Err(HostError::Engine("the worker died".to_owned()));
        }
        let asked: Vec<Asked> = serde_json::from_value(input["ask"].clone()).unwrap_or_default();
        let id = |text: &str| match text {
            "me" => UserId(call.contract.0),
            text => world
                .user(text)
                .unwrap()
                .map_or(UserId::SYSTEM, |user| user.id),
        };
        let effects = asked.into_iter().map(|asked| match asked {
            Asked::Move(from, to, amount, currency) => Effect::Transfer {
                from: id(&from),
                to: id(&to),
                amount,
                currency,
            },
            Asked::Set(owner, amount, currency) => Effect::SetBalance {
                owner: id(&owner),
                amount,
                currency,
            },
            Asked::Data(key, value) => Effect::Data {
                key: DataKey::new(&key).unwrap(),
                value,
            },
        });
        let stored = world.storage()?;
        Ok(Called {
            result: match input["fail"].as_str() {
                Some(message) => Err(Fault {
                    code: Code::ContractError,
                    message: message.to_owned(),
                }),
                None => Ok(json!({"stored": stored})),
            },
            gas_used: 500,
            logs: vec![format!("by {}", call.caller.username)],
            effects: effects.collect(),
        })
    }
}

struct Deployed {
    world: World,
    people: Vec<Person>,
    id: ContractId,
}

pub(crate) fn deployment(world: &World, by: &Person, name: &str) -> SignedTransaction {
    let mut transaction = world.unsigned(TransactionType::ContractDeployment, by, UserId::SYSTEM);
    transaction.contract_input = Some(json!({
        "name": name, "sourceCode": "source", "codeHash": Hash32::of(b"source")
    }));
    transaction.sign(&by.key)
}

impl Deployed {
    fn by_alice() -> Self {
        let (mut world, people) = World::with_users(&["alice", "bob"]);
        world.host = Some(Box::new(Credulous));
        let deployment = deployment(&world, &people[0], "shop");
        let id = ContractId::created_by(&deployment.id());
        world.ok(deployment);
        Self { world, people, id }
    }

    fn call(&self, amount: Option<&str>, input: Value) -> SignedTransaction {
        let bob = &self.people[1];
        let mut call = self
            .world
            .unsigned(TransactionType::ContractCall, bob, UserId(self.id.0));
        call.contract_id = Some(self.id);
        call.contract_input = Some(input);
        if let Some(amount) = amount {
            call.amount = Some(amount.parse().unwrap());
            call.currency_code = Some("USD".parse().unwrap());
        }
        call.sign(&bob.key)
    }

    fn run(&mut self, amount: Option<&str>, input: Value) -> Receipt {
        let call = self.call(amount, input);
        self.world.run(&[call]).remove(0)
    }

    fn usd(&self, who: usize) -> u128 {
        self.world.balance(self.people[who].id, "USD")
    }
}

#[test]
fn a_deployment_is_in_the_state_with_its_code() {
    let of = Deployed::by_alice();
    let Some(StateValue::Contract(contract)) = of.world.state.peek(&StateKey::Contract(of.id))
    else {
        panic!("no contract");
    };
    assert_eq!(contract.owner, of.people[0].id);
    assert_eq!(contract.gas_schedule, 7);
    assert_eq!(contract.code_hash, Hash32::of(b"charged source"));
    let name = StateKey::ContractName("shop".parse().unwrap());
    assert_eq!(of.world.state.peek(&name), Some(&StateValue::Named(of.id)));
}

#[test]
fn a_name_belongs_to_who_used_it_first() {
    let mut of = Deployed::by_alice();
    let (alice, bob) = (of.people[0].clone(), of.people[1].clone());
    let stolen = deployment(&of.world, &bob, "shop");
    of.world.fails(&stolen, Code::AlreadyExists);
    let again = deployment(&of.world, &alice, "shop");
    let newer = ContractId::created_by(&again.id());
    of.world.ok(again);
    let name = StateKey::ContractName("shop".parse().unwrap());
    assert_eq!(of.world.state.peek(&name), Some(&StateValue::Named(newer)));
}

#[test]
fn a_contract_takes_what_its_caller_signed_for_and_no_more() {
    let mut of = Deployed::by_alice();
    let take = |amount: &str| json!({"ask": [{"move": ["bob", "alice", amount, "USD"]}]});
    let twice = json!({"ask": [{"move": ["bob", "alice", "3", "USD"]}, {"move": ["bob", "alice", "3", "USD"]}]});
    for (signed, input) in [
        (None, take("1")),
        (Some("5"), take("5.01")),
        (Some("5"), twice.clone()),
        (
            Some("5"),
            json!({"ask": [{"move": ["alice", "bob", "1", "USD"]}]}),
        ),
        (
            Some("5"),
            json!({"ask": [{"move": ["me", "bob", "1", "USD"]}]}),
        ),
        (
            Some("5"),
            json!({"ask": [{"move": ["bob", "nobody", "1", "USD"]}]}),
        ),
        (
            Some("5"),
            json!({"ask": [{"move": ["bob", "alice", "1.001", "USD"]}]}),
        ),
        (
            Some("5"),
            json!({"ask": [{"move": ["bob", "alice", "-1", "USD"]}]}),
        ),
        (Some("500"), take("500")),
        (Some("5"), json!({"ask": [{"set": ["bob", "1000", "USD"]}]})),
    ] {
        let before = of.world.state.clone();
        let receipt = of.run(signed, input.clone());
        assert!(!receipt.is_ok(), "{input}: {receipt:?}");
        assert_eq!(receipt.result, None);
        of.world.only_nonces_differ(&before);
    }
    assert!(of.run(Some("5"), take("5")).is_ok());
    assert_eq!((of.usd(0), of.usd(1)), (10_500, 9_500));
    // An allowance of the input counts as the transaction's amount does.
    let mut input = twice;
    input["allowance"] = json!({"USD": "6.00"});
    assert!(of.run(None, input).is_ok());
    assert_eq!((of.usd(0), of.usd(1)), (11_100, 8_900));
}

#[test]
fn a_contract_keeps_funds_of_its_own() {
    let mut of = Deployed::by_alice();
    let paid = of.run(
        Some("5"),
        json!({"ask": [{"move": ["bob", "me", "5", "USD"]}]}),
    );
    assert!(paid.is_ok(), "{paid:?}");
    assert_eq!(of.world.balance(UserId(of.id.0), "USD"), 500);
    let out = of.run(
        None,
        json!({"ask": [{"move": ["me", "alice", "2", "USD"]}]}),
    );
    assert!(out.is_ok(), "{out:?}");
    assert_eq!(
        (of.world.balance(UserId(of.id.0), "USD"), of.usd(0)),
        (300, 10_200)
    );
}

#[test]
fn storage_is_state_and_a_deleted_key_leaves_nothing() {
    let mut of = Deployed::by_alice();
    let write = of.run(
        None,
        json!({"ask": [{"data": ["a/b", "1"]}, {"data": ["c", "2"]}]}),
    );
    assert_eq!(write.result, Some(json!({"stored": {}})));
    let key = StateKey::Data(of.id, DataKey::new("a/b").unwrap());
    assert_eq!(
        of.world.state.peek(&key),
        Some(&StateValue::Data("1".to_owned()))
    );
    let delete = of.run(None, json!({"ask": [{"data": ["a/b", null]}]}));
    assert_eq!(
        delete.result,
        Some(json!({"stored": {"a%2Fb": "1", "c": "2"}}))
    );
    assert_eq!(of.world.state.peek(&key), None);
    let change = of
        .world
        .tip
        .content
        .state_changes
        .iter()
        .find(|c| c.key.starts_with("data/"));
    assert_eq!(
        change.map(|c| (&c.before, &c.after)),
        Some((&Some(json!("1")), &None))
    );
    let read = of.run(None, json!({}));
    assert_eq!(read.result, Some(json!({"stored": {"c": "2"}})));
    let proof = tana_chain::tree::prove(&of.world.nodes, of.world.tip.height(), &key).unwrap();
    let root = of.world.tip.content.header.state_root;
    tana_chain::tree::check_proof(root, &key, None, &proof).unwrap();
    tana_chain::tree::check_proof(root, &key, Some(&json!("1")), &proof).unwrap_err();
}

#[test]
fn calls_of_one_block_see_each_other() {
    let mut of = Deployed::by_alice();
    let first = of.call(None, json!({"ask": [{"data": ["a", "1"]}]}));
    let mut second = of
        .call(None, json!({"ask": [{"data": ["a", null]}]}))
        .transaction;
    second.nonce += 1;
    let mut third = second.clone();
    third.nonce += 1;
    let key = of.people[1].key.clone();
    let receipts = of.world.run(&[first, second.sign(&key), third.sign(&key)]);
    let stored: Vec<_> = receipts
        .iter()
        .map(|r| r.result.clone().unwrap()["stored"].clone())
        .collect();
    assert_eq!(stored, [json!({}), json!({"a": "1"}), json!({})]);
    assert!(
        of.world
            .tip
            .content
            .state_changes
            .iter()
            .all(|c| !c.key.starts_with("data/"))
    );
}

#[test]
fn a_failed_call_has_a_receipt_with_gas_and_output() {
    let mut of = Deployed::by_alice();
    let before = of.world.state.clone();
    let receipt = of.run(
        Some("5"),
        json!({"fail": "no cheese", "ask": [{"data": ["a", "1"]}]}),
    );
    assert_eq!(
        (receipt.code.as_str(), receipt.message.as_str()),
        ("contract-error", "no cheese")
    );
    assert_eq!(receipt.gas_used, 10_500);
    assert_eq!(receipt.logs, Some(vec!["by @bob".to_owned()]));
    of.world.only_nonces_differ(&before);
}

#[test]
fn an_engine_without_an_answer_stops_the_block() {
    let of = Deployed::by_alice();
    let call = tana_chain::Prepared::new(of.call(None, json!({"engine": "dies"})));
    let contracts = tana_chain::Contracts::Run(&Credulous, of.world.tip.content.hash);
    let mut executor =
        tana_chain::Executor::new(&of.world.spec, 9, of.world.now(), &of.world.state)
            .with_contracts(contracts);
    let stopped = executor.apply(&call, &mut |_, _| true).unwrap_err();
    assert_eq!(stopped.to_string(), "the worker died");
}

#[test]
fn what_a_deployment_may_not() {
    let (mut world, people) = World::with_users(&["alice"]);
    world.host = Some(Box::new(Credulous));
    let input = |name: &str, source: &str, hash: Hash32| json!({"name": name, "sourceCode": source, "codeHash": hash});
    let right = Hash32::of(b"source");
    let large = "x".repeat(300_000);
    for (input, code) in [
        (json!({}), Code::BadTransaction),
        (input("Shop", "source", right), Code::BadTransaction),
        (input("a.b", "source", right), Code::BadTransaction),
        (input("shop", "other", right), Code::HashMismatch),
        (
            input("shop", &large, Hash32::of(large.as_bytes())),
            Code::TooLarge,
        ),
    ] {
        let mut transaction = world.unsigned(
            TransactionType::ContractDeployment,
            &people[0],
            UserId::SYSTEM,
        );
        transaction.contract_input = Some(input);
        let signed = transaction.sign(&people[0].key);
        world.fails(&signed, code);
    }
}
