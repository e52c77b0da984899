//! Writes changed values into the tree. The nodes are `jmt`'s, byte for byte, and so is the root: the tests hold every
//! update against what `jmt` makes of the same.
//!
//! `jmt` itself keeps the nodes of an update in three maps by path, one after the other, and copies each several times. For
//! a block of a thousand transfers that took twice as long as all hashing of it. Here the changed keys go down the tree
//! once, in their order, and each node that is on their way is read, hashed and written once.

use jmt::Sha256Jmt;
use jmt::storage::Node;
use sha2::{Digest as _, Sha256};
use tana_protocol::Hash32;
use tana_protocol::state::{TreeNode, TreeNodeKey};

use super::{TreeError, TreeNodes, TreeUpdate, nibble};

/// Nibbles of a key.
const DEPTH: usize = 64;
/// What `jmt` writes before a node, to say which kind it is.
const INTERNAL: u8 = 1;
const LEAF: u8 = 2;
/// An internal node without children: its kind, which of sixteen there are, how many, how many leaves are below.
const INTERNAL_BYTES: usize = 1 + 16 + 8 + 8;
/// A child: its hash, its version, whether it is internal. If it is, the number of leaves below it comes behind.
const CHILD_BYTES: usize = 32 + 8 + 1;
/// A leaf: its kind, the hashes of key and value.
const LEAF_BYTES: usize = 1 + 32 + 32;

/// The hash of a key, and of the value that it has now.
pub(super) type Entry = (Hash32, Hash32);

/// A node as its parent names it.
#[derive(Clone, Copy)]
struct Child {
    hash: [u8; 32],
    version: u64,
    /// How many leaves are below; `None` of a leaf itself.
    leaves: Option<u64>,
}

/// A node's children by their nibble.
type Children = [Option<Child>; 16];

struct Update<'n> {
    nodes: &'n TreeNodes,
    version: u64,
    /// Where the update is, and at which version it looks.
    at: TreeNodeKey,
    /// What it has written, by depth: in the order of nodes' names when they are put one behind the other.
    written: Vec<Vec<TreeNode>>,
}

/// The tree at `version` with these values, of which there is at least one and whose keys are in order. The nodes on the
/// way to them one version before must be loaded, unless this is the first.
pub(super) fn write(
    nodes: &TreeNodes,
    version: u64,
    entries: &[Entry],
) -> Result<TreeUpdate, TreeError> {
    let mut update = Update {
        nodes,
        version,
        at: TreeNodeKey {
            path: Vec::with_capacity(1 + DEPTH / 2),
            version,
        },
        written: Vec::new(),
    };
    update.at.path.push(0);
    let root = match version.checked_sub(1) {
        None => update.create(0, entries)?,
        Some(before) => update.change(0, before, entries)?,
    };
    Ok(TreeUpdate {
        root: Hash32(root.hash),
        nodes: update.written.into_iter().flatten().collect(),
    })
}

impl Update<'_> {
    fn broken(&self, detail: &str) -> TreeError {
        TreeError::Broken {
            version: self.version,
            detail: format!("{detail} (path {})", super::hex(&self.at.path)),
        }
    }

    /// Does `work` one step further down.
    fn below<T>(&mut self, depth: usize, step: u8, work: impl FnOnce(&mut Self) -> T) -> T {
        let path = &mut self.at.path;
        path[0] += 1;
        if depth.is_multiple_of(2) {
            path.push(step << 4);
        } else {
            path[depth / 2 + 1] |= step;
        }
        let done = work(self);
        let path = &mut self.at.path;
        path[0] -= 1;
        if depth.is_multiple_of(2) {
            path.pop();
        } else {
            path[depth / 2 + 1] &= 0xf0;
        }
        done
    }

    /// The node that lies here since `since`, with the entries below it.
    fn change(&mut self, depth: usize, since: u64, entries: &[Entry]) -> Result<Child, TreeError> {
        self.at.version = since;
        match self.nodes.0.get(&self.at) {
            None => Err(self.broken("a node is missing")),
            Some(Node::Internal(node)) if depth < DEPTH => {
                let mut children: Children = [None; 16];
                for (step, child) in node.children_sorted() {
                    children[step.as_usize()] = Some(Child {
                        hash: child.hash,
                        version: child.version,
                        leaves: (!child.is_leaf()).then(|| child.leaf_count() as u64),
                    });
                }
                self.with_children(depth, &mut children, entries)
            }
            Some(Node::Internal(_)) => Err(self.broken("a path is longer than a key")),
            Some(Node::Leaf(leaf)) => {
                let key = Hash32(leaf.key_hash().0);
                match entries.binary_search_by_key(&key, |(key, _)| *key) {
                    Ok(_) => self.create(depth, entries),
                    Err(place) => {
                        // Now it shares its place with others.
                        let value = value_hash(leaf).ok_or_else(|| self.broken("no leaf"))?;
                        let mut all = entries.to_vec();
                        all.insert(place, (key, value));
                        self.create(depth, &all)
                    }
                }
            }
            Some(Node::Null) if depth == 0 => self.create(depth, entries),
            Some(Node::Null) => Err(self.broken("an empty node below the root")),
        }
    }

    /// A new node here that has exactly these entries below it.
    fn create(&mut self, depth: usize, entries: &[Entry]) -> Result<Child, TreeError> {
        match entries {
            [(key, value)] => {
                let mut bytes = Vec::with_capacity(LEAF_BYTES);
                bytes.push(LEAF);
                bytes.extend_from_slice(&key.0);
                bytes.extend_from_slice(&value.0);
                let hash = Sha256::new()
                    .chain_update(jmt::proof::LEAF_DOMAIN_SEPARATOR)
                    .chain_update(&bytes[1..])
                    .finalize();
                Ok(self.written(depth, bytes, hash.into(), None))
            }
            _ if depth < DEPTH => self.with_children(depth, &mut [None; 16], entries),
            _ => Err(self.broken("two values have one key")),
        }
    }

    /// An internal node here: `children`, with the entries below them.
    fn with_children(
        &mut self,
        depth: usize,
        children: &mut Children,
        entries: &[Entry],
    ) -> Result<Child, TreeError> {
        let step_of = |(key, _): &Entry| nibble(key, depth);
        for part in entries.chunk_by(|a, b| step_of(a) == step_of(b)) {
            let Some(step) = part.first().map(step_of) else {
                continue;
            };
            let slot = &mut children[usize::from(step)];
            let there = *slot;
            *slot = Some(self.below(depth, step, |update| match there {
                Some(child) => update.change(depth + 1, child.version, part),
                None => update.create(depth + 1, part),
            })?);
        }
        // Exactly as long as it gets: a block writes thousands of them.
        let (mut count, mut leaves, mut size) = (0_u64, 0_u64, INTERNAL_BYTES);
        for child in children.iter().flatten() {
            count += 1;
            leaves = leaves.saturating_add(child.leaves.unwrap_or(1));
            size += CHILD_BYTES + if child.leaves.is_some() { 8 } else { 0 };
        }
        let mut bytes = Vec::with_capacity(size);
        bytes.push(INTERNAL);
        for child in &*children {
            let Some(child) = child else {
                bytes.push(0);
                continue;
            };
            bytes.push(1);
            bytes.extend_from_slice(&child.hash);
            bytes.extend_from_slice(&child.version.to_le_bytes());
            bytes.push(child.leaves.is_some().into());
            if let Some(leaves) = child.leaves {
                bytes.extend_from_slice(&leaves.to_le_bytes());
            }
        }
        bytes.extend_from_slice(&count.to_le_bytes());
        bytes.extend_from_slice(&leaves.to_le_bytes());
        Ok(self.written(depth, bytes, merkle(children), Some(leaves)))
    }

    /// Keeps a node that belongs here.
    fn written(
        &mut self,
        depth: usize,
        bytes: Vec<u8>,
        hash: [u8; 32],
        leaves: Option<u64>,
    ) -> Child {
        let version = self.version;
        let key = TreeNodeKey {
            path: self.at.path.clone(),
            version,
        };
        if self.written.len() <= depth {
            self.written.resize_with(depth + 1, Vec::new);
        }
        self.written[depth].push(TreeNode { key, bytes });
        Child {
            hash,
            version,
            leaves,
        }
    }
}

/// `jmt` shows a leaf's key alone.
fn value_hash(leaf: &jmt::storage::LeafNode) -> Option<Hash32> {
    let bytes = borsh::to_vec(leaf).ok()?;
    bytes.get(32..)?.try_into().ok().map(Hash32)
}

/// The hash of an internal node: of the binary tree over its children, in which a leaf that is alone stands for all that
/// is above it.
fn merkle(children: &[Option<Child>]) -> [u8; 32] {
    let mut there = children.iter().flatten();
    match (there.next(), there.next()) {
        (None, _) => Sha256Jmt::<TreeNodes>::EMPTY_ROOT.0,
        (Some(only), None) if only.leaves.is_none() || children.len() == 1 => only.hash,
        _ => {
            let (left, right) = children.split_at(children.len() / 2);
            let mut bytes = [0; 16 + 32 + 32];
            bytes[..16].copy_from_slice(jmt::proof::INTERNAL_DOMAIN_SEPARATOR);
            bytes[16..48].copy_from_slice(&merkle(left));
            bytes[48..].copy_from_slice(&merkle(right));
            Sha256::digest(bytes).into()
        }
    }
}
