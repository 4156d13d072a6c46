//! Which connections each peer has, and the bounds that all connections of a peer share.

use std::collections::HashMap;
use std::sync::Arc;

use libp2p::PeerId;
use libp2p::swarm::ConnectionId;
use parking_lot::RwLock;
use tokio::sync::{Semaphore, mpsc};

use super::StreamLimits;
use super::handler::OpenRequest;

/// What opening a stream to a peer needs.
#[derive(Debug, Clone)]
pub(super) struct Link {
    /// To the handler of the connection.
    pub(super) opens: mpsc::Sender<OpenRequest>,
    /// Streams being opened or waiting for it.
    pub(super) waiting: Arc<Semaphore>,
    /// Streams being opened.
    pub(super) opening: Arc<Semaphore>,
}

#[derive(Debug)]
struct Peer {
    /// Oldest first.
    connections: Vec<(ConnectionId, mpsc::Sender<OpenRequest>)>,
    waiting: Arc<Semaphore>,
    opening: Arc<Semaphore>,
    inbound: Arc<Semaphore>,
}

/// Written by the swarm when connections come and go, read for each stream.
#[derive(Debug)]
pub(super) struct Table {
    limits: StreamLimits,
    peers: RwLock<HashMap<PeerId, Peer>>,
}

impl Table {
    pub(super) fn new(limits: StreamLimits) -> Self {
        Self { limits, peers: RwLock::default() }
    }

    /// Adds a connection; gives back the peer's bound on inbound streams.
    pub(super) fn add(&self, peer: PeerId, id: ConnectionId, opens: mpsc::Sender<OpenRequest>) -> Arc<Semaphore> {
        let limits = &self.limits;
        let mut peers = self.peers.write();
        let entry = peers.entry(peer).or_insert_with(|| Peer {
            connections: Vec::new(),
            waiting: Arc::new(Semaphore::new(limits.max_waiting_per_peer + limits.max_opening_per_peer)),
            opening: Arc::new(Semaphore::new(limits.max_opening_per_peer)),
            inbound: Arc::new(Semaphore::new(limits.max_inbound_per_peer)),
        });
        entry.connections.push((id, opens));
        entry.inbound.clone()
    }

    /// Removes a connection, if it is there.
    pub(super) fn remove(&self, peer: PeerId, id: ConnectionId) {
        let mut peers = self.peers.write();
        if let Some(entry) = peers.get_mut(&peer) {
            entry.connections.retain(|(other, _)| *other != id);
            if entry.connections.is_empty() {
                peers.remove(&peer);
            }
        }
    }

    /// Connections of a peer that can be used.
    pub(super) fn connections(&self, peer: PeerId) -> usize {
        self.peers.read().get(&peer).map_or(0, |entry| entry.connections.len())
    }

    /// The connection that streams to the peer go over.
    pub(super) fn oldest_link(&self, peer: PeerId) -> Option<Link> {
        let peers = self.peers.read();
        let entry = peers.get(&peer)?;
        let (_, opens) = entry.connections.first()?;
        Some(Link { opens: opens.clone(), waiting: entry.waiting.clone(), opening: entry.opening.clone() })
    }
}
