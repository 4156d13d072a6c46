//! A node, and a node as the seller of one model.

use std::sync::Arc;

use libp2p::PeerId;

use super::NodeStats;
use crate::offer::{ModelOffer, Offer};

/// One node with one offer. A changed offer makes a new `Node` with the same numbers.
#[derive(Debug)]
pub struct Node {
    peer: PeerId,
    session: u64,
    via: Option<PeerId>,
    offer: Arc<Offer>,
    stats: Arc<NodeStats>,
}

impl Node {
    pub(super) fn new(peer: PeerId, session: u64, offer: Arc<Offer>, stats: Arc<NodeStats>) -> Self {
        Self { peer, session, via: None, offer, stats }
    }

    pub(super) fn reached_via(self, via: Option<PeerId>) -> Self {
        Self { via, ..self }
    }

    pub(super) fn with_offer(&self, offer: Arc<Offer>) -> Self {
        Self { peer: self.peer, session: self.session, via: self.via, offer, stats: self.stats.clone() }
    }

    pub(super) fn session(&self) -> u64 {
        self.session
    }

    /// Who it is.
    #[must_use]
    pub fn peer_id(&self) -> PeerId {
        self.peer
    }

    /// The gateway through which it is reached. None: it is connected to this one.
    #[must_use]
    pub fn via(&self) -> Option<PeerId> {
        self.via
    }

    /// Everything it offers.
    #[must_use]
    pub fn offer(&self) -> &Offer {
        &self.offer
    }

    /// How it does.
    #[must_use]
    pub fn stats(&self) -> &NodeStats {
        &self.stats
    }
}

/// A node that serves a certain model. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Candidate {
    node: Arc<Node>,
    /// The position of the model in the node's offer.
    model: usize,
}

impl Candidate {
    /// A candidate that stands in no directory, for choosing among made-up nodes. None where the offer does not have the
    /// model.
    #[must_use]
    pub fn detached(peer: PeerId, offer: Offer, model: &str) -> Option<Self> {
        let node = Node::new(peer, 0, Arc::new(offer), Arc::new(NodeStats::new()));
        Self::of(Arc::new(node), model)
    }

    pub(super) fn of(node: Arc<Node>, model: &str) -> Option<Self> {
        let model = node.offer.models.iter().position(|offer| offer.id == model)?;
        Some(Self { node, model })
    }

    /// Who it is.
    #[must_use]
    pub fn peer_id(&self) -> PeerId {
        self.node.peer
    }

    /// What it offers of the model.
    #[must_use]
    pub fn offer(&self) -> &ModelOffer {
        &self.node.offer.models[self.model]
    }

    /// Who is paid for its work. None: the node itself, by its peer id.
    #[must_use]
    pub fn operator(&self) -> Option<&str> {
        self.node.offer.operator.as_deref()
    }

    /// Where it stands, in its operator's words. Empty: not told.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.node.offer.region
    }

    /// Requests that it runs at a time.
    #[must_use]
    pub fn slots(&self) -> u32 {
        self.node.offer.slots
    }

    /// How it does.
    #[must_use]
    pub fn stats(&self) -> &NodeStats {
        &self.node.stats
    }

    /// The whole node.
    #[must_use]
    pub fn node(&self) -> &Arc<Node> {
        &self.node
    }
}
