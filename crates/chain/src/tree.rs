//! The state tree: a Jellyfish-Merkle tree (crate `jmt`, SHA-256) whose versions are heights of blocks. Its root costs
//! what changed; its nodes are kept by version, so that proofs and replay work at any height.
//!
//! The part of the tree that is needed is loaded level by level: [`missing`] names the nodes of the next level.

use std::collections::{BTreeMap, BTreeSet};

use borsh::BorshDeserialize;
use jmt::storage::{LeafNode, Node, NodeKey, TreeReader};
use jmt::{KeyHash, OwnedValue, Sha256Jmt, Version};
use serde_json::Value;
use tana_protocol::block::StateChange;
use tana_protocol::json::canonical_json;
use tana_protocol::state::{TreeNode, TreeNodeKey};
use tana_protocol::{Hash32, StateKey, StateValue};

/// Why the tree gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    /// A stored node is no node.
    #[error("a node of the state tree does not parse (path {path}, version {version})")]
    Node {
        /// Its path in hex.
        path: String,
        /// Its version.
        version: u64,
    },
    /// Nodes are missing or do not fit together.
    #[error("the state tree is not whole at height {version}: {detail}")]
    Broken {
        /// The version.
        version: u64,
        /// What the tree says.
        detail: String,
    },
    /// Not a proof.
    #[error("the proof does not parse")]
    Format,
    /// The proof is about another value or another root.
    #[error("the proof does not fit the value and the root: {0}")]
    Proof(String),
}

/// A part of the tree in memory.
#[derive(Clone, Debug, Default)]
pub struct TreeNodes(BTreeMap<TreeNodeKey, Node>);

impl TreeNodes {
    /// Adds nodes as a store keeps them.
    ///
    /// # Errors
    /// [`TreeError::Node`] where one does not parse.
    pub fn load(&mut self, nodes: impl IntoIterator<Item = TreeNode>) -> Result<(), TreeError> {
        for node in nodes {
            let parsed = Node::try_from_slice(&node.bytes).map_err(|_| TreeError::Node {
                path: hex(&node.key.path),
                version: node.key.version,
            })?;
            self.0.insert(node.key, parsed);
        }
        Ok(())
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        text.push_str(&format!("{byte:02x}"));
        text
    })
}

/// `jmt`'s name of a node as ours. Its own fields are hidden but for the nibbles.
fn key_of(key: &NodeKey) -> TreeNodeKey {
    let nibbles: Vec<u8> = key
        .nibble_path()
        .nibbles()
        .map(|nibble| u8::try_from(nibble.as_usize()).unwrap_or(0))
        .collect();
    TreeNodeKey {
        path: path_of(&nibbles),
        version: key.version(),
    }
}

/// The length of a path and its nibbles, two a byte. A path has at most 64 nibbles.
fn path_of(nibbles: &[u8]) -> Vec<u8> {
    let mut path = Vec::with_capacity(1 + nibbles.len().div_ceil(2));
    path.push(u8::try_from(nibbles.len()).unwrap_or(u8::MAX));
    path.extend(
        nibbles
            .chunks(2)
            .map(|pair| pair[0] << 4 | pair.get(1).copied().unwrap_or(0)),
    );
    path
}

fn nibble(hash: &Hash32, index: usize) -> u8 {
    let byte = hash.0[index / 2];
    if index.is_multiple_of(2) {
        byte >> 4
    } else {
        byte & 15
    }
}

impl TreeReader for TreeNodes {
    fn get_node_option(&self, key: &NodeKey) -> anyhow::Result<Option<Node>> {
        Ok(self.0.get(&key_of(key)).cloned())
    }

    // Values are kept in the state's own tables and the tree holds their hashes. `jmt` asks only to hand the value
    // out beside its proof, where nobody looks at it.
    fn get_value_option(&self, _: Version, _: KeyHash) -> anyhow::Result<Option<OwnedValue>> {
        Ok(Some(OwnedValue::new()))
    }

    fn get_rightmost_leaf(&self) -> anyhow::Result<Option<(NodeKey, LeafNode)>> {
        Ok(None)
    }
}

/// The nodes at `version` on the way to these keys that are not loaded and can be named already. To be called again
/// with the answers loaded, until nothing is missing.
#[must_use]
pub fn missing<'k>(
    nodes: &TreeNodes,
    version: u64,
    keys: impl IntoIterator<Item = &'k StateKey>,
) -> Vec<TreeNodeKey> {
    let mut wanted = BTreeSet::new();
    for key in keys {
        if let Err(next) = walk(nodes, version, &key.hash()) {
            wanted.insert(next);
        }
    }
    wanted.into_iter().collect()
}

/// The same for a proof, which also holds the hashes of what lies beside the way: every child of the nodes on it.
#[must_use]
pub fn missing_for_proof(nodes: &TreeNodes, version: u64, key: &StateKey) -> Vec<TreeNodeKey> {
    let hash = key.hash();
    let mut nibbles = Vec::new();
    let mut at = TreeNodeKey {
        path: vec![0],
        version,
    };
    loop {
        let node = match nodes.0.get(&at) {
            None => return vec![at],
            Some(Node::Internal(node)) if nibbles.len() < 64 => node,
            Some(_) => return Vec::new(),
        };
        let step = nibble(&hash, nibbles.len());
        let mut next = None;
        let mut missing = Vec::new();
        for (index, child) in node.children_sorted() {
            let index = u8::try_from(index.as_usize()).unwrap_or(0);
            nibbles.push(index);
            let key = TreeNodeKey {
                path: path_of(&nibbles),
                version: child.version,
            };
            nibbles.pop();
            if !nodes.0.contains_key(&key) {
                missing.push(key.clone());
            }
            if index == step {
                next = Some(key);
            }
        }
        if !missing.is_empty() {
            return missing;
        }
        let Some(next) = next else {
            return Vec::new();
        };
        nibbles.push(step);
        at = next;
    }
}

/// Goes down towards a key; answers the first node that is not loaded.
fn walk(nodes: &TreeNodes, version: u64, hash: &Hash32) -> Result<(), TreeNodeKey> {
    let mut at = TreeNodeKey {
        path: vec![0],
        version,
    };
    let mut nibbles = Vec::new();
    loop {
        let node = match nodes.0.get(&at) {
            None => return Err(at),
            Some(Node::Internal(node)) => node,
            Some(Node::Null | Node::Leaf(_)) => return Ok(()),
        };
        // A path is as long as a key at most; longer means a cycle of damaged nodes.
        if nibbles.len() >= 64 {
            return Ok(());
        }
        let step = nibble(hash, nibbles.len());
        let child = node
            .children_sorted()
            .find(|(nibble, _)| nibble.as_usize() == usize::from(step));
        let Some((_, child)) = child else {
            return Ok(());
        };
        nibbles.push(step);
        at = TreeNodeKey {
            path: path_of(&nibbles),
            version: child.version,
        };
    }
}

/// The tree after a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeUpdate {
    /// The state root.
    pub root: Hash32,
    /// The nodes to keep.
    pub nodes: Vec<TreeNode>,
}

/// Writes what block `height` changed. The nodes on the way to the keys at `height - 1` must be loaded.
///
/// # Errors
/// When nodes are missing or do not fit together.
pub fn update(
    nodes: &TreeNodes,
    height: u64,
    changes: &[(StateKey, StateValue)],
) -> Result<TreeUpdate, TreeError> {
    let values = (changes.iter()).map(|(key, value)| (KeyHash(key.hash().0), value.to_bytes()));
    put(nodes, height, values.collect())
}

/// The same of what execution gave, whose keys are texts and whose values are JSON already.
///
/// # Errors
/// When nodes are missing or do not fit together.
pub fn update_of(
    nodes: &TreeNodes,
    height: u64,
    changes: &[StateChange],
) -> Result<TreeUpdate, TreeError> {
    let values = changes.iter().map(|change| {
        let key = KeyHash(Hash32::of(change.key.as_bytes()).0);
        // What is gone stays in the tree as `null`.
        (
            key,
            canonical_json(change.after.as_ref().unwrap_or(&Value::Null)),
        )
    });
    put(nodes, height, values.collect())
}

fn put(
    nodes: &TreeNodes,
    height: u64,
    values: Vec<(KeyHash, OwnedValue)>,
) -> Result<TreeUpdate, TreeError> {
    let broken = |error: anyhow::Error| TreeError::Broken {
        version: height,
        detail: format!("{error:#}"),
    };
    let tree = Sha256Jmt::new(nodes);
    let (root, batch) = if values.is_empty() {
        tree.put_value_set([], height).map_err(broken)?
    } else {
        // All at once: a node that many keys pass is hashed once, not for each of them.
        let (roots, batch) = tree
            .batch_put_value_sets(vec![values], None, height)
            .map_err(broken)?;
        let root = roots.first().copied();
        let root = root.ok_or_else(|| broken(anyhow::anyhow!("an update gave no root")))?;
        (root, batch)
    };
    let nodes = batch
        .node_batch
        .nodes()
        .iter()
        .map(|(key, node)| {
            borsh::to_vec(node)
                .map(|bytes| TreeNode {
                    key: key_of(key),
                    bytes,
                })
                .map_err(|error| broken(error.into()))
        })
        .collect::<Result<_, _>>()?;
    Ok(TreeUpdate {
        root: Hash32(root.0),
        nodes,
    })
}

/// The root at a height whose root node is loaded.
///
/// # Errors
/// When it is not.
pub fn root(nodes: &TreeNodes, height: u64) -> Result<Hash32, TreeError> {
    Sha256Jmt::new(nodes)
        .get_root_hash(height)
        .map(|root| Hash32(root.0))
        .map_err(|error| TreeError::Broken {
            version: height,
            detail: format!("{error:#}"),
        })
}

/// The proof that a key has its value at a height, or that it has none. The nodes on the way must be loaded.
///
/// # Errors
/// When nodes are missing or do not fit together.
pub fn prove(nodes: &TreeNodes, height: u64, key: &StateKey) -> Result<Value, TreeError> {
    let broken = |detail: String| TreeError::Broken {
        version: height,
        detail,
    };
    let (_, proof) = Sha256Jmt::new(nodes)
        .get_with_proof(KeyHash(key.hash().0), height)
        .map_err(|error| broken(format!("{error:#}")))?;
    serde_json::to_value(&proof).map_err(|error| broken(error.to_string()))
}

/// Checks a proof of [`prove`] against a block's state root: `value` is the value's JSON, `None` that there is none.
///
/// # Errors
/// When it does not parse or does not fit.
pub fn check_proof(
    root: Hash32,
    key: &StateKey,
    value: Option<&Value>,
    proof: &Value,
) -> Result<(), TreeError> {
    let proof: jmt::proof::SparseMerkleProof<sha2::Sha256> =
        serde_json::from_value(proof.clone()).map_err(|_| TreeError::Format)?;
    let bytes = value.map(tana_protocol::json::canonical);
    let fits = |bytes| proof.verify(jmt::RootHash(root.0), KeyHash(key.hash().0), bytes);
    // What was deleted stays in the tree as `null`, which no value is: taking a leaf out would need its neighbours too.
    let absent = || {
        value
            .is_none()
            .then(|| fits(Some(StateValue::Gone.to_bytes())))
    };
    fits(bytes)
        .or_else(|error| absent().unwrap_or(Err(error)))
        .map_err(|error| TreeError::Proof(format!("{error:#}")))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tana_protocol::UserId;

    use super::*;

    /// What `jmt` makes of the same changes one after the other.
    fn one_by_one(
        nodes: &TreeNodes,
        height: u64,
        changes: &[(StateKey, StateValue)],
    ) -> (Hash32, BTreeMap<TreeNodeKey, Vec<u8>>) {
        let values = changes
            .iter()
            .map(|(key, value)| (KeyHash(key.hash().0), Some(value.to_bytes())));
        let (root, batch) = Sha256Jmt::new(nodes).put_value_set(values, height).unwrap();
        let nodes = batch.node_batch.nodes().iter();
        let nodes = nodes.map(|(key, node)| (key_of(key), borsh::to_vec(node).unwrap()));
        (Hash32(root.0), nodes.collect())
    }

    proptest! {
        #[test]
        fn an_update_at_once_is_the_update_one_by_one(
            blocks in prop::collection::vec(
                prop::collection::btree_map(any::<u8>(), any::<u8>(), 0..60), 1..6,
            )
        ) {
            let mut nodes = TreeNodes::default();
            for (height, block) in (0..).zip(blocks) {
                let changes: Vec<_> = block
                    .into_iter()
                    .map(|(key, owner)| {
                        let owner = match owner {
                            0..20 => StateValue::Gone,
                            _ => StateValue::Owner(UserId::of_genesis("c", &owner.to_string())),
                        };
                        (StateKey::Username(format!("user{key}").parse().unwrap()), owner)
                    })
                    .collect();
                let expected = one_by_one(&nodes, height, &changes);
                let made = update(&nodes, height, &changes).unwrap();
                let written = made.nodes.iter().map(|node| (node.key.clone(), node.bytes.clone()));
                prop_assert_eq!((made.root, written.collect()), expected);
                let as_json = changes.iter().map(|(key, value)| StateChange {
                    key: key.to_string(),
                    before: None,
                    after: Some(value.to_json()).filter(|json| !json.is_null()),
                });
                let of_json = update_of(&nodes, height, &as_json.collect::<Vec<_>>()).unwrap();
                prop_assert_eq!(&of_json, &made);
                nodes.load(made.nodes).unwrap();
            }
        }
    }
}
