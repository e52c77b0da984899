//! The chain file: everything that every node of a chain must agree on before the first block.

use serde::{Deserialize, Serialize};

use crate::address::Network;
use crate::amount::{CurrencyCode, Decimals};
use crate::id::{NodeId, Username};
use crate::key::PublicKey;
use crate::time::Timestamp;

/// What kind of currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CurrencyType {
    /// Issued by a state.
    Fiat,
    /// Issued by a network.
    Crypto,
}

/// A currency of the chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Currency {
    /// Its code.
    pub code: CurrencyCode,
    /// Its kind.
    #[serde(rename = "type")]
    pub kind: CurrencyType,
    /// Digits after the point.
    pub decimals: Decimals,
    /// Its name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its sign.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub symbol: Option<String>,
}

/// A user that exists from the first block on, with the role `sovereign`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GenesisSovereign {
    /// The name.
    pub username: Username,
    /// The name for people.
    pub display_name: String,
    /// The user's key; also the mesh's first sovereign key.
    pub public_key: PublicKey,
}

/// A node that may produce blocks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Validator {
    /// The node.
    pub node_id: NodeId,
    /// The key of its producer service, which signs blocks.
    pub public_key: PublicKey,
    /// Its weight in votes.
    pub power: u64,
}

/// The engine that executes contracts; every node of a chain must have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// V8.
    V8,
    /// QuickJS-ng.
    Quickjs,
}

impl Engine {
    /// The word in chain files and of workers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V8 => "v8",
            Self::Quickjs => "quickjs",
        }
    }
}

/// The rules that are a number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ChainLimits {
    /// How far a transaction's time may lie before its block's, in milliseconds.
    pub transaction_window_ms: u64,
    /// Gas that one block may use.
    pub block_gas_limit: u64,
    /// Transactions that one block may hold.
    pub block_transactions: u32,
    /// Whether a transaction must name this chain.
    pub require_chain_id: RequireChainId,
}

/// Whether a transaction must name its chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RequireChainId {
    /// Transactions without `chainId` are accepted, as older clients send them.
    Optional,
    /// They are refused.
    Required,
}

impl Default for ChainLimits {
    fn default() -> Self {
        Self {
            transaction_window_ms: 10 * 60 * 1000,
            block_gas_limit: 100_000_000,
            block_transactions: 1000,
            require_chain_id: RequireChainId::Optional,
        }
    }
}

/// The chain file, `chains/<name>.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ChainSpec {
    /// Binds transactions to this chain.
    pub chain_id: String,
    /// The chain's name for people; the file's name.
    pub name: String,
    /// Whose addresses it uses.
    pub network: Network,
    /// The genesis block's time.
    pub genesis_time: Timestamp,
    /// Who owns it.
    pub sovereigns: Vec<GenesisSovereign>,
    /// Who produces its blocks at first.
    pub validators: Vec<Validator>,
    /// Its currencies at first.
    pub currencies: Vec<Currency>,
    /// What executes its contracts; absent: not fixed yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<Engine>,
    /// What contracts are charged by: the version of the schedule. Fixed together with the engine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gas_schedule: Option<u32>,
    /// Its rules that are numbers.
    #[serde(default)]
    pub limits: ChainLimits,
}

impl ChainSpec {
    /// The currencies that a new chain begins with: USD, BTC, ETH.
    ///
    /// # Panics
    /// Never: the codes are valid.
    #[must_use]
    pub fn genesis_currencies() -> Vec<Currency> {
        [
            ("USD", CurrencyType::Fiat, 2, "US dollar", "$"),
            ("BTC", CurrencyType::Crypto, 8, "Bitcoin", "₿"),
            ("ETH", CurrencyType::Crypto, 18, "Ether", "Ξ"),
        ]
        .into_iter()
        .map(|(code, kind, decimals, name, symbol)| Currency {
            code: code.parse().expect("a valid code"),
            kind,
            decimals: Decimals::try_from(decimals).expect("at most 18"),
            name: Some(name.to_owned()),
            symbol: Some(symbol.to_owned()),
        })
        .collect()
    }
}
