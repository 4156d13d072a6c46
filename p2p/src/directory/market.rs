//! Who serves one model.
//!
//! A list in chunks, ordered by session: a newcomer goes to the end, who changes its offer keeps its place, and a change
//! copies one chunk and the list of chunks. One flat list was tried; with a thousand sellers each change of a price copied
//! a thousand pointers and touched as many counters.

use std::ops::Index;
use std::slice;
use std::sync::Arc;

use super::Candidate;
use super::cow_map::Keyed;
use super::row::{Rows, Terms};
use super::snapshot::Places;

/// Candidates of a chunk, at most: two kilobytes are copied for each change.
const CHUNK: usize = 32;

type Chunk = Arc<Vec<Listed>>;

/// A candidate in the list, with its terms at hand.
#[derive(Debug, Clone)]
pub(super) struct Listed {
    pub(super) candidate: Candidate,
    pub(super) terms: Terms,
}

impl Listed {
    fn session(&self) -> u64 {
        self.candidate.session()
    }
}

/// The chunk, which no snapshot has, with room for so many more and not for twice as many.
fn own(chunk: &mut Chunk, more: usize) -> &mut Vec<Listed> {
    if Arc::get_mut(chunk).is_none() {
        let mut copy = Vec::with_capacity(chunk.len() + more);
        copy.extend(chunk.iter().cloned());
        *chunk = Arc::new(copy);
    }
    let own = Arc::make_mut(chunk);
    own.reserve_exact(more);
    own
}

/// The sellers of one model.
#[derive(Debug, Clone)]
pub(super) struct Market {
    model: Arc<str>,
    len: usize,
    /// None of them empty.
    chunks: Vec<Chunk>,
}

impl Keyed for Arc<Market> {
    type Key = str;

    fn key(&self) -> &str {
        &self.model
    }
}

impl Market {
    pub(super) fn new(model: Arc<str>) -> Self {
        Self { model, len: 0, chunks: Vec::new() }
    }

    pub(super) fn model(&self) -> &str {
        &self.model
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Puts a candidate in the place of any other of its session.
    pub(super) fn put(&mut self, candidate: Candidate) {
        let session = candidate.session();
        let listed = Listed { terms: Terms::of(&candidate), candidate };
        let Some(place) = self.chunk_of(session) else {
            self.chunks.push(Arc::new(vec![listed]));
            self.len += 1;
            return;
        };
        match self.chunks[place].binary_search_by_key(&session, Listed::session) {
            Ok(known) => {
                own(&mut self.chunks[place], 0)[known] = listed;
                return;
            }
            Err(gap) => own(&mut self.chunks[place], 1).insert(gap, listed),
        }
        self.len += 1;
        if self.chunks[place].len() > CHUNK {
            // At the end everybody arrives: a chunk that is left full there wastes nothing.
            let at = if place + 1 == self.chunks.len() { CHUNK } else { CHUNK / 2 };
            let rest = own(&mut self.chunks[place], 0).split_off(at);
            self.chunks.insert(place + 1, Arc::new(rest));
        }
    }

    pub(super) fn remove(&mut self, session: u64) {
        let Some(place) = self.chunk_of(session) else { return };
        let Ok(known) = self.chunks[place].binary_search_by_key(&session, Listed::session) else { return };
        own(&mut self.chunks[place], 0).remove(known);
        self.len -= 1;
        self.join(place);
    }

    /// The only chunk in which this session can be.
    fn chunk_of(&self, session: u64) -> Option<usize> {
        let begins_after = |chunk: &Chunk| chunk.first().is_some_and(|first| first.session() <= session);
        let after = self.chunks.partition_point(begins_after);
        if self.chunks.is_empty() { None } else { Some(after.saturating_sub(1)) }
    }

    /// Joins a chunk that has become small to the one before it, so that there are never many of them.
    fn join(&mut self, place: usize) {
        let small = self.chunks[place].len();
        if small == 0 {
            self.chunks.remove(place);
        } else if let Some(before) = place.checked_sub(1)
            && small + self.chunks[before].len() <= CHUNK / 2
        {
            let joined = self.chunks.remove(place);
            own(&mut self.chunks[before], small).extend(joined.iter().cloned());
        }
    }
}

/// The sellers of a model at one moment, in no meaningful order.
#[derive(Debug, Clone, Copy)]
pub struct Candidates<'a> {
    chunks: &'a [Chunk],
    places: &'a Places,
}

/// One after the other. Knows how many are left, so that who gathers them needs room once.
#[derive(Debug, Clone)]
pub(super) struct ListedIter<'a> {
    chunks: slice::Iter<'a, Chunk>,
    chunk: slice::Iter<'a, Listed>,
    left: usize,
}

impl<'a> ListedIter<'a> {
    fn of(chunks: &'a [Chunk]) -> Self {
        let left = chunks.iter().map(|chunk| chunk.len()).sum();
        Self { chunks: chunks.iter(), chunk: [].iter(), left }
    }
}

impl<'a> Iterator for ListedIter<'a> {
    type Item = &'a Listed;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(listed) = self.chunk.next() {
                self.left -= 1;
                return Some(listed);
            }
            self.chunk = self.chunks.next()?.iter();
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

/// See [`Candidates::iter`].
#[derive(Debug, Clone)]
pub struct CandidatesIter<'a>(ListedIter<'a>);

impl<'a> Iterator for CandidatesIter<'a> {
    type Item = &'a Candidate;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|listed| &listed.candidate)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl ExactSizeIterator for CandidatesIter<'_> {}

impl std::iter::FusedIterator for CandidatesIter<'_> {}

impl<'a> Candidates<'a> {
    pub(super) fn of(market: Option<&'a Arc<Market>>, places: &'a Places) -> Self {
        Self { chunks: market.map_or(&[], |market| &market.chunks), places }
    }

    /// One after the other.
    pub fn iter(&self) -> CandidatesIter<'a> {
        CandidatesIter(ListedIter::of(self.chunks))
    }

    /// One after the other, with what a choice reads of each.
    #[must_use]
    pub fn rows(&self) -> Rows<'a> {
        Rows::new(ListedIter::of(self.chunks), self.places)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.len()).sum()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }
}

impl<'a> IntoIterator for Candidates<'a> {
    type Item = &'a Candidate;
    type IntoIter = CandidatesIter<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl Index<usize> for Candidates<'_> {
    type Output = Candidate;

    /// # Panics
    /// Where there are not so many, as slices do.
    fn index(&self, place: usize) -> &Candidate {
        self.iter().nth(place).expect("a place past the last candidate was asked for")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use libp2p::PeerId;

    use super::*;
    use crate::offer::tests::offer;

    fn sessions(market: &Market) -> Vec<u64> {
        ListedIter::of(&market.chunks).map(Listed::session).collect()
    }

    #[test]
    fn sellers_come_and_go_and_none_is_lost() {
        let any = Candidate::detached(PeerId::random(), offer("m", 5), "m").unwrap();
        let (mut market, mut oracle) = (Market::new("m".into()), BTreeSet::new());
        for step in 0..5000_u64 {
            let session = if step < 500 { step } else { step.wrapping_mul(2_654_435_761) % 700 };
            if step > 500 && step % 2 == 0 {
                market.remove(session);
                oracle.remove(&session);
            } else {
                market.put(any.in_session(session));
                oracle.insert(session);
            }
            assert_eq!(market.len, oracle.len());
        }
        assert_eq!(sessions(&market), oracle.iter().copied().collect::<Vec<_>>());
        assert!(market.chunks.iter().all(|chunk| !chunk.is_empty() && chunk.len() <= CHUNK));
        assert!(market.chunks.len() <= 4 * oracle.len().div_ceil(CHUNK), "{} chunks", market.chunks.len());
        oracle.iter().for_each(|session| market.remove(*session));
        assert!(market.is_empty() && market.chunks.is_empty());
    }

    #[test]
    fn a_copy_keeps_what_it_had() {
        let any = Candidate::detached(PeerId::random(), offer("m", 5), "m").unwrap();
        let mut market = Market::new("m".into());
        (0..100).for_each(|session| market.put(any.in_session(session)));
        let copy = market.clone();
        (0..100).step_by(2).for_each(|session| market.remove(session));
        assert_eq!((sessions(&copy).len(), sessions(&market).len()), (100, 50));
        let mut half = CandidatesIter(ListedIter::of(&market.chunks));
        assert_eq!((half.len(), half.by_ref().take(20).count(), half.len()), (50, 20, 30));
    }
}
