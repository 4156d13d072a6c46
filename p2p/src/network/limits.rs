//! Bounds on connections.
//!
//! libp2p's own behaviour for this keeps an entry for every peer it has ever seen, so that anyone who makes up identities
//! fills its memory. This one keeps what is open and nothing else.

use std::collections::{HashMap, HashSet};
use std::convert::Infallible;
use std::task::{Context, Poll};

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::swarm::behaviour::{ConnectionClosed, ConnectionEstablished, ListenFailure};
use libp2p::swarm::{ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, ToSwarm, dummy};
use libp2p::{Multiaddr, PeerId};

/// Handshakes of inbound connections at a time.
const MAX_PENDING: usize = 256;
/// Connections of one peer: the one in use, and a new one of a peer that has lost it before we noticed.
const MAX_PER_PEER: usize = 2;

/// There is no room for a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no room: {0}")]
struct NoRoom(&'static str);

/// Denies connections beyond the bounds.
#[derive(Debug)]
pub(super) struct Behaviour {
    max_connections: usize,
    pending: HashSet<ConnectionId>,
    open: usize,
    per_peer: HashMap<PeerId, usize>,
}

impl Behaviour {
    pub(super) fn new(max_connections: usize) -> Self {
        Self { max_connections, pending: HashSet::new(), open: 0, per_peer: HashMap::new() }
    }

    fn check_established(&self, peer: PeerId) -> Result<(), NoRoom> {
        if self.open >= self.max_connections {
            return Err(NoRoom("too many connections"));
        }
        if self.per_peer.get(&peer).is_some_and(|open| *open >= MAX_PER_PEER) {
            return Err(NoRoom("too many connections of this peer"));
        }
        Ok(())
    }

    fn check_pending(&self) -> Result<(), NoRoom> {
        if self.pending.len() >= MAX_PENDING { Err(NoRoom("too many handshakes")) } else { Ok(()) }
    }

    fn opened(&mut self, peer: PeerId) {
        self.open += 1;
        *self.per_peer.entry(peer).or_default() += 1;
    }

    fn closed(&mut self, peer: PeerId) {
        self.open = self.open.saturating_sub(1);
        if let Some(open) = self.per_peer.get_mut(&peer) {
            *open -= 1;
            if *open == 0 {
                self.per_peer.remove(&peer);
            }
        }
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = dummy::ConnectionHandler;
    type ToSwarm = Infallible;

    fn handle_pending_inbound_connection(
        &mut self,
        connection: ConnectionId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<(), ConnectionDenied> {
        self.check_pending().map_err(ConnectionDenied::new)?;
        self.pending.insert(connection);
        Ok(())
    }

    fn handle_established_inbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<dummy::ConnectionHandler, ConnectionDenied> {
        self.pending.remove(&connection);
        self.check_established(peer).map_err(ConnectionDenied::new)?;
        Ok(dummy::ConnectionHandler)
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<dummy::ConnectionHandler, ConnectionDenied> {
        self.check_established(peer).map_err(ConnectionDenied::new)?;
        Ok(dummy::ConnectionHandler)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::ConnectionEstablished(ConnectionEstablished { peer_id, .. }) => self.opened(peer_id),
            FromSwarm::ConnectionClosed(ConnectionClosed { peer_id, .. }) => self.closed(peer_id),
            FromSwarm::ListenFailure(ListenFailure { connection_id, .. }) => {
                self.pending.remove(&connection_id);
            }
            _ => {}
        }
    }

    fn on_connection_handler_event(&mut self, _: PeerId, _: ConnectionId, event: Infallible) {
        match event {}
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Infallible, Infallible>> {
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_has_two_connections_at_most() {
        let mut limits = Behaviour::new(10);
        let (peer, other) = (PeerId::random(), PeerId::random());
        limits.opened(peer);
        assert_eq!(limits.check_established(peer), Ok(()));
        limits.opened(peer);
        assert!(limits.check_established(peer).is_err());
        assert_eq!(limits.check_established(other), Ok(()));
        limits.closed(peer);
        assert_eq!(limits.check_established(peer), Ok(()));
    }

    #[test]
    fn nothing_is_kept_of_peers_that_left() {
        let mut limits = Behaviour::new(2);
        for _ in 0..100 {
            let peer = PeerId::random();
            limits.opened(peer);
            limits.closed(peer);
        }
        assert_eq!((limits.open, limits.per_peer.len()), (0, 0));
        limits.opened(PeerId::random());
        limits.opened(PeerId::random());
        assert!(limits.check_established(PeerId::random()).is_err());
    }

    #[test]
    fn handshakes_are_bounded() {
        let mut limits = Behaviour::new(10_000);
        let address: Multiaddr = "/ip4/127.0.0.1/tcp/1".parse().unwrap();
        for id in 0..MAX_PENDING {
            limits.handle_pending_inbound_connection(ConnectionId::new_unchecked(id), &address, &address).unwrap();
        }
        let more = ConnectionId::new_unchecked(MAX_PENDING);
        assert!(limits.handle_pending_inbound_connection(more, &address, &address).is_err());
    }
}
