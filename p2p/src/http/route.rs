//! How a node is reached: over its own connection, or through the gateway that it is connected to.

use libp2p::PeerId;

use crate::directory::Directory;
use crate::streams::{HTTP, OpenError, PeerStream, RELAY, Streams};

/// A node, and the way to it. Streams of different ways are not exchanged for each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Route {
    pub(super) peer: PeerId,
    /// The gateway in between. None: there is none.
    pub(super) via: Option<PeerId>,
}

/// Knows the way to nodes. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Routes {
    pub(crate) streams: Streams,
    pub(crate) directory: Directory,
}

impl Routes {
    /// The way to a node at this moment.
    pub(super) fn to(&self, peer: PeerId) -> Route {
        Route { peer, via: self.directory.snapshot().node(peer).and_then(|node| node.via()) }
    }

    /// Opens a stream that the node serves.
    ///
    /// # Errors
    /// `OpenError`. Nothing of the caller's has reached the node then.
    pub(super) async fn open(&self, route: Route) -> Result<PeerStream, OpenError> {
        match route.via {
            None => self.streams.open(route.peer, HTTP).await,
            Some(gateway) => self.streams.open_saying(gateway, RELAY, &route.peer.to_bytes()).await,
        }
    }
}
