//! The gateway's live view of its nodes.
//!
//! Every request reads it, while nodes report their load several times a second. So it is split by how often things
//! change: who is there and what it asks is an immutable [`Snapshot`], replaced when an advert, an arrival or a departure
//! changes it; load and health are atomics that all snapshots share. A lock around one big map was rejected: each load
//! report would stop every request.
//!
//! | file | idea |
//! | --- | --- |
//! | `snapshot`, `cow_map`, `market` | the view of one moment, cheap to make anew because it shares what did not change |
//! | `node`, `listing`, `candidate`, `intern` | a node and what it sells, small enough for a hundred thousand of them |
//! | `arena`, `row` | what a choice reads of each candidate, close at hand |
//! | `books` | every session that stands for a node, of which one counts |
//! | `stats` | how busy a node is, by its own word and this gateway's count |
//! | `health`, `breaker`, `measure` | how it does with one model, as measured here |
//! | `departed` | what is remembered of who left |

mod arena;
mod books;
mod breaker;
mod candidate;
mod cow_map;
mod departed;
mod health;
mod intern;
mod listing;
mod market;
mod measure;
mod node;
mod registration;
mod row;
mod snapshot;
mod stats;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use libp2p::PeerId;
use parking_lot::Mutex;
use tokio::sync::watch;

pub use breaker::Circuit;
pub use candidate::{Candidate, Visit};
pub use health::Health;
pub use listing::Listing;
pub use market::{Candidates, CandidatesIter};
pub use node::Node;
pub use registration::Registration;
pub use row::{PeerTag, Row, Rows};
pub use snapshot::Snapshot;
pub use stats::NodeStats;

use books::{Books, Change, Session};

use crate::clock;
use crate::offer::Offer;

/// The directory has as many as it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DirectoryFull {
    /// Nodes.
    #[error("the gateway has no room for another node; it takes {0}")]
    Nodes(usize),
    /// Sessions that stand for this node.
    #[error("this node is known {0} times over already; wait until its old connections have ended")]
    Sessions(usize),
}

/// Who is there, what it offers and how it does. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Directory(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    max_nodes: usize,
    snapshot: ArcSwap<Snapshot>,
    /// What makes the next snapshot. Readers never take it.
    books: Mutex<Books>,
    version: watch::Sender<u64>,
    sessions: AtomicU64,
}

impl Directory {
    /// An empty directory that takes so many nodes. A gateway has one already; others are filled by hand.
    #[must_use]
    pub fn new(max_nodes: usize) -> Self {
        Self(Arc::new(Inner {
            max_nodes,
            snapshot: ArcSwap::default(),
            books: Mutex::default(),
            version: watch::Sender::new(0),
            sessions: AtomicU64::new(0),
        }))
    }

    /// The view of this moment. It does not change; the numbers in its nodes' [`NodeStats`] and [`Health`] do.
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
    ///
    /// # Errors
    /// Where there are as many nodes as the directory takes, and none of them is this peer; or as many sessions of it.
    #[expect(clippy::needless_pass_by_value, reason = "the offer has no further use")]
    pub fn register(&self, peer: PeerId, offer: Offer) -> Result<Registration, DirectoryFull> {
        self.enter(peer, &offer, None)
    }

    /// Takes a node in that is reached through another gateway. It counts while no session of its own is here.
    pub(crate) fn register_via(
        &self,
        peer: PeerId,
        offer: &Offer,
        gateway: &Arc<PeerId>,
    ) -> Result<Registration, DirectoryFull> {
        self.enter(peer, offer, Some(Arc::clone(gateway)))
    }

    fn enter(&self, peer: PeerId, offer: &Offer, via: Option<Arc<PeerId>>) -> Result<Registration, DirectoryFull> {
        let number = self.0.sessions.fetch_add(1, Ordering::Relaxed);
        let mut books = self.0.books.lock();
        if books.next.node(peer).is_none() && books.next.len() >= self.0.max_nodes {
            return Err(DirectoryFull::Nodes(self.0.max_nodes));
        }
        books.check_room(peer, via.is_some())?;
        let stats = books.next.places().stats.take("");
        let change = books.enter(Session { peer, number, via, stats: stats.clone() }, offer);
        self.publish(&mut books, change);
        Ok(Registration::new(self.clone(), peer, number, stats))
    }

    /// Takes a newer offer of a session. False where it is what is known already.
    fn update(&self, peer: PeerId, session: u64, offer: &Offer) -> bool {
        let mut books = self.0.books.lock();
        let change = books.amend(peer, session, offer);
        self.publish(&mut books, change);
        change != Change::None
    }

    /// Takes a session's node out of routing, which its numbers say already.
    fn drain(&self, peer: PeerId, session: u64) {
        let mut books = self.0.books.lock();
        let change = books.drain(peer, session);
        self.publish(&mut books, change);
    }

    /// Ends a session.
    fn remove(&self, peer: PeerId, session: u64) {
        let mut books = self.0.books.lock();
        let change = books.leave(peer, session);
        self.publish(&mut books, change);
    }

    fn publish(&self, books: &mut Books, change: Change) {
        if change == Change::Seen {
            books.next.count_change();
            self.0.snapshot.store(Arc::new(books.next.clone()));
            self.0.version.send_replace(books.next.version());
        }
    }
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
        assert!(!held.candidates("m")[0].is_healthy(directory.now_ms()), "who left is not healthy");
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
        assert_eq!(peers_of(&directory, "m"), [peer, other]);
        assert_eq!(directory.snapshot().candidates("m")[0].offer().ask.input, 9);
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
        let (peer, first, second) = (PeerId::random(), Arc::new(PeerId::random()), Arc::new(PeerId::random()));
        let via = || directory.snapshot().node(peer).map(|node| node.via());
        let input = || directory.snapshot().candidates("m").iter().map(|node| node.offer().ask.input).max();
        let mut told = directory.register_via(peer, &offer("m", 1), &first).unwrap();
        assert_eq!((via(), input()), (Some(Some(*first)), Some(1)));
        let own = directory.register(peer, offer("m", 2)).unwrap();
        assert_eq!((via(), input()), (Some(None), Some(2)));
        let told_again = directory.register_via(peer, &offer("m", 3), &second).unwrap();
        told.update(offer("m", 4));
        assert_eq!((via(), input()), (Some(None), Some(2)), "its own session is here");
        assert_eq!(peers_of(&directory, "m"), [peer]);
        drop(own);
        assert_eq!((via(), input()), (Some(Some(*second)), Some(3)));
        drop(told_again);
        assert_eq!((via(), input()), (Some(Some(*first)), Some(4)), "what was told meanwhile counts");
        let own = directory.register(peer, offer("m", 5)).unwrap();
        told.drain();
        assert_eq!((via(), input()), (Some(None), Some(5)));
        drop(own);
        assert_eq!((via(), input()), (Some(Some(*first)), None), "it drains");
        drop(told);
        assert_eq!(via(), None);
        assert!(directory.0.books.lock().none_waits());
    }

    #[test]
    fn a_record_stays_with_its_node_and_model() {
        let directory = Directory::new(10);
        let peer = PeerId::random();
        let failures = |model: &str| directory.snapshot().candidates(model)[0].health().failures();
        let mut first = directory.register(peer, offer("m", 5)).unwrap();
        directory.snapshot().candidates("m")[0].health().failed();
        let mut both = offer("m", 6);
        both.models.extend(offer("n", 7).models);
        first.update(both);
        assert_eq!((failures("m"), failures("n")), (1, 0), "another price washes nothing away");
        first.update(offer("n", 7));
        first.update(offer("m", 5));
        assert_eq!(failures("m"), 1, "nor does it to take the model out for a while");
        drop(first);
        let second = directory.register(peer, offer("m", 5)).unwrap();
        assert_eq!(failures("m"), 1, "nor to leave and come back");
        let third = directory.register(peer, offer("m", 5)).unwrap();
        drop(second);
        assert_eq!(failures("m"), 1, "nor to come twice");
        drop(third);
        let _stranger = directory.register(PeerId::random(), offer("m", 5)).unwrap();
        assert_eq!(failures("m"), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn one_request_at_a_time_visits_a_node_that_failed() {
        let directory = Directory::new(10);
        let _registration = directory.register(PeerId::random(), offer("m", 5)).unwrap();
        let snapshot = directory.snapshot();
        let candidate = &snapshot.candidates("m")[0];
        let healthy = || candidate.is_healthy(directory.now_ms());
        let both = (candidate.visit().unwrap(), candidate.visit().unwrap());
        assert_eq!((candidate.health().visits(), candidate.stats().in_flight()), (2, 2));
        candidate.health().failed();
        drop(both);
        assert!(!healthy() && candidate.visit().is_none());
        tokio::time::advance(std::time::Duration::from_millis(501)).await;
        assert!(healthy());
        let probe = candidate.visit().unwrap();
        assert!(!healthy() && candidate.visit().is_none(), "a second request went to a node on trial");
        drop(probe);
        let probe = candidate.visit().unwrap();
        candidate.health().served();
        assert!(healthy() && candidate.visit().is_some());
        drop(probe);
        assert_eq!((candidate.health().visits(), candidate.stats().in_flight()), (0, 0));
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
