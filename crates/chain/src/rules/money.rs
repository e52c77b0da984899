//! Transfers, deposits, withdrawals and adjustments: what moves, makes or ends funds.

use tana_protocol::problem::Code;
use tana_protocol::state::{BalanceState, UserState};
use tana_protocol::transaction::PartyRef;
use tana_protocol::{Amount, CurrencyCode, Decimals, Role, StateKey, StateValue, UserId};

use super::{Failure, Ruled, Scene, only, pass, recipient};
use crate::plan::OWNER;
use crate::state::StateError;

/// An amount with the currency that it is of.
struct Money {
    amount: Amount,
    code: CurrencyCode,
    decimals: Decimals,
}

/// Whether nothing is an amount too.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Zero {
    Refused,
    Allowed,
}

fn money(scene: &Scene<'_, '_>, zero: Zero) -> Ruled<Money> {
    let transaction = scene.transaction;
    let (Some(text), Some(code)) = (&transaction.amount, &transaction.currency_code) else {
        return Ok(Err(Failure::new(
            Code::BadTransaction,
            format!("{} needs amount and currencyCode", transaction.kind),
        )));
    };
    let Some(currency) = scene.state.currency(&StateKey::Currency(code.clone()))? else {
        return Ok(Err(Failure::new(
            Code::UnknownCurrency,
            format!("there is no currency {code}"),
        )));
    };
    let amount = match text.in_units(currency.decimals) {
        Ok(amount) if amount.is_zero() && zero == Zero::Refused => {
            return Ok(Err(Failure::new(
                Code::BadAmount,
                "the amount must be more than 0",
            )));
        }
        Ok(amount) => amount,
        Err(error) => return Ok(Err(Failure::new(Code::BadAmount, error.to_string()))),
    };
    Ok(Ok(Money {
        amount,
        code: code.clone(),
        decimals: currency.decimals,
    }))
}

fn held(scene: &Scene<'_, '_>, owner: UserId, code: &CurrencyCode) -> Result<Amount, StateError> {
    let key = StateKey::Balance(owner, code.clone());
    Ok(scene
        .state
        .balance(&key)?
        .map_or(Amount::ZERO, |balance| balance.amount))
}

fn set(scene: &mut Scene<'_, '_>, owner: UserId, code: &CurrencyCode, amount: Amount) {
    let balance = BalanceState {
        amount,
        owner_type: OWNER,
        updated_at: scene.now,
    };
    scene.state.put(
        StateKey::Balance(owner, code.clone()),
        StateValue::Balance(balance),
    );
}

fn credit(scene: &mut Scene<'_, '_>, owner: UserId, money: &Money) -> Ruled<()> {
    let sum = match held(scene, owner, &money.code)?.plus(money.amount) {
        Ok(sum) => sum,
        Err(error) => return Ok(Err(Failure::new(Code::BadAmount, error.to_string()))),
    };
    set(scene, owner, &money.code, sum);
    Ok(Ok(()))
}

fn debit(scene: &mut Scene<'_, '_>, owner: UserId, user: &UserState, money: &Money) -> Ruled<()> {
    let has = held(scene, owner, &money.code)?;
    let Some(rest) = has.minus(money.amount) else {
        return Ok(Err(Failure::new(
            Code::InsufficientBalance,
            format!(
                "{} has {} {} and {} {} are needed",
                user.username,
                has.format(money.decimals),
                money.code,
                money.amount.format(money.decimals),
                money.code
            ),
        )));
    };
    set(scene, owner, &money.code, rest);
    Ok(Ok(()))
}

pub(super) fn transfer(scene: &mut Scene<'_, '_>, from: UserId, user: &UserState) -> Ruled<()> {
    let money = pass!(money(scene, Zero::Refused)?);
    let (to, _) = pass!(recipient(scene)?);
    if to == from {
        return Ok(Err(Failure::new(
            Code::BadTransaction,
            "a transfer goes to somebody else than its sender",
        )));
    }
    pass!(debit(scene, from, user, &money)?);
    credit(scene, to, &money)
}

pub(super) fn deposit(scene: &mut Scene<'_, '_>, user: &UserState) -> Ruled<()> {
    pass!(only(scene, user, &[Role::Sovereign]));
    let money = pass!(money(scene, Zero::Refused)?);
    let (to, _) = pass!(recipient(scene)?);
    credit(scene, to, &money)
}

/// Funds leave the chain: `to` is the system, or the sender itself.
pub(super) fn withdraw(scene: &mut Scene<'_, '_>, from: UserId, user: &UserState) -> Ruled<()> {
    let money = pass!(money(scene, Zero::Refused)?);
    let own = match scene.transaction.to.target() {
        PartyRef::Id(id) => *id == UserId::SYSTEM || *id == from,
        PartyRef::Name(name) => *name == user.username,
    };
    if !own {
        return Ok(Err(Failure::new(
            Code::BadTransaction,
            "a withdrawal names the zero UUID or its sender in to",
        )));
    }
    debit(scene, from, user, &money)
}

/// Sets a balance to the amount.
pub(super) fn adjust(scene: &mut Scene<'_, '_>, user: &UserState) -> Ruled<()> {
    pass!(only(scene, user, &[Role::Sovereign]));
    let money = pass!(money(scene, Zero::Allowed)?);
    let (to, _) = pass!(recipient(scene)?);
    set(scene, to, &money.code, money.amount);
    Ok(Ok(()))
}
