//! A map that is cheap to copy, because copies share what did not change.
//!
//! Every change of the directory makes a snapshot of its own, and there are a hundred thousand nodes that change: to
//! copy one big map each time was tried, and costs milliseconds a change. Here two levels of pointers stand above small
//! leaves; a change copies one of each, whatever the map holds. A crate with a persistent map would do more than is
//! needed for it.

use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::Arc;

/// Branches of the root, and leaves of a branch: at a hundred thousand entries a leaf holds two dozen.
const FAN: usize = 64;

/// What holds its own key.
pub(super) trait Keyed {
    type Key: Hash + Eq + ?Sized;

    fn key(&self) -> &Self::Key;
}

type Branch<V> = [Arc<Vec<V>>; FAN];

/// See the module.
#[derive(Debug, Clone)]
pub(super) struct CowMap<V> {
    /// Keys come from peers, who must not choose where they land.
    hasher: RandomState,
    len: usize,
    branches: [Arc<Branch<V>>; FAN],
}

impl<V> Default for CowMap<V> {
    fn default() -> Self {
        let leaf = Arc::new(Vec::new());
        let branch = Arc::new(std::array::from_fn(|_| Arc::clone(&leaf)));
        Self { hasher: RandomState::new(), len: 0, branches: std::array::from_fn(|_| Arc::clone(&branch)) }
    }
}

impl<V: Keyed + Clone> CowMap<V> {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn get(&self, key: &V::Key) -> Option<&V> {
        let (branch, leaf) = self.place(key);
        self.branches[branch][leaf].iter().find(|value| value.key() == key)
    }

    /// Puts a value in the place of any other of its key.
    pub(super) fn insert(&mut self, value: V) {
        let leaf = self.leaf_mut(value.key());
        match leaf.iter_mut().find(|known| known.key() == value.key()) {
            Some(known) => *known = value,
            None => {
                leaf.push(value);
                self.len += 1;
            }
        }
    }

    pub(super) fn remove(&mut self, key: &V::Key) -> Option<V> {
        // Looked for first: a leaf without the key need not be copied.
        self.get(key)?;
        let leaf = self.leaf_mut(key);
        let place = leaf.iter().position(|value| value.key() == key)?;
        let removed = leaf.swap_remove(place);
        self.len -= 1;
        Some(removed)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &V> {
        self.branches.iter().flat_map(|branch| branch.iter()).flat_map(|leaf| leaf.iter())
    }

    fn leaf_mut(&mut self, key: &V::Key) -> &mut Vec<V> {
        let (branch, leaf) = self.place(key);
        Arc::make_mut(&mut Arc::make_mut(&mut self.branches[branch])[leaf])
    }

    #[expect(clippy::cast_possible_truncation, reason = "only the lowest bits are wanted")]
    fn place(&self, key: &V::Key) -> (usize, usize) {
        let hash = self.hasher.hash_one(key) as usize;
        (hash % FAN, hash / FAN % FAN)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    impl Keyed for (u32, u32) {
        type Key = u32;

        fn key(&self) -> &u32 {
            &self.0
        }
    }

    fn all(map: &CowMap<(u32, u32)>) -> BTreeMap<u32, u32> {
        map.iter().copied().collect()
    }

    #[test]
    fn it_is_a_map() {
        let (mut map, mut oracle) = (CowMap::default(), BTreeMap::new());
        for step in 0..20_000_u32 {
            // Keys that come again, some to be put anew and some to be taken out.
            let key = step.wrapping_mul(2_654_435_761) % 3000;
            if step % 3 == 0 {
                assert_eq!(map.remove(&key).map(|(_, value)| value), oracle.remove(&key));
            } else {
                map.insert((key, step));
                oracle.insert(key, step);
            }
            assert_eq!(map.get(&key).map(|(_, value)| value), oracle.get(&key));
        }
        assert_eq!((map.len(), all(&map)), (oracle.len(), oracle));
    }

    #[test]
    fn a_copy_keeps_what_it_had() {
        let mut map = CowMap::default();
        (0..500).for_each(|key| map.insert((key, 1)));
        let copy = map.clone();
        (0..500).for_each(|key| map.insert((key, 2)));
        map.remove(&7);
        assert!(all(&copy).values().all(|value| *value == 1));
        assert_eq!((copy.len(), map.len(), map.get(&7)), (500, 499, None));
    }
}
