//! Currencies.

use serde::Deserialize;
use tana_protocol::genesis::CurrencyType;
use tana_protocol::problem::Code;
use tana_protocol::state::{CurrencyState, UserState};
use tana_protocol::{CurrencyCode, Decimals, Role, StateKey, StateValue};

use super::{Failure, Ruled, Scene, input, only, pass, plain_text};

#[derive(Deserialize)]
struct NewCurrency {
    code: CurrencyCode,
    #[serde(rename = "type")]
    kind: CurrencyType,
    decimals: Decimals,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    symbol: Option<String>,
}

/// A new currency; a sovereign vouches for what it creates.
pub(super) fn create_currency(scene: &mut Scene<'_, '_>, user: &UserState) -> Ruled<()> {
    pass!(only(scene, user, &[Role::Sovereign, Role::Staff]));
    let new: NewCurrency = pass!(input(
        scene.transaction,
        "{code, type, decimals, name?, symbol?}: type fiat or crypto, decimals 0 to 18"
    ));
    for (what, text, most) in [("name", &new.name, 50), ("symbol", &new.symbol, 8)] {
        if let Some(text) = text {
            pass!(plain_text(what, text, 1..=most));
        }
    }
    let key = StateKey::Currency(new.code.clone());
    if scene.state.currency(&key)?.is_some() {
        return Ok(Err(Failure::new(
            Code::AlreadyExists,
            format!("there is a currency {} already", new.code),
        )));
    }
    let currency = CurrencyState {
        kind: new.kind,
        decimals: new.decimals,
        name: new.name,
        symbol: new.symbol,
        verified: user.role == Role::Sovereign,
        created_at: scene.now,
    };
    scene.state.put(key, StateValue::Currency(currency));
    Ok(Ok(()))
}
