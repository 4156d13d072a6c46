//! A node, whatever it serves.

use std::sync::Arc;

use libp2p::PeerId;

use super::NodeStats;
use super::arena::Place;
use super::intern::Interner;
use crate::offer::Offer;

/// One session of one node. A changed offer makes a new `Node` with the same numbers.
#[derive(Debug)]
pub struct Node {
    peer: PeerId,
    session: u64,
    /// Behind a pointer, because it is large and a link's nodes share it.
    via: Option<Arc<PeerId>>,
    operator: Option<Arc<str>>,
    region: Arc<str>,
    engine: Arc<str>,
    slots: u32,
    stats: Place<NodeStats>,
}

impl Node {
    pub(super) fn new(
        peer: PeerId,
        session: u64,
        via: Option<Arc<PeerId>>,
        offer: &Offer,
        stats: Place<NodeStats>,
        interner: &mut Interner,
    ) -> Self {
        Self {
            peer,
            session,
            via,
            operator: offer.operator.as_deref().map(|operator| interner.text(operator)),
            region: interner.text(&offer.region),
            engine: interner.text(&offer.engine),
            slots: offer.slots,
            stats,
        }
    }

    pub(super) fn session(&self) -> u64 {
        self.session
    }

    pub(super) fn peer(&self) -> &PeerId {
        &self.peer
    }

    pub(super) fn shared_stats(&self) -> &Place<NodeStats> {
        &self.stats
    }

    /// The same session with another offer.
    pub(super) fn offering(&self, offer: &Offer, interner: &mut Interner) -> Self {
        Self::new(self.peer, self.session, self.via.clone(), offer, self.stats.clone(), interner)
    }

    /// Whether an offer says the same of it, but for the models.
    pub(super) fn is(&self, offer: &Offer) -> bool {
        self.operator.as_deref() == offer.operator.as_deref()
            && *self.region == *offer.region
            && *self.engine == *offer.engine
            && self.slots == offer.slots
    }

    #[cfg(test)]
    pub(super) fn in_session(&self, session: u64) -> Self {
        let (operator, region, engine) = (self.operator.clone(), self.region.clone(), self.engine.clone());
        let (peer, via, slots, stats) = (self.peer, self.via.clone(), self.slots, self.stats.clone());
        Self { peer, session, via, operator, region, engine, slots, stats }
    }

    /// Who it is.
    #[must_use]
    pub fn peer_id(&self) -> PeerId {
        self.peer
    }

    /// The gateway through which it is reached. None: it is connected to this one.
    #[must_use]
    pub fn via(&self) -> Option<PeerId> {
        self.via.as_deref().copied()
    }

    /// Who is paid for its work. None: the node itself, by its peer id.
    #[must_use]
    pub fn operator(&self) -> Option<&str> {
        self.operator.as_deref()
    }

    /// Where it stands, in its operator's words. Empty: not told.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.region
    }

    /// The engine and its version, for people.
    #[must_use]
    pub fn engine(&self) -> &str {
        &self.engine
    }

    /// Requests that it runs at a time.
    #[must_use]
    pub fn slots(&self) -> u32 {
        self.slots
    }

    /// How busy it is.
    #[must_use]
    pub fn stats(&self) -> &NodeStats {
        &self.stats
    }
}
