//! What a choice reads of a candidate, close at hand.
//!
//! Every request looks at every seller of its model. Behind their pointers that is five hundred times a wait for memory,
//! so the terms of all of them stand in rows, one after the other, which the processor fetches before they are asked for;
//! and load and record are found by their numbers. Only who is picked is looked up behind its pointer.

use libp2p::PeerId;

use super::market::{Listed, ListedIter};
use super::snapshot::Places;
use super::{Candidate, Health, NodeStats};
use crate::offer::Ask;

/// The last bytes of a peer id: enough to tell that a node is another one, not enough to tell who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerTag(u32);

impl PeerTag {
    /// That of a peer.
    #[must_use]
    pub fn of(peer: &PeerId) -> Self {
        let digest = peer.as_ref().digest();
        Self(digest.last_chunk().map_or(0, |last| u32::from_le_bytes(*last)))
    }
}

/// What stands in a list of candidates beside each of them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms {
    ask: Ask,
    context_length: u32,
    slots: u32,
    stats: u32,
    health: u32,
    tag: PeerTag,
    abilities: usize,
}

impl Terms {
    pub(super) fn of(candidate: &Candidate) -> Self {
        let offer = candidate.offer();
        Self {
            ask: offer.ask,
            context_length: offer.context_length,
            slots: candidate.slots(),
            stats: candidate.shared_stats().number(),
            health: candidate.shared_health().number(),
            tag: PeerTag::of(candidate.node().peer()),
            abilities: offer.capabilities.as_ptr().addr(),
        }
    }
}

/// A candidate, and what is read of it for every choice.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    candidate: &'a Candidate,
    stats: &'a NodeStats,
    health: &'a Health,
    terms: Terms,
}

impl<'a> From<&'a Candidate> for Row<'a> {
    fn from(candidate: &'a Candidate) -> Self {
        Self { candidate, stats: candidate.stats(), health: candidate.health(), terms: Terms::of(candidate) }
    }
}

impl<'a> Row<'a> {
    /// All there is to know of it. To look there takes a wait for memory.
    #[must_use]
    #[inline]
    pub fn candidate(&self) -> &'a Candidate {
        self.candidate
    }

    /// What its tokens cost.
    #[must_use]
    #[inline]
    pub fn ask(&self) -> &Ask {
        &self.terms.ask
    }

    /// Tokens of prompt and answer together.
    #[must_use]
    #[inline]
    pub fn context_length(&self) -> u32 {
        self.terms.context_length
    }

    /// Requests that it runs at a time.
    #[must_use]
    #[inline]
    pub fn slots(&self) -> u32 {
        self.terms.slots
    }

    /// Whether it may be the peer of this tag. False: it is not.
    #[must_use]
    #[inline]
    pub fn may_be(&self, tag: PeerTag) -> bool {
        self.terms.tag == tag
    }

    /// Which list of capabilities it has: candidates of the same number have the same list, as long as they are there.
    #[must_use]
    #[inline]
    pub fn abilities(&self) -> usize {
        self.terms.abilities
    }

    /// How busy it is.
    #[must_use]
    #[inline]
    pub fn stats(&self) -> &'a NodeStats {
        self.stats
    }

    /// How it does with this model, as this gateway saw it.
    #[must_use]
    #[inline]
    pub fn health(&self) -> &'a Health {
        self.health
    }
}

/// The candidates of a model with what is read of them. See [`Candidates::rows`](super::Candidates::rows).
#[derive(Debug, Clone)]
pub struct Rows<'a> {
    listed: ListedIter<'a>,
    places: &'a Places,
}

impl<'a> Rows<'a> {
    pub(super) fn new(listed: ListedIter<'a>, places: &'a Places) -> Self {
        Self { listed, places }
    }
}

impl<'a> Iterator for Rows<'a> {
    type Item = Row<'a>;

    #[inline]
    fn next(&mut self) -> Option<Row<'a>> {
        let Listed { candidate, terms } = self.listed.next()?;
        let (stats, health) = (self.places.stats.at(terms.stats), self.places.health.at(terms.health));
        Some(Row { candidate, stats, health, terms: *terms })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.listed.size_hint()
    }
}

impl ExactSizeIterator for Rows<'_> {}

impl std::iter::FusedIterator for Rows<'_> {}

#[cfg(test)]
mod tests {
    use libp2p::PeerId;

    use super::super::{Directory, Registration};
    use super::*;
    use crate::offer::{Offer, tests::offer};

    fn both(input: i64) -> Offer {
        let mut both = offer("m", input);
        both.models.extend(offer("n", input + 1).models);
        both.slots = 1 + u32::try_from(input % 7).unwrap();
        both
    }

    /// Whether each row says what is found behind its candidate's pointer. Returns how many there are.
    fn rows_are_true(directory: &Directory, model: &str) -> usize {
        let snapshot = directory.snapshot();
        let candidates = snapshot.candidates(model);
        assert_eq!(candidates.rows().len(), candidates.len());
        for (row, candidate) in candidates.rows().zip(candidates.iter()) {
            let offer = candidate.offer();
            assert_eq!(row.candidate().peer_id(), candidate.peer_id());
            assert_eq!(
                (*row.ask(), row.context_length(), row.slots()),
                (offer.ask, offer.context_length, candidate.slots())
            );
            assert!(std::ptr::eq(row.stats(), candidate.stats()) && std::ptr::eq(row.health(), candidate.health()));
            assert_eq!(row.abilities(), Row::from(candidate).abilities());
            assert!(row.may_be(PeerTag::of(&candidate.peer_id())));
        }
        candidates.len()
    }

    #[test]
    fn a_row_says_what_its_candidate_does_whoever_comes_and_goes() {
        let directory = Directory::new(1000);
        let mut nodes: Vec<(PeerId, Registration)> = Vec::new();
        for step in 0..2000_usize {
            let (many, at) = (nodes.len(), step.wrapping_mul(2_654_435_761) % nodes.len().max(1));
            let input = i64::try_from(step).unwrap();
            match step % 5 {
                0 | 1 if many > 150 => drop(nodes.swap_remove(at)),
                2 if many > 0 => drop(nodes[at].1.update(both(input))),
                3 if many > 0 => drop(nodes[at].1.update(offer("n", input))),
                _ => {
                    let peer = PeerId::random();
                    nodes.push((peer, directory.register(peer, both(input)).unwrap()));
                }
            }
            if step % 50 == 0 {
                assert!(rows_are_true(&directory, "m") <= rows_are_true(&directory, "n"));
            }
        }
        assert_eq!(rows_are_true(&directory, "n"), nodes.len());
        nodes.clear();
        assert_eq!(rows_are_true(&directory, "n"), 0);
    }

    #[test]
    fn who_comes_where_another_was_has_nothing_of_it() {
        let directory = Directory::new(10);
        for _ in 0..50 {
            let node = directory.register(PeerId::random(), offer("m", 5)).unwrap();
            let snapshot = directory.snapshot();
            let row = snapshot.candidates("m").rows().next().unwrap();
            let (stats, health) = (row.stats(), row.health());
            assert_eq!((stats.occupied(), stats.ttft_ms(), stats.is_open()), (0, 0, true));
            assert_eq!((health.failures(), health.answers_served(), health.visits()), (0, 0, 0));
            assert_eq!((health.uptime_milli(), health.cache_share_milli()), (None, 1000));
            assert_eq!(
                (health.first_token_ms(directory.now_ms()), health.speed_milli(directory.now_ms())),
                (None, None)
            );
            node.stats().report(&crate::Load { running: 3, ttft_ms: 9, ..crate::Load::default() });
            stats.begin();
            health.began(std::time::Duration::from_millis(5));
            health.measured_speed(7);
            health.found_cached(10, 0);
            health.failed();
        }
    }
}
