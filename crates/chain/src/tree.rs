//! The state tree: a Jellyfish-Merkle tree (crate `jmt`, SHA-256) whose versions are heights of blocks. Its root costs
//! what changed; its nodes are kept by version, so that proofs and replay work at any height.
//!
//! The part of the tree that is needed is loaded level by level: [`missing`] names the nodes of the next level.

mod update;

use std::collections::{BTreeSet, HashMap};

use borsh::BorshDeserialize;
use jmt::storage::{LeafNode, Node, NodeKey, TreeReader};
use jmt::{KeyHash, OwnedValue, Sha256Jmt, Version};
use serde_json::Value;
use tana_protocol::json::Canonical;
use tana_protocol::state::{TreeNode, TreeNodeKey};
use tana_protocol::{Hash32, StateKey, StateValue};

use crate::state::Changes;

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

/// A part of the tree in memory. Nodes are looked up and never gone through, so their order says nothing.
#[derive(Clone, Debug, Default)]
pub struct TreeNodes(HashMap<TreeNodeKey, Node>);

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
    let mut out = Canonical::new();
    let values = changes.iter().map(|(key, value)| {
        out.clear();
        value.write_canonical(&mut out);
        (key.hash(), Hash32::of(out.bytes()))
    });
    put(nodes, height, values.collect())
}

/// The same of what execution gave, whose keys are texts and whose values are written already.
///
/// # Errors
/// When nodes are missing or do not fit together.
pub fn update_of(
    nodes: &TreeNodes,
    height: u64,
    changes: &Changes,
) -> Result<TreeUpdate, TreeError> {
    let values =
        (changes.written()).map(|(key, value)| (Hash32::of(key.as_bytes()), Hash32::of(value)));
    put(nodes, height, values.collect())
}

fn put(
    nodes: &TreeNodes,
    height: u64,
    mut entries: Vec<(Hash32, Hash32)>,
) -> Result<TreeUpdate, TreeError> {
    if entries.is_empty() {
        return unchanged(nodes, height);
    }
    entries.sort_unstable_by_key(|(key, _)| *key);
    update::write(nodes, height, &entries)
}

/// A block that changes nothing has a root of its own all the same.
fn unchanged(nodes: &TreeNodes, height: u64) -> Result<TreeUpdate, TreeError> {
    let broken = |error: anyhow::Error| TreeError::Broken {
        version: height,
        detail: format!("{error:#}"),
    };
    let (root, batch) = Sha256Jmt::new(nodes)
        .put_value_set([], height)
        .map_err(broken)?;
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
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use tana_protocol::UserId;

    use super::*;

    /// The root and the nodes that `jmt` makes of the same values one after the other.
    fn written_by_jmt(
        nodes: &TreeNodes,
        height: u64,
        values: impl IntoIterator<Item = (KeyHash, Option<OwnedValue>)>,
    ) -> (Hash32, BTreeMap<TreeNodeKey, Vec<u8>>) {
        let (root, batch) = Sha256Jmt::new(nodes).put_value_set(values, height).unwrap();
        let nodes = batch.node_batch.nodes().iter();
        let nodes = nodes.map(|(key, node)| (key_of(key), borsh::to_vec(node).unwrap()));
        (Hash32(root.0), nodes.collect())
    }

    /// Keys that share beginnings of all lengths, so that leaves move down, and down again.
    fn keys() -> impl Strategy<Value = Hash32> {
        let steps = prop::sample::select(vec![0x00, 0x01, 0x10, 0x11, 0xf0, 0xff]);
        let shared = 0..32_usize;
        (shared, prop::collection::vec(steps, 3), any::<u8>()).prop_map(|(shared, steps, other)| {
            let mut key = [0x11; 32];
            for (byte, step) in key[shared..].iter_mut().zip(steps) {
                *byte = step;
            }
            key[31] ^= other & 0x13;
            Hash32(key)
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn an_update_is_that_of_jmt_whatever_the_keys(
            blocks in prop::collection::vec(
                prop::collection::btree_map(keys(), any::<u8>(), 0..40), 1..8,
            )
        ) {
            let mut nodes = TreeNodes::default();
            for (height, block) in (0..).zip(blocks) {
                let values = block.iter().map(|(key, value)| (KeyHash(key.0), Some(vec![*value])));
                let expected = written_by_jmt(&nodes, height, values);
                // In any order.
                let entries = block.iter().rev().map(|(key, value)| (*key, Hash32::of(&[*value])));
                let made = put(&nodes, height, entries.collect()).unwrap();
                // In the order of their names.
                let names: Vec<_> = made.nodes.iter().map(|node| node.key.clone()).collect();
                prop_assert!(names.is_sorted(), "{names:?}");
                let written = made.nodes.iter().map(|node| (node.key.clone(), node.bytes.clone()));
                prop_assert_eq!((made.root, written.collect()), expected);
                nodes.load(made.nodes).unwrap();
                prop_assert_eq!(root(&nodes, height).unwrap(), made.root);
            }
        }

        #[test]
        fn an_update_is_that_of_jmt(
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
                let values = (changes.iter())
                    .map(|(key, value)| (KeyHash(key.hash().0), Some(value.to_bytes())));
                let expected = written_by_jmt(&nodes, height, values);
                let made = update(&nodes, height, &changes).unwrap();
                let written = made.nodes.iter().map(|node| (node.key.clone(), node.bytes.clone()));
                prop_assert_eq!((made.root, written.collect()), expected);
                nodes.load(made.nodes).unwrap();
            }
        }
    }
}
