//! A node's place in the directory, held by the session that keeps it alive.

use std::sync::Arc;

use super::{Directory, Node, NodeStats};
use crate::offer::Offer;

/// The node is in the directory until this is dropped.
#[derive(Debug)]
pub(crate) struct Registration {
    directory: Directory,
    node: Arc<Node>,
}

impl Registration {
    pub(super) fn new(directory: Directory, node: Arc<Node>) -> Self {
        Self { directory, node }
    }

    /// What is measured of the node.
    pub(crate) fn stats(&self) -> &NodeStats {
        self.node.stats()
    }

    /// Takes a newer offer. False where it is what is known already.
    pub(crate) fn update(&mut self, offer: Offer) -> bool {
        if *self.node.offer() == offer {
            return false;
        }
        self.node = Arc::new(self.node.with_offer(Arc::new(offer)));
        self.directory.replace(self.node.clone());
        true
    }

    /// Takes the node out of routing; it stays known.
    pub(crate) fn drain(&mut self) {
        self.node.stats().set_draining();
        self.directory.replace(self.node.clone());
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.node.stats().set_departed();
        self.directory.remove(self.node.peer_id(), self.node.session());
    }
}
