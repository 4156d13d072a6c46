//! What the next snapshot is made from: every session that stands for a node, and what is remembered of who left.
//!
//! A node may be told of more than once: it reconnects before its old connection is known to be dead, or it is connected
//! here and to other gateways too. One of its sessions counts, and the others wait for that one to end.

use std::collections::HashMap;
use std::sync::Arc;

use libp2p::PeerId;

use super::arena::Place;
use super::departed::Departed;
use super::intern::Interner;
use super::snapshot::{Entry, Snapshot};
use super::{Candidate, DirectoryFull, Listing, Node, NodeStats};
use crate::offer::Offer;

/// Sessions of one node that are its own: it comes back before its old connection is known to be dead.
const MOST_OWN: usize = 8;
/// Sessions of one node that other gateways tell of.
const MOST_TOLD: usize = 64;

#[derive(Debug, Default)]
pub(super) struct Books {
    /// As published last, but for the change that is being made.
    pub(super) next: Snapshot,
    interner: Interner,
    departed: Departed,
    /// Sessions of nodes for which another one counts.
    waiting: HashMap<PeerId, Vec<Entry>>,
}

/// What came of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// The next snapshot differs.
    Seen,
    /// It is of a session that waits.
    Unseen,
    /// Nothing is new.
    None,
}

/// A session that begins.
pub(super) struct Session {
    pub(super) peer: PeerId,
    pub(super) number: u64,
    pub(super) via: Option<Arc<PeerId>>,
    pub(super) stats: Place<NodeStats>,
}

impl Books {
    /// Whether another session of this node may begin.
    pub(super) fn check_room(&self, peer: PeerId, is_told: bool) -> Result<(), DirectoryFull> {
        let waiting = self.waiting.get(&peer).into_iter().flatten();
        let sessions = self.next.entry(peer).into_iter().chain(waiting);
        let alike = sessions.filter(|entry| entry.node().via().is_some() == is_told).count();
        let most = if is_told { MOST_TOLD } else { MOST_OWN };
        if alike < most { Ok(()) } else { Err(DirectoryFull::Sessions(most)) }
    }

    /// Takes a session in.
    pub(super) fn enter(&mut self, session: Session, offer: &Offer) -> Change {
        let Session { peer, number, via, stats } = session;
        let node = Arc::new(Node::new(peer, number, via, offer, stats, &mut self.interner));
        let entry = self.entry(node, offer);
        let Some(current) = self.next.entry(peer).cloned() else {
            self.next.put(entry);
            return Change::Seen;
        };
        if counts_before(&current, &entry) {
            self.waiting.entry(peer).or_default().push(entry);
            return Change::Unseen;
        }
        self.waiting.entry(peer).or_default().push(current);
        self.next.put(entry);
        Change::Seen
    }

    /// Takes a newer offer of a session.
    pub(super) fn amend(&mut self, peer: PeerId, number: u64, offer: &Offer) -> Change {
        let Some((before, is_waiting)) = self.find(peer, number) else { return Change::None };
        let same_node = before.node().is(offer);
        let same_models = before.seats().len() == offer.models.len()
            && before.seats().iter().zip(&offer.models).all(|(seat, model)| seat.offer().is(model));
        if same_node && same_models {
            return Change::None;
        }
        let node = if same_node {
            Arc::clone(before.node())
        } else {
            Arc::new(before.node().offering(offer, &mut self.interner))
        };
        let entry = self.entry(node, offer);
        if is_waiting {
            let sessions = self.waiting.get_mut(&peer).into_iter().flatten();
            sessions.filter(|other| other.node().session() == number).for_each(|place| *place = entry.clone());
        } else {
            self.next.put(entry);
        }
        self.remember(&before);
        if is_waiting { Change::Unseen } else { Change::Seen }
    }

    /// Takes a session's node out of routing, which its numbers say already.
    pub(super) fn drain(&mut self, peer: PeerId, number: u64) -> Change {
        match self.find(peer, number) {
            Some((entry, false)) => {
                self.next.put(entry);
                Change::Seen
            }
            Some((_, true)) => Change::Unseen,
            None => Change::None,
        }
    }

    /// Ends a session. Where another stands for the same node, that one counts from now on.
    pub(super) fn leave(&mut self, peer: PeerId, number: u64) -> Change {
        let Some((entry, is_waiting)) = self.find(peer, number) else { return Change::None };
        if is_waiting {
            self.stop_waiting(peer, number);
        } else {
            let waiting = self.waiting.get(&peer).into_iter().flatten();
            match waiting.max_by_key(|other| precedence(other)).cloned() {
                Some(heir) => {
                    self.stop_waiting(peer, heir.node().session());
                    self.next.put(heir);
                }
                None => drop(self.next.remove(peer)),
            }
        }
        self.remember(&entry);
        if is_waiting { Change::Unseen } else { Change::Seen }
    }

    fn stop_waiting(&mut self, peer: PeerId, number: u64) {
        if let Some(sessions) = self.waiting.get_mut(&peer) {
            sessions.retain(|other| other.node().session() != number);
            if sessions.is_empty() {
                self.waiting.remove(&peer);
            }
        }
    }

    /// A session, and whether it waits.
    fn find(&self, peer: PeerId, number: u64) -> Option<(Entry, bool)> {
        let is_it = |entry: &&Entry| entry.node().session() == number;
        if let Some(entry) = self.next.entry(peer).filter(is_it) {
            return Some((entry.clone(), false));
        }
        self.waiting.get(&peer)?.iter().find(is_it).map(|entry| (entry.clone(), true))
    }

    /// A node with what it offers. Records are kept by peer and model, whatever the session.
    fn entry(&mut self, node: Arc<Node>, offer: &Offer) -> Entry {
        let peer = node.peer_id();
        let mut seats = Vec::with_capacity(offer.models.len());
        for model in &offer.models {
            let health = self.seat(peer, &model.id).map(|seat| seat.shared_health().clone());
            let health = health.or_else(|| self.departed.take(peer, &model.id));
            let health = health.unwrap_or_else(|| self.next.places().health.take(&model.id));
            seats.push(Candidate::new(&node, Listing::of(model, offer.slots, &mut self.interner), health));
        }
        Entry::new(node, seats)
    }

    /// What a node sells of a model, in whichever of its sessions. All of them share one record of it.
    fn seat(&self, peer: PeerId, model: &str) -> Option<&Candidate> {
        let waiting = self.waiting.get(&peer).into_iter().flatten();
        let mut seats = self.next.entry(peer).into_iter().chain(waiting).flat_map(Entry::seats);
        seats.find(|seat| *seat.offer().id == *model)
    }

    /// Remembers the records of what was sold, and is in none of the node's sessions any more.
    fn remember(&mut self, before: &Entry) {
        let peer = before.node().peer_id();
        for seat in before.seats() {
            let model = &seat.offer().id;
            if self.seat(peer, model).is_none() {
                self.departed.keep(peer, model, seat.shared_health());
            }
        }
    }

    /// Whether no session waits.
    #[cfg(test)]
    pub(super) fn none_waits(&self) -> bool {
        self.waiting.is_empty()
    }
}

/// A node's own connection counts before what other gateways tell, and of two alike the newer.
fn precedence(entry: &Entry) -> (bool, u64) {
    (entry.node().via().is_none(), entry.node().session())
}

fn counts_before(entry: &Entry, other: &Entry) -> bool {
    precedence(entry) > precedence(other)
}

#[cfg(test)]
mod tests {
    use libp2p::PeerId;

    use super::super::{Directory, Registration};
    use super::*;
    use crate::offer::tests::offer;

    fn both() -> Offer {
        let mut both = offer("m", 5);
        both.models.extend(offer("n", 5).models);
        both
    }

    fn failures(directory: &Directory, model: &str) -> Option<u32> {
        directory.snapshot().candidates(model).iter().next().map(|node| node.health().failures())
    }

    fn remembered(directory: &Directory, peer: PeerId, model: &str) -> bool {
        let mut books = directory.0.books.lock();
        let taken = books.departed.take(peer, model);
        taken.inspect(|health| books.departed.keep(peer, &model.into(), health)).is_some()
    }

    /// A node that failed with `n` and left, and is back for `m`.
    fn back_for_m(directory: &Directory, peer: PeerId) -> Registration {
        let first = directory.register(peer, both()).unwrap();
        directory.snapshot().candidates("n")[0].health().failed();
        drop(first);
        directory.register(peer, offer("m", 5)).unwrap()
    }

    #[test]
    fn a_session_that_waits_and_ends_washes_no_record_away() {
        let (directory, peer, gateway) = (Directory::new(10), PeerId::random(), Arc::new(PeerId::random()));
        let mut own = back_for_m(&directory, peer);
        let told = directory.register_via(peer, &both(), &gateway).unwrap();
        assert_eq!(failures(&directory, "n"), None);
        drop(told);
        own.update(both());
        assert_eq!(failures(&directory, "n"), Some(1));
    }

    #[test]
    fn sessions_of_one_node_are_bounded_and_those_told_of_keep_none_of_its_own_out() {
        let (directory, peer, gateway) = (Directory::new(10), PeerId::random(), Arc::new(PeerId::random()));
        let mut told: Vec<_> =
            (0..MOST_TOLD).map(|_| directory.register_via(peer, &both(), &gateway).unwrap()).collect();
        let one_more = directory.register_via(peer, &both(), &gateway).map(|_| ());
        assert_eq!(one_more, Err(DirectoryFull::Sessions(MOST_TOLD)));
        let own: Vec<_> = (0..MOST_OWN).map(|_| directory.register(peer, both()).unwrap()).collect();
        let one_more = directory.register(peer, both()).map(|_| ());
        assert_eq!(one_more, Err(DirectoryFull::Sessions(MOST_OWN)));
        drop(own);
        told.pop();
        assert!(directory.register_via(peer, &both(), &gateway).is_ok());
        assert!(directory.register_via(PeerId::random(), &both(), &gateway).is_ok(), "others are none of it");
    }

    #[test]
    fn a_session_that_waits_and_changes_its_offer_washes_no_record_away() {
        let (directory, peer, gateway) = (Directory::new(10), PeerId::random(), Arc::new(PeerId::random()));
        let mut own = back_for_m(&directory, peer);
        let mut told = directory.register_via(peer, &both(), &gateway).unwrap();
        told.update(offer("m", 6));
        own.update(both());
        assert_eq!(failures(&directory, "n"), Some(1));
    }

    #[test]
    fn a_record_is_remembered_when_the_last_session_with_it_is_gone() {
        let (directory, peer, gateway) = (Directory::new(10), PeerId::random(), Arc::new(PeerId::random()));
        let mut own = back_for_m(&directory, peer);
        assert!(remembered(&directory, peer, "n"));
        let told = directory.register_via(peer, &both(), &gateway).unwrap();
        own.update(both());
        assert_eq!(failures(&directory, "n"), Some(1), "the record is that of the session that waits");
        own.update(offer("m", 5));
        assert!(!remembered(&directory, peer, "n"), "a session that waits has it");
        drop(own);
        assert_eq!(failures(&directory, "n"), Some(1), "the heir has it");
        drop(told);
        assert!(remembered(&directory, peer, "n"));
    }
}
