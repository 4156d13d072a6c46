//! A node as the seller of one model.

use std::sync::Arc;

use libp2p::PeerId;

use super::arena::{Arena, Place};
use super::intern::Interner;
use super::{Health, Listing, Node, NodeStats};
use crate::clock;
use crate::offer::{Ask, Offer};

/// A node that serves a certain model. Cheap to clone, and one pointer large: lists hold hundreds of thousands.
#[derive(Debug, Clone)]
pub struct Candidate(Arc<Seat>);

/// What is read of each candidate for each request stands in a [`Row`](super::Row) too.
#[derive(Debug)]
struct Seat {
    stats: Place<NodeStats>,
    health: Place<Health>,
    listing: Listing,
    session: u64,
    node: Arc<Node>,
}

impl Candidate {
    pub(super) fn new(node: &Arc<Node>, listing: Listing, health: Place<Health>) -> Self {
        let (session, stats) = (node.session(), node.shared_stats().clone());
        Self(Arc::new(Seat { stats, health, listing, session, node: Arc::clone(node) }))
    }

    /// A candidate that stands in no directory, for choosing among made-up nodes. None where the offer does not have the
    /// model.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "callers make the offer up for it")]
    pub fn detached(peer: PeerId, offer: Offer, model: &str) -> Option<Self> {
        let model = offer.models.iter().find(|listed| listed.id == model)?;
        let mut interner = Interner::default();
        let node = Arc::new(Node::new(peer, 0, None, &offer, Arena::default().take(""), &mut interner));
        Some(Self::new(&node, Listing::of(model, offer.slots, &mut interner), Arena::default().take("")))
    }

    /// The same node with the same record at another price, as a new advert leaves it.
    #[must_use]
    pub fn asking(&self, ask: Ask) -> Self {
        let listing = Listing { ask, ..self.0.listing.clone() };
        Self::new(&self.0.node, listing, self.0.health.clone())
    }

    #[cfg(test)]
    pub(super) fn in_session(&self, session: u64) -> Self {
        let node = Arc::new(self.0.node.in_session(session));
        Self::new(&node, self.0.listing.clone(), self.0.health.clone())
    }

    pub(super) fn session(&self) -> u64 {
        self.0.session
    }

    pub(super) fn shared_health(&self) -> &Place<Health> {
        &self.0.health
    }

    pub(super) fn shared_stats(&self) -> &Place<NodeStats> {
        &self.0.stats
    }

    /// Who it is.
    #[must_use]
    pub fn peer_id(&self) -> PeerId {
        self.0.node.peer_id()
    }

    /// What it offers of the model.
    #[must_use]
    pub fn offer(&self) -> &Listing {
        &self.0.listing
    }

    /// Who is paid for its work. None: the node itself, by its peer id.
    #[must_use]
    pub fn operator(&self) -> Option<&str> {
        self.0.node.operator()
    }

    /// Where it stands, in its operator's words. Empty: not told.
    #[must_use]
    pub fn region(&self) -> &str {
        self.0.node.region()
    }

    /// Requests that it runs at a time.
    #[must_use]
    pub fn slots(&self) -> u32 {
        self.0.listing.slots
    }

    /// How busy it is.
    #[must_use]
    pub fn stats(&self) -> &NodeStats {
        &self.0.stats
    }

    /// How it does with this model, as this gateway saw it.
    #[must_use]
    pub fn health(&self) -> &Health {
        &self.0.health
    }

    /// Whether a request should go to it at this time of the clock of
    /// [`Directory::now_ms`](super::Directory::now_ms): it is there, takes requests, and is not resting after failures.
    #[must_use]
    pub fn is_healthy(&self, now_ms: u64) -> bool {
        self.stats().is_open() && self.health().admits(now_ms)
    }

    /// The whole node.
    #[must_use]
    pub fn node(&self) -> &Arc<Node> {
        &self.0.node
    }

    /// A request goes there, and is counted until the visit is dropped. None where none may go there now: the node rests
    /// after a failure, or another request is trying it.
    #[must_use]
    pub fn visit(&self) -> Option<Visit> {
        let number = self.0.health.enter(clock::now_ms())?;
        self.0.stats.begin();
        Some(Visit { candidate: self.clone(), number })
    }
}

/// A request at a node, until it is dropped.
#[derive(Debug)]
pub struct Visit {
    candidate: Candidate,
    /// By which the node's breaker knows it.
    number: u16,
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.candidate.0.stats.end();
        self.candidate.0.health.leave(self.number);
    }
}
