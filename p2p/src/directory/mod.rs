//! The gateway's live view of its nodes.
//!
//! Every request reads it, while nodes report their load several times a second. So it is split by how often things
//! change: who is there and what it asks is an immutable [`Snapshot`], replaced as a whole when an advert, an arrival or
//! a departure changes it; load and health are atomics that all snapshots share. A lock around one big map was rejected:
//! each load report would stop every request.

mod candidate;
mod registration;
mod snapshot;
mod stats;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use libp2p::PeerId;
use parking_lot::Mutex;
use tokio::sync::watch;

pub use candidate::{Candidate, Node};
pub(crate) use registration::Registration;
pub use snapshot::Snapshot;
pub use stats::NodeStats;

use crate::clock;
use crate::offer::Offer;

/// The directory has as many nodes as it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the gateway has no room for another node; it takes {0}")]
pub(crate) struct DirectoryFull(usize);

/// Who is there, what it offers and how it does. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Directory(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    max_nodes: usize,
    snapshot: ArcSwap<Snapshot>,
    /// Every session that stands for a node; see [`best`]. Serialises changes; readers never take it.
    standing: Mutex<HashMap<PeerId, Vec<Arc<Node>>>>,
    version: watch::Sender<u64>,
    sessions: AtomicU64,
}

impl Directory {
    pub(crate) fn new(max_nodes: usize) -> Self {
        Self(Arc::new(Inner {
            max_nodes,
            snapshot: ArcSwap::default(),
            standing: Mutex::default(),
            version: watch::Sender::new(0),
            sessions: AtomicU64::new(0),
        }))
    }

    /// The view of this moment. It does not change; the numbers in its nodes' [`NodeStats`] do.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.0.snapshot.load_full()
    }

    /// The version of the newest snapshot, to wait for the next one.
    #[must_use]
    pub fn versions(&self) -> watch::Receiver<u64> {
        self.0.version.subscribe()
    }

    /// Milliseconds on the clock that failures are stamped with. It starts with the process and never goes back.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        clock::now_ms()
    }

    /// Takes a node in. It leaves when the registration is dropped.
    pub(crate) fn register(&self, peer: PeerId, offer: Offer) -> Result<Registration, DirectoryFull> {
        self.register_as(peer, offer, None)
    }

    /// Takes a node in that is reached through another gateway. It counts while no session of its own is here.
    pub(crate) fn register_via(
        &self,
        peer: PeerId,
        offer: Offer,
        gateway: PeerId,
    ) -> Result<Registration, DirectoryFull> {
        self.register_as(peer, offer, Some(gateway))
    }

    fn register_as(&self, peer: PeerId, offer: Offer, via: Option<PeerId>) -> Result<Registration, DirectoryFull> {
        let session = self.0.sessions.fetch_add(1, Ordering::Relaxed);
        let node = Node::new(peer, session, Arc::new(offer), Arc::new(NodeStats::new()));
        let node = Arc::new(node.reached_via(via));
        {
            let mut standing = self.0.standing.lock();
            let snapshot = self.snapshot();
            if snapshot.node(peer).is_none() && snapshot.len() >= self.0.max_nodes {
                return Err(DirectoryFull(self.0.max_nodes));
            }
            let sessions = standing.entry(peer).or_default();
            sessions.push(node.clone());
            if best(sessions).is_some_and(|best| best.session() == session) {
                self.publish(snapshot.with(node.clone()));
            }
        }
        Ok(Registration::new(self.clone(), node))
    }

    /// Puts a node in the place of an earlier one of the same session.
    fn replace(&self, node: Arc<Node>) {
        let mut standing = self.0.standing.lock();
        let Some(sessions) = standing.get_mut(&node.peer_id()) else { return };
        if let Some(place) = sessions.iter_mut().find(|other| other.session() == node.session()) {
            *place = node.clone();
        }
        if best(sessions).is_some_and(|best| best.session() == node.session()) {
            self.publish(self.snapshot().with(node));
        }
    }

    /// Ends a session. Where another stands for the same node, that one counts from now on.
    fn remove(&self, peer: PeerId, session: u64) {
        let mut standing = self.0.standing.lock();
        let Some(sessions) = standing.get_mut(&peer) else { return };
        sessions.retain(|node| node.session() != session);
        let next = best(sessions).cloned();
        if next.is_none() {
            standing.remove(&peer);
        }
        let snapshot = self.snapshot();
        if snapshot.node(peer).is_some_and(|current| current.session() == session) {
            self.publish(match next {
                Some(node) => snapshot.with(node),
                None => snapshot.without(peer),
            });
        }
    }

    fn publish(&self, snapshot: Snapshot) {
        let version = snapshot.version();
        self.0.snapshot.store(Arc::new(snapshot));
        self.0.version.send_replace(version);
    }
}

/// The session that counts: the node's own before what other gateways tell of it, the newest of either.
fn best(sessions: &[Arc<Node>]) -> Option<&Arc<Node>> {
    sessions.iter().max_by_key(|node| (node.via().is_none(), node.session()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::offer::tests::offer;

    fn peers_of(directory: &Directory, model: &str) -> Vec<PeerId> {
        directory.snapshot().candidates(model).iter().map(Candidate::peer_id).collect()
    }

    #[test]
    fn a_node_is_there_as_long_as_its_registration() {
        let directory = Directory::new(10);
        let peer = PeerId::random();
        let before = directory.snapshot();
        let registration = directory.register(peer, offer("m", 5)).unwrap();
        assert_eq!(peers_of(&directory, "m"), [peer]);
        assert_eq!(directory.snapshot().candidates("m")[0].offer().ask.input, 5);
        assert!(peers_of(&directory, "other").is_empty());
        let held = directory.snapshot();
        drop(registration);
        assert!(directory.snapshot().is_empty());
        assert!(directory.snapshot().models().next().is_none());
        assert!(!held.candidates("m")[0].stats().is_healthy(directory.now_ms()), "who left is not healthy");
        assert!(before.is_empty(), "a snapshot must not change");
    }

    #[test]
    fn a_new_offer_takes_the_place_of_the_old_one_and_keeps_the_numbers() {
        let directory = Directory::new(10);
        let (peer, other) = (PeerId::random(), PeerId::random());
        let mut registration = directory.register(peer, offer("m", 5)).unwrap();
        let _other = directory.register(other, offer("m", 6)).unwrap();
        registration.stats().begin();
        let mut two = offer("m", 9);
        two.models.extend(offer("n", 7).models);
        assert!(registration.update(two));
        assert_eq!(peers_of(&directory, "m"), [other, peer]);
        assert_eq!(peers_of(&directory, "n"), [peer]);
        assert_eq!(directory.snapshot().candidates("n")[0].stats().occupied(), 1);
        assert!(registration.update(offer("n", 7)));
        assert_eq!(peers_of(&directory, "m"), [other]);
    }

    #[test]
    fn the_same_offer_and_load_make_no_new_snapshot() {
        let directory = Directory::new(10);
        let mut registration = directory.register(PeerId::random(), offer("m", 5)).unwrap();
        let version = directory.snapshot().version();
        assert!(!registration.update(offer("m", 5)));
        registration.stats().report(&crate::Load { running: 3, ..crate::Load::default() });
        assert_eq!(directory.snapshot().version(), version);
        assert_eq!(directory.snapshot().candidates("m")[0].stats().occupied(), 3);
    }

    #[test]
    fn a_draining_node_is_known_and_not_routed_to() {
        let directory = Directory::new(10);
        let peer = PeerId::random();
        let mut registration = directory.register(peer, offer("m", 5)).unwrap();
        registration.drain();
        assert!(peers_of(&directory, "m").is_empty());
        assert!(directory.snapshot().node(peer).unwrap().stats().is_draining());
        registration.update(offer("m", 4));
        assert!(peers_of(&directory, "m").is_empty(), "a later advert must not undo it");
    }

    #[test]
    fn the_bound_counts_peers() {
        let directory = Directory::new(1);
        let peer = PeerId::random();
        let first = directory.register(peer, offer("m", 5)).unwrap();
        assert!(directory.register(PeerId::random(), offer("m", 5)).is_err());
        let second = directory.register(peer, offer("m", 6)).unwrap();
        drop(first);
        assert_eq!(peers_of(&directory, "m"), [peer], "the older session took the newer one with it");
        drop(second);
        assert!(directory.register(PeerId::random(), offer("m", 5)).is_ok());
    }

    #[test]
    fn a_nodes_own_session_wins_over_what_other_gateways_tell() {
        let directory = Directory::new(10);
        let (peer, first, second) = (PeerId::random(), PeerId::random(), PeerId::random());
        let seen = || directory.snapshot().node(peer).map(|node| (node.via(), node.offer().models[0].ask.input));
        let mut told = directory.register_via(peer, offer("m", 1), first).unwrap();
        assert_eq!(seen(), Some((Some(first), 1)));
        let own = directory.register(peer, offer("m", 2)).unwrap();
        assert_eq!(seen(), Some((None, 2)));
        let told_again = directory.register_via(peer, offer("m", 3), second).unwrap();
        told.update(offer("m", 4));
        told.drain();
        assert_eq!(seen(), Some((None, 2)), "its own session is here");
        assert_eq!(peers_of(&directory, "m"), [peer]);
        drop(own);
        assert_eq!(seen(), Some((Some(second), 3)));
        drop(told_again);
        assert_eq!(seen(), Some((Some(first), 4)), "what was told meanwhile counts");
        assert!(peers_of(&directory, "m").is_empty(), "it drains");
        drop(told);
        assert_eq!(seen(), None);
        assert!(directory.0.standing.lock().is_empty());
    }

    #[tokio::test]
    async fn waiters_are_told_of_changes() {
        let directory = Directory::new(10);
        let mut versions = directory.versions();
        let registration = directory.register(PeerId::random(), offer("m", 5)).unwrap();
        versions.changed().await.unwrap();
        assert_eq!(*versions.borrow_and_update(), directory.snapshot().version());
        drop(registration);
        assert!(versions.has_changed().unwrap());
    }
}
