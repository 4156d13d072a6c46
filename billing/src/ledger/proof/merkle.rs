//! The Merkle tree over the hashes of all transfers, as of RFC 6962: the tree that certificate logs use.
//!
//! The hash chain proves that nothing was rewritten to whoever has the whole log. The tree proves that one transfer is in
//! it with about twenty hashes. The leaf at `place` is transfer `place + 1`.
//!
//! Full subtrees of every eighth level are kept by the ledger ([`TILE`]), so any other subtree is made of at
//! most 255 hashes that lie side by side.

use std::ops::Range;

use sha2::{Digest, Sha256};

/// A hash of the tree.
pub(crate) type Hash = [u8; 32];

/// Levels between two that are kept.
pub(crate) const TILE: u32 = 8;

/// More siblings than any tree of 2⁶³ leaves has on a path.
const LONGEST_PATH: usize = 64;

/// A full subtree: the leaves `place · 2^level` to `(place + 1) · 2^level`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Subtree {
    pub(crate) level: u32,
    pub(crate) place: u64,
}

impl Subtree {
    /// The kept nodes that it is made of: their level and their places.
    pub(crate) fn kept(self) -> (u32, Range<u64>) {
        let above = self.level % TILE;
        let first = self.place << above;
        (self.level - above, first..first + (1 << above))
    }
}

/// What the tree takes of a transfer's hash.
pub(crate) fn leaf(transfer: &Hash) -> Hash {
    Sha256::new().chain_update([0]).chain_update(transfer).finalize().into()
}

fn node(left: &Hash, right: &Hash) -> Hash {
    Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into()
}

/// The root of a full subtree from the nodes of one level below it; `None` unless their number is a power of two.
pub(crate) fn fold(mut nodes: Vec<Hash>) -> Option<Hash> {
    if !nodes.len().is_power_of_two() {
        return None;
    }
    while nodes.len() > 1 {
        nodes = nodes.chunks_exact(2).map(|pair| node(&pair[0], &pair[1])).collect();
    }
    nodes.pop()
}

/// The full subtrees that the leaves of `range` make, left to right. The range must begin where a subtree of its size does.
pub(crate) fn subtrees(range: Range<u64>) -> Vec<Subtree> {
    let (mut start, mut rest, mut subtrees) = (range.start, range.end.saturating_sub(range.start), Vec::new());
    while let Some(level) = rest.checked_ilog2() {
        subtrees.push(Subtree { level, place: start >> level });
        start += 1 << level;
        rest -= 1 << level;
    }
    subtrees
}

/// The hash of several subtrees side by side, the larger ones on the left; of none, that of an empty tree.
pub(crate) fn join(subtrees: &[Hash]) -> Hash {
    let Some((last, others)) = subtrees.split_last() else { return Sha256::digest([]).into() };
    others.iter().rev().fold(*last, |right, left| node(left, &right))
}

/// The ranges of leaves whose hashes lead from a leaf to the root of a tree of `size` leaves, nearest first.
pub(crate) fn siblings(place: u64, size: u64) -> Vec<Range<u64>> {
    let (mut range, mut siblings) = (0..size, Vec::new());
    while range.end - range.start > 1 {
        // The largest power of two that is smaller than the range.
        let left = 1 << (range.end - range.start - 1).ilog2();
        let middle = range.start + left;
        if place < middle {
            siblings.push(middle..range.end);
            range.end = middle;
        } else {
            siblings.push(range.start..middle);
            range.start = middle;
        }
    }
    siblings.reverse();
    siblings
}

/// The root to which `path` leads from a leaf; `None` where a tree of `size` leaves has no such path.
pub(crate) fn root(leaf: Hash, place: u64, size: u64, path: &[Hash]) -> Option<Hash> {
    if place >= size || path.len() > LONGEST_PATH {
        return None;
    }
    // RFC 9162, section 2.1.3.2.
    let (mut place, mut last, mut hash) = (place, size - 1, leaf);
    for sibling in path {
        if last == 0 {
            return None;
        }
        if place & 1 == 1 || place == last {
            hash = node(sibling, &hash);
            while place & 1 == 0 && place != 0 {
                place >>= 1;
                last >>= 1;
            }
        } else {
            hash = node(&hash, sibling);
        }
        place >>= 1;
        last >>= 1;
    }
    (last == 0).then_some(hash)
}

/// Leaves that come one after another: the roots of the full subtrees so far, which is all that must be remembered.
#[derive(Debug, Clone, Default)]
pub(crate) struct Frontier {
    size: u64,
    /// Level and hash, the larger ones first.
    subtrees: Vec<(u32, Hash)>,
}

impl Frontier {
    /// Takes one more leaf; `full` is told of each subtree that it completes.
    pub(crate) fn push(&mut self, leaf: Hash, mut full: impl FnMut(Subtree, &Hash)) {
        let (mut level, mut hash) = (0, leaf);
        full(Subtree { level, place: self.size }, &hash);
        while let Some((_, left)) = self.subtrees.pop_if(|(last, _)| *last == level) {
            level += 1;
            hash = node(&left, &hash);
            full(Subtree { level, place: self.size >> level }, &hash);
        }
        self.subtrees.push((level, hash));
        self.size += 1;
    }

    pub(crate) const fn size(&self) -> u64 {
        self.size
    }

    pub(crate) fn root(&self) -> Hash {
        let hashes: Vec<Hash> = self.subtrees.iter().map(|(_, hash)| *hash).collect();
        join(&hashes)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// RFC 6962, section 2.1, word for word.
    fn mth(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => Sha256::digest([]).into(),
            [only] => *only,
            _ => {
                let left = leaves.len().next_power_of_two() / 2;
                node(&mth(&leaves[..left]), &mth(&leaves[left..]))
            }
        }
    }

    fn leaves(size: u64) -> Vec<Hash> {
        (0..size).map(|place| leaf(&Sha256::digest(place.to_le_bytes()).into())).collect()
    }

    #[test]
    fn a_tree_of_the_certificate_logs_has_their_root() {
        // The first leaves and roots of the test vectors of certificate-transparency's own Merkle tree: leaves "" and 0x00.
        let leaf_of = |data: &[u8]| -> Hash { Sha256::new().chain_update([0]).chain_update(data).finalize().into() };
        let mut frontier = Frontier::default();
        frontier.push(leaf_of(&[]), |_, _| {});
        assert_eq!(hex::encode(frontier.root()), "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
        frontier.push(leaf_of(&[0]), |_, _| {});
        assert_eq!(hex::encode(frontier.root()), "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125");
    }

    #[test]
    fn every_leaf_of_every_small_tree_is_proven_and_no_other() {
        for size in 1..=40_u64 {
            let leaves = leaves(size);
            let root_of_all = mth(&leaves);
            let hash = |range: &Range<u64>| {
                let (start, end) = (usize::try_from(range.start).unwrap(), usize::try_from(range.end).unwrap());
                mth(&leaves[start..end])
            };
            for place in 0..size {
                let path: Vec<Hash> = siblings(place, size).iter().map(hash).collect();
                let leaf = leaves[usize::try_from(place).unwrap()];
                assert_eq!(root(leaf, place, size, &path), Some(root_of_all), "{place} of {size}");
                for other in (0..=size).filter(|other| *other != place) {
                    assert_ne!(root(leaf, other, size, &path), Some(root_of_all), "{place} as {other} of {size}");
                }
                if let Some((_, shorter)) = path.split_last() {
                    assert_eq!(root(leaf, place, size, shorter), None);
                }
                let longer: Vec<Hash> = path.iter().chain([&leaf]).copied().collect();
                assert_eq!(root(leaf, place, size, &longer), None);
            }
        }
    }

    proptest! {
        #[test]
        fn subtrees_and_the_frontier_make_the_root(size in 0..1500_u64) {
            let leaves = leaves(size);
            let mut frontier = Frontier::default();
            let mut kept = std::collections::HashMap::new();
            for leaf in &leaves {
                frontier.push(*leaf, |subtree, hash| {
                    kept.insert((subtree.level, subtree.place), *hash);
                });
            }
            prop_assert_eq!((frontier.size(), frontier.root()), (size, mth(&leaves)));
            let hashes: Option<Vec<Hash>> = subtrees(0..size).into_iter().map(|subtree| {
                let (level, places) = subtree.kept();
                prop_assert_eq_level(level);
                fold(places.map(|place| kept[&(level, place)]).collect())
            }).collect();
            prop_assert_eq!(join(&hashes.unwrap()), mth(&leaves));
        }
    }

    fn prop_assert_eq_level(level: u32) {
        assert_eq!(level % TILE, 0, "only kept levels are asked for");
    }
}
