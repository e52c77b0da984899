//! The Merkle tree of a list, in the shape of RFC 6962: leaves and nodes are hashed apart (0x00, 0x01), and an odd
//! last leaf is not doubled. So no node passes for a leaf and no two lists have one root.

use tana_protocol::Hash32;

/// The root of an empty list: SHA-256 of nothing.
#[must_use]
pub fn empty_root() -> Hash32 {
    Hash32::of(b"")
}

/// The hash of a leaf.
#[must_use]
pub fn leaf(data: &[u8]) -> Hash32 {
    Hash32::of_parts(&[&[0], data])
}

fn node(left: Hash32, right: Hash32) -> Hash32 {
    Hash32::of_parts(&[&[1], &left.0, &right.0])
}

/// The root of a list of leaves.
#[must_use]
pub fn root<T: AsRef<[u8]>>(leaves: &[T]) -> Hash32 {
    let hashes: Vec<Hash32> = leaves.iter().map(|data| leaf(data.as_ref())).collect();
    if hashes.is_empty() {
        empty_root()
    } else {
        subtree(&hashes)
    }
}

/// The largest power of two below `n`, which is at least 2.
const fn split(n: usize) -> usize {
    1 << (usize::BITS - 1 - (n - 1).leading_zeros())
}

fn subtree(hashes: &[Hash32]) -> Hash32 {
    if let [only] = hashes {
        return *only;
    }
    let (left, right) = hashes.split_at(split(hashes.len()));
    node(subtree(left), subtree(right))
}

/// The siblings that lead from leaf `index` to the root, from the bottom up; `None` beyond the end.
#[must_use]
pub fn proof<T: AsRef<[u8]>>(leaves: &[T], index: usize) -> Option<Vec<Hash32>> {
    if index >= leaves.len() {
        return None;
    }
    let hashes: Vec<Hash32> = leaves.iter().map(|data| leaf(data.as_ref())).collect();
    let (mut part, mut at, mut path) = (hashes.as_slice(), index, Vec::new());
    while part.len() > 1 {
        let (left, right) = part.split_at(split(part.len()));
        if at < left.len() {
            path.push(subtree(right));
            part = left;
        } else {
            path.push(subtree(left));
            at -= left.len();
            part = right;
        }
    }
    path.reverse();
    Some(path)
}

/// Whether `data` is leaf `index` of the list of `count` leaves with this root.
#[must_use]
pub fn verify(root: Hash32, data: &[u8], index: usize, count: usize, path: &[Hash32]) -> bool {
    if index >= count {
        return false;
    }
    // From the top down: at which side of each split the leaf lies.
    let (mut at, mut size, mut sides) = (index, count, Vec::new());
    while size > 1 {
        let left = split(size);
        if at < left {
            sides.push(Side::Left);
            size = left;
        } else {
            sides.push(Side::Right);
            at -= left;
            size -= left;
        }
    }
    if sides.len() != path.len() {
        return false;
    }
    let found = sides
        .iter()
        .rev()
        .zip(path)
        .fold(leaf(data), |hash, (side, sibling)| match side {
            Side::Left => node(hash, *sibling),
            Side::Right => node(*sibling, hash),
        });
    found == root
}

enum Side {
    Left,
    Right,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert, proptest};

    use super::{empty_root, leaf, node, proof, root, verify};

    #[test]
    fn the_shape_is_that_of_rfc_6962() {
        let l: Vec<_> = [b"a", b"b", b"c"].iter().map(|d| leaf(*d)).collect();
        assert_eq!(root::<&[u8]>(&[]), empty_root());
        assert_eq!(root(&[b"a"]), l[0]);
        assert_eq!(root(&[b"a", b"b", b"c"]), node(node(l[0], l[1]), l[2]));
        // A doubled last leaf is another list, with another root (CVE-2012-2459).
        assert_ne!(root(&[b"a", b"b", b"c"]), root(&[b"a", b"b", b"c", b"c"]));
    }

    proptest! {
        #[test]
        fn every_leaf_is_proved_and_no_other(count in 1usize..40, pick in any::<prop::sample::Index>(), wrong in any::<u8>()) {
            let leaves: Vec<[u8; 1]> = (0..u8::try_from(count).unwrap()).map(|i| [i]).collect();
            let index = pick.index(count);
            let (root, path) = (root(&leaves), proof(&leaves, index).unwrap());
            prop_assert!(verify(root, &leaves[index], index, count, &path));
            if wrong != leaves[index][0] {
                prop_assert!(!verify(root, &[wrong], index, count, &path));
            }
            prop_assert!(!verify(root, &leaves[index], index + 1, count, &path) || count == 1);
            prop_assert!(!verify(root, &leaves[index], index, 0, &path));
        }
    }
    use proptest::prelude::prop;
}
