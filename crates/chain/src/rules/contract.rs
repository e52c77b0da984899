//! Contracts: what a deployment and a call must be, and what the chain makes of what a contract asks for. The engine is
//! handed in; nothing that it says about money is believed unchecked.

use std::collections::BTreeMap;

use serde_json::Value;
use tana_protocol::api::ledger::{OwnerType, UserView};
use tana_protocol::contract::{
    Allowance, CodeState, ContractState, Deployment, Entries, MAX_SOURCE_BYTES,
};
use tana_protocol::json::{MAX_DEPTH, is_shallow};
use tana_protocol::problem::Code;
use tana_protocol::state::BalanceState;
use tana_protocol::{Amount, ContractId, CurrencyCode, Hash32, Role, StateKey, StateValue, UserId};

use super::{Failure, Ruled, Scene, input, pass, plain_text};
use crate::contract::{
    Around, Call, Called, ContractHost, Contracts, Effect, Entry, Fault, Power, View,
};
use crate::gas;
use crate::state::StateError;

fn refuse<T>(code: Code, text: impl Into<String>) -> Ruled<T> {
    Ok(Err(Failure::new(code, text)))
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::new(fault.code, fault.message)
    }
}

/// Whether this chain executes contracts at all.
fn supported(scene: &Scene<'_, '_>) -> Result<(), Failure> {
    match scene.contracts {
        Contracts::Refused => Err(Failure::new(
            Code::UnsupportedType,
            format!(
                "this chain names no contract engine, so that it executes no {}; make a chain with one: tana new chain",
                scene.transaction.kind
            ),
        )),
        Contracts::Unrun | Contracts::Run(..) => Ok(()),
    }
}

pub(super) fn deploy(scene: &mut Scene<'_, '_>, sender: UserId) -> Ruled<()> {
    pass!(supported(scene));
    let new: Deployment = pass!(input(
        scene.transaction,
        "{name, sourceCode, codeHash, version?, description?}: name 1 to 63 of a-z, 0-9, _ and -"
    ));
    let source = &new.source_code;
    if source.len() > MAX_SOURCE_BYTES {
        return refuse(
            Code::TooLarge,
            format!(
                "the source has {} bytes; a contract may have {MAX_SOURCE_BYTES}: split it up",
                source.len()
            ),
        );
    }
    if Hash32::of(source.as_bytes()) != new.code_hash {
        return refuse(
            Code::HashMismatch,
            "codeHash is not the SHA-256 of sourceCode",
        );
    }
    let version = new.version.clone().unwrap_or_else(|| "0.1.0".to_owned());
    let description = new.description.clone().unwrap_or_default();
    pass!(plain_text("version", &version, 1..=50));
    pass!(plain_text("description", &description, 0..=500));
    let name = StateKey::ContractName(new.name.clone());
    if let Some(present) = scene.state.named(&name)? {
        let contract = scene.state.contract(&StateKey::Contract(present))?;
        if contract.is_some_and(|contract| contract.owner != sender) {
            return refuse(
                Code::AlreadyExists,
                format!(
                    "the contract {} belongs to somebody else; choose another name",
                    new.name
                ),
            );
        }
    }
    let Contracts::Run(host, _) = scene.contracts else {
        return Ok(Ok(()));
    };
    scene.report.gas_used = gas::of_source(source.len());
    let file = file(new.name.as_str());
    let compiled = pass!(
        host.compile(&scene.id, &file, source)?
            .map_err(Failure::from)
    );
    if compiled.entries == Entries::default() {
        return refuse(
            Code::ContractError,
            "the source exports none of init, contract, get and post; a script cannot be deployed",
        );
    }
    let id = ContractId::created_by(&scene.id);
    let contract = Box::new(ContractState {
        name: new.name,
        version,
        description,
        owner: sender,
        source_hash: new.code_hash,
        code_hash: Hash32::of(compiled.code.as_bytes()),
        gas_schedule: compiled.schedule,
        entries: compiled.entries,
        block: scene.height,
        transaction: scene.id,
        created_at: scene.now,
    });
    let code = CodeState {
        source: new.source_code,
        code: compiled.code,
    };
    scene.state.deploy(id);
    let (has_init, of) = (contract.entries.init, Target { id, contract, code });
    scene.state.put(name, StateValue::Named(id));
    scene.state.put(
        StateKey::Contract(id),
        StateValue::Contract(of.contract.clone()),
    );
    scene
        .state
        .put(StateKey::Code(id), StateValue::Code(of.code.clone()));
    if has_init {
        pass!(run(scene, host, sender, &of, Entry::Init)?);
        // What init() returned is nobody's answer.
        scene.report.result = None;
    }
    Ok(Ok(()))
}

/// The contract that runs.
struct Target {
    id: ContractId,
    contract: Box<ContractState>,
    code: CodeState,
}

fn file(name: &str) -> String {
    format!("{name}.ts")
}

pub(super) fn call(scene: &mut Scene<'_, '_>, sender: UserId) -> Ruled<()> {
    pass!(supported(scene));
    let Some(id) = scene.transaction.contract_id else {
        return refuse(Code::BadTransaction, "contract_call needs contractId");
    };
    let Some(contract) = scene.state.contract(&StateKey::Contract(id))? else {
        return refuse(Code::BadTransaction, format!("there is no contract {id}"));
    };
    if !contract.entries.contract {
        return refuse(
            Code::ContractError,
            format!(
                "{} exports no contract() function, so that it cannot be called",
                contract.name
            ),
        );
    }
    pass!(allowances(scene)?);
    let Contracts::Run(host, _) = scene.contracts else {
        return Ok(Ok(()));
    };
    let code = scene.state.code(&StateKey::Code(id))?;
    let code = code.ok_or(StateError::NotLoaded(StateKey::Code(id)))?;
    run(
        scene,
        host,
        sender,
        &Target { id, contract, code },
        Entry::Contract,
    )
}

/// What the caller has signed for: the transaction's amount, and what `contractInput` says of other currencies.
fn allowances(scene: &Scene<'_, '_>) -> Ruled<BTreeMap<String, String>> {
    let transaction = scene.transaction;
    let said: Allowance = match &transaction.contract_input {
        Some(input @ Value::Object(fields)) if fields.contains_key("allowance") => {
            match serde::Deserialize::deserialize(input) {
                Ok(said) => said,
                Err(_) => {
                    return refuse(
                        Code::BadAmount,
                        "contractInput.allowance holds decimal texts by currency code, such as {\"USD\": \"5.00\"}",
                    );
                }
            }
        }
        _ => Allowance::default(),
    };
    let mut allowances = said.allowance;
    match (&transaction.amount, &transaction.currency_code) {
        (Some(amount), Some(code)) => {
            allowances.insert(code.to_string(), amount.to_string());
        }
        (None, None) => {}
        _ => {
            return refuse(
                Code::BadTransaction,
                "amount and currencyCode go together: both or neither",
            );
        }
    }
    Ok(Ok(allowances))
}

fn run(
    scene: &mut Scene<'_, '_>,
    host: &dyn ContractHost,
    sender: UserId,
    target: &Target,
    entry: Entry,
) -> Ruled<()> {
    let allowances = pass!(allowances(scene)?);
    let Contracts::Run(_, parent) = scene.contracts else {
        return Ok(Ok(()));
    };
    let called = {
        let view = View {
            state: scene.state,
            network: scene.network,
            contract: target.id,
        };
        let known = |id: UserId| -> Result<UserView, StateError> {
            view.user_with(id)?
                .ok_or(StateError::NotLoaded(StateKey::User(id)))
        };
        let owner = known(target.contract.owner)?;
        let power = if owner.role == Role::Sovereign {
            Power::Core
        } else {
            Power::Own
        };
        let call = Call {
            contract: target.id,
            file: file(target.contract.name.as_str()),
            source: &target.code.source,
            code: &target.code.code,
            entries: target.contract.entries,
            entry,
            caller: known(sender)?,
            owner,
            input: match entry {
                // A deployment's own input is the source.
                Entry::Init => Value::Null,
                Entry::Contract => scene.transaction.contract_input.clone().unwrap_or_default(),
            },
            transaction: scene.id,
            block: Around {
                height: scene.height,
                timestamp: scene.now,
                parent,
            },
            allowances: allowances.clone(),
            power,
            gas: gas::CALL_LIMIT,
        };
        (host.run(&call, &view)?, power)
    };
    let (
        Called {
            result,
            gas_used,
            logs,
            effects,
        },
        power,
    ) = called;
    scene.report.gas_used = scene.report.gas_used.saturating_add(u64::from(gas_used));
    scene.report.logs = logs;
    let result = pass!(result.map_err(Failure::from));
    if !is_shallow(&result) {
        return refuse(
            Code::ContractError,
            format!("the result nests deeper than {MAX_DEPTH} levels; return it as a JSON text"),
        );
    }
    scene.report.result = Some(result).filter(|v| !v.is_null());
    let mut applying = Applying {
        scene,
        contract: target.id,
        caller: sender,
        allowances,
        power,
        spent: BTreeMap::new(),
    };
    for effect in effects {
        if let Err(failure) = applying.apply(effect)? {
            applying.scene.report.result = None;
            return Ok(Err(failure));
        }
    }
    Ok(Ok(()))
}

/// Applies what one execution asks for.
struct Applying<'r, 's, 'a> {
    scene: &'r mut Scene<'s, 'a>,
    contract: ContractId,
    caller: UserId,
    allowances: BTreeMap<String, String>,
    power: Power,
    /// What has left the caller's account.
    spent: BTreeMap<CurrencyCode, Amount>,
}

/// An amount of a currency that there is.
struct Sum {
    code: CurrencyCode,
    units: Amount,
    allowed: Amount,
}

impl Applying<'_, '_, '_> {
    fn apply(&mut self, effect: Effect) -> Ruled<()> {
        match effect {
            Effect::Transfer {
                from,
                to,
                amount,
                currency,
            } => {
                let sum = pass!(self.sum(&amount, &currency)?);
                pass!(self.permit(from, &sum));
                pass!(self.exists(to)?);
                let held = self.held(from, &sum.code)?;
                let Some(left) = held.minus(sum.units) else {
                    return refuse(
                        Code::InsufficientBalance,
                        format!("{from} has less than {amount} {currency}"),
                    );
                };
                self.set(from, &sum.code, left);
                match self.held(to, &sum.code)?.plus(sum.units) {
                    Ok(received) => self.set(to, &sum.code, received),
                    Err(error) => return refuse(Code::BadAmount, error.to_string()),
                }
            }
            Effect::SetBalance {
                owner,
                amount,
                currency,
            } => {
                if self.power != Power::Core {
                    return refuse(
                        Code::RoleForbids,
                        "only a core contract of the sovereign can set a balance",
                    );
                }
                let sum = pass!(self.sum(&amount, &currency)?);
                pass!(self.exists(owner)?);
                self.set(owner, &sum.code, sum.units);
            }
            Effect::Data { key, value } => {
                let value = value.map_or(StateValue::Gone, StateValue::Data);
                let key = StateKey::Data(self.contract, key);
                self.scene.state.put(key, value);
            }
        }
        Ok(Ok(()))
    }

    fn sum(&self, amount: &str, currency: &str) -> Ruled<Sum> {
        let unknown = || {
            Failure::new(
                Code::UnknownCurrency,
                format!("there is no currency {currency}"),
            )
        };
        let Ok(code) = currency.parse::<CurrencyCode>() else {
            return Ok(Err(unknown()));
        };
        let Some(state) = self
            .scene
            .state
            .currency(&StateKey::Currency(code.clone()))?
        else {
            return Ok(Err(unknown()));
        };
        let units = |text: &str| {
            Amount::parse(text, state.decimals).map_err(|error| {
                Failure::new(Code::BadAmount, format!("{text} {currency}: {error}"))
            })
        };
        Ok(Ok(Sum {
            units: pass!(units(amount)),
            allowed: match self.allowances.get(currency) {
                Some(text) => pass!(units(text)),
                None => Amount::ZERO,
            },
            code,
        }))
    }

    /// The contract's own funds always, the caller's as far as the caller has signed for.
    fn permit(&mut self, from: UserId, sum: &Sum) -> Result<(), Failure> {
        if from.0 == self.contract.0 {
            return Ok(());
        }
        let forbidden = |text: String| Failure::new(Code::ContractError, text);
        if from != self.caller {
            return Err(forbidden(
                "a contract moves its caller's money and its own, nobody else's".to_owned(),
            ));
        }
        let spent = self.spent.get(&sum.code).copied().unwrap_or_default();
        match spent.plus(sum.units) {
            Ok(spent) if spent <= sum.allowed => {
                self.spent.insert(sum.code.clone(), spent);
                Ok(())
            }
            _ => Err(forbidden(format!(
                "the caller has not signed for that much {}",
                sum.code
            ))),
        }
    }

    fn exists(&self, owner: UserId) -> Ruled<()> {
        if owner.0 == self.contract.0 || self.scene.state.user(&StateKey::User(owner))?.is_some() {
            return Ok(Ok(()));
        }
        refuse(Code::UnknownRecipient, format!("there is no user {owner}"))
    }

    fn held(&self, owner: UserId, code: &CurrencyCode) -> Result<Amount, StateError> {
        let key = StateKey::Balance(owner, code.clone());
        let held = self.scene.state.balance(&key)?;
        Ok(held.map_or(Amount::ZERO, |balance| balance.amount))
    }

    fn set(&mut self, owner: UserId, code: &CurrencyCode, amount: Amount) {
        let balance = BalanceState {
            amount,
            owner_type: if owner.0 == self.contract.0 {
                OwnerType::Contract
            } else {
                OwnerType::User
            },
            updated_at: self.scene.now,
        };
        self.scene.state.put(
            StateKey::Balance(owner, code.clone()),
            StateValue::Balance(balance),
        );
    }
}
