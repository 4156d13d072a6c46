//! A node's place in the directory, held by the session that keeps it alive.

use libp2p::PeerId;

use super::arena::Place;
use super::{Directory, NodeStats};
use crate::offer::Offer;

/// The node is in the directory until this is dropped.
#[derive(Debug)]
#[must_use = "the node leaves when it is dropped"]
pub struct Registration {
    directory: Directory,
    peer: PeerId,
    session: u64,
    stats: Place<NodeStats>,
}

impl Registration {
    pub(super) fn new(directory: Directory, peer: PeerId, session: u64, stats: Place<NodeStats>) -> Self {
        Self { directory, peer, session, stats }
    }

    /// How busy the node is.
    #[must_use]
    pub fn stats(&self) -> &NodeStats {
        &self.stats
    }

    /// Takes a newer offer. False where it is what is known already.
    #[expect(clippy::needless_pass_by_value, reason = "the offer has no further use")]
    pub fn update(&mut self, offer: Offer) -> bool {
        self.directory.update(self.peer, self.session, &offer)
    }

    /// Takes the node out of routing; it stays known.
    pub fn drain(&mut self) {
        self.stats.set_draining();
        self.directory.drain(self.peer, self.session);
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.stats.set_departed();
        self.directory.remove(self.peer, self.session);
    }
}
