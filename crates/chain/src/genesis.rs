//! Block 0, computed from the chain file. Nothing of the file is left out of its state root.

use std::collections::BTreeSet;
use std::sync::Arc;

use tana_protocol::block::{Block, BlockHeader, StateChange};
use tana_protocol::state::{ChainState, CurrencyState, UserState, ValidatorState};
use tana_protocol::{ChainSpec, Hash32, NodeId, Role, StateKey, StateValue, UnsignedBlock, UserId};

use crate::block::changes_hash;
use crate::merkle;
use crate::tree::{self, TreeError, TreeNodes, TreeUpdate};

/// What `producer` of block 0 says.
pub const PRODUCER: &str = "genesis";

/// Why a chain file gives no block.
#[derive(Debug, thiserror::Error)]
pub enum GenesisError {
    /// Two entries of the file have one name or key, or it lacks what a chain needs.
    #[error("the chain file: {0}")]
    Spec(String),
    /// The tree failed.
    #[error("the state tree of block 0 failed")]
    Tree(#[from] TreeError),
}

/// Block 0 and what belongs to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Genesis {
    /// The block.
    pub block: Block,
    /// The first state.
    pub values: Vec<(StateKey, StateValue)>,
    /// The first tree.
    pub tree: TreeUpdate,
}

/// Computes block 0.
///
/// # Errors
/// When the chain file contradicts itself.
pub fn genesis(spec: &ChainSpec) -> Result<Genesis, GenesisError> {
    let values = initial_state(spec)?;
    let tree = tree::update(&TreeNodes::default(), 0, &values)?;
    let state_changes: Vec<StateChange> = values
        .iter()
        .map(|(key, value)| StateChange {
            key: key.to_string(),
            before: None,
            after: Some(value.to_json()),
        })
        .collect();
    let set_hash = validators(spec)?.set_hash();
    let producer: NodeId = PRODUCER
        .parse()
        .map_err(|_| GenesisError::Spec("the genesis has no producer".to_owned()))?;
    let header = BlockHeader {
        chain_id: spec.chain_id.clone(),
        height: 0,
        previous_hash: Hash32::ZERO,
        timestamp: spec.genesis_time,
        producer,
        tx_root: merkle::empty_root(),
        receipts_root: merkle::empty_root(),
        changes_hash: changes_hash(&state_changes),
        state_root: tree.root,
        tx_count: 0,
        gas_used: 0,
        gas_limit: spec.limits.block_gas_limit,
        content_refs: Vec::new(),
        validators_hash: set_hash,
        next_validators_hash: set_hash,
    };
    let block = Block {
        content: UnsignedBlock {
            hash: header.hash(),
            header,
            transactions: Vec::new(),
            receipts: Vec::new(),
            state_changes,
        },
        signature: None,
    };
    Ok(Genesis {
        block,
        values,
        tree,
    })
}

fn validators(spec: &ChainSpec) -> Result<ValidatorState, GenesisError> {
    let mut set = spec.validators.clone();
    set.sort_by(|a, b| a.node_id.cmp(&b.node_id));
    let twice = set
        .windows(2)
        .any(|pair| pair[0].node_id == pair[1].node_id);
    let keys: BTreeSet<_> = set.iter().map(|validator| validator.public_key).collect();
    if set.is_empty() || twice || keys.len() != set.len() {
        return Err(GenesisError::Spec(
            "validators needs at least one, each with its own nodeId and publicKey".to_owned(),
        ));
    }
    if set.iter().any(|validator| validator.power == 0) {
        return Err(GenesisError::Spec(
            "a validator's power is at least 1".to_owned(),
        ));
    }
    Ok(ValidatorState { set, pending: None })
}

fn initial_state(spec: &ChainSpec) -> Result<Vec<(StateKey, StateValue)>, GenesisError> {
    let mut values = vec![
        (
            StateKey::Chain,
            StateValue::Chain(ChainState {
                chain_id: spec.chain_id.clone(),
                name: spec.name.clone(),
                network: spec.network,
                engine: spec.engine,
                gas_schedule: spec.gas_schedule,
                limits: spec.limits.clone(),
            }),
        ),
        (
            StateKey::Validators,
            StateValue::Validators(Box::new(validators(spec)?)),
        ),
    ];
    for currency in &spec.currencies {
        let state = CurrencyState {
            kind: currency.kind,
            decimals: currency.decimals,
            name: currency.name.clone(),
            symbol: currency.symbol.clone(),
            verified: true,
            created_at: spec.genesis_time,
        };
        values.push((
            StateKey::Currency(currency.code.clone()),
            StateValue::Currency(state),
        ));
    }
    for sovereign in &spec.sovereigns {
        let id = UserId::of_genesis(&spec.chain_id, sovereign.username.as_str());
        let state = UserState {
            username: sovereign.username.clone(),
            display_name: sovereign.display_name.clone(),
            public_key: sovereign.public_key,
            role: Role::Sovereign,
            bio: String::new(),
            nonce: 0,
            created_at: spec.genesis_time,
            updated_at: spec.genesis_time,
        };
        values.push((StateKey::User(id), StateValue::User(Arc::new(state))));
        values.push((
            StateKey::Username(sovereign.username.clone()),
            StateValue::Owner(id),
        ));
        values.push((
            StateKey::UserKey(Box::new(sovereign.public_key)),
            StateValue::Owner(id),
        ));
    }
    values.sort_by_cached_key(|(key, _)| key.to_string());
    if let Some(pair) = values.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        return Err(GenesisError::Spec(format!("{} is there twice", pair[0].0)));
    }
    Ok(values)
}
