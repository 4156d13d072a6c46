//! What is remembered of models that a peer no longer serves, and of peers that left.
//!
//! Whoever leaves and comes back under the same id finds its record again: otherwise a node that fails could wash it away
//! by dialling anew. Only records with something in them are kept, so that a crowd of peers that never served anything
//! cannot push others' records out.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use libp2p::PeerId;

use super::Health;
use super::arena::Place;

/// Peers remembered; the one that left first is forgotten first.
const MAX_PEERS: usize = 16_384;
/// Models remembered of a peer.
const MAX_MODELS: usize = 64;

/// What is remembered of one peer.
#[derive(Debug)]
struct Record {
    /// Which of the times that it left.
    departure: u64,
    models: Vec<(Arc<str>, Place<Health>)>,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Departed {
    peers: HashMap<PeerId, Record>,
    /// The longest gone first. Those that came back since are still in it, with a departure that is past.
    order: VecDeque<(PeerId, u64)>,
    departures: u64,
}

impl Departed {
    pub(super) fn keep(&mut self, peer: PeerId, model: &Arc<str>, health: &Place<Health>) {
        if !health.is_worth_keeping() {
            return;
        }
        if !self.peers.contains_key(&peer) {
            self.make_room();
            self.departures += 1;
            self.order.push_back((peer, self.departures));
            self.peers.insert(peer, Record { departure: self.departures, models: Vec::new() });
        }
        let Some(record) = self.peers.get_mut(&peer) else { return };
        record.models.retain(|(known, _)| known != model);
        if record.models.len() < MAX_MODELS {
            record.models.push((Arc::clone(model), health.clone()));
        }
    }

    /// The record of this peer with this model, which is now somewhere else.
    pub(super) fn take(&mut self, peer: PeerId, model: &str) -> Option<Place<Health>> {
        let record = self.peers.get_mut(&peer)?;
        let place = record.models.iter().position(|(known, _)| &**known == model)?;
        let (_, health) = record.models.swap_remove(place);
        if record.models.is_empty() {
            self.peers.remove(&peer);
        }
        Some(health)
    }

    fn make_room(&mut self) {
        while self.peers.len() >= MAX_PEERS || self.order.len() >= 2 * MAX_PEERS {
            let Some((oldest, departure)) = self.order.pop_front() else { return };
            if self.peers.get(&oldest).is_some_and(|record| record.departure == departure) {
                self.peers.remove(&oldest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::arena::Arena;
    use super::*;

    fn served(arena: &Arena<Health>) -> Place<Health> {
        let health = arena.take("m");
        health.served();
        health
    }

    #[test]
    fn a_record_is_found_again_once() {
        let (mut departed, peer, health) = (Departed::default(), PeerId::random(), served(&Arena::default()));
        departed.keep(peer, &"m".into(), &health);
        assert!(departed.take(PeerId::random(), "m").is_none());
        assert!(departed.take(peer, "other").is_none());
        assert!(std::ptr::eq(&raw const *departed.take(peer, "m").unwrap(), &raw const *health));
        assert!(departed.take(peer, "m").is_none());
    }

    #[test]
    fn memory_is_bounded_and_crowds_that_did_nothing_take_none_of_it() {
        let (mut departed, first, model) = (Departed::default(), PeerId::random(), Arc::from("m"));
        let arena = Arena::default();
        departed.keep(first, &model, &served(&arena));
        for _ in 0..2 * MAX_PEERS {
            departed.keep(PeerId::random(), &model, &arena.take("m"));
        }
        assert_eq!(departed.peers.len(), 1);
        for _ in 0..MAX_PEERS {
            departed.keep(PeerId::random(), &model, &served(&arena));
        }
        assert!(departed.take(first, "m").is_none(), "who left first is forgotten first");
        assert_eq!(departed.peers.len(), MAX_PEERS);
        let busy = PeerId::random();
        for _ in 0..5 * MAX_PEERS {
            departed.keep(busy, &model, &served(&arena));
            departed.take(busy, "m").unwrap();
        }
        assert!(departed.order.len() <= 2 * MAX_PEERS, "{}", departed.order.len());
    }
}
