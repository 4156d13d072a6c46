//! Bounds on connections.
//!
//! libp2p's own behaviour for this keeps an entry for every peer it has ever seen, so that anyone who makes up identities
//! fills its memory. This one keeps what is open and nothing else. A connection counts until it is closed for good; how
//! many a peer may have that can be used is up to [`streams`](crate::streams).

use std::collections::HashSet;
use std::convert::Infallible;
use std::task::{Context, Poll};

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::swarm::behaviour::ListenFailure;
use libp2p::swarm::{ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, ToSwarm, dummy};
use libp2p::{Multiaddr, PeerId};

/// Handshakes of inbound connections at a time.
const MAX_PENDING: usize = 256;

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
}

impl Behaviour {
    pub(super) fn new(max_connections: usize) -> Self {
        Self { max_connections, pending: HashSet::new(), open: 0 }
    }

    fn check_established(&self) -> Result<(), NoRoom> {
        if self.open >= self.max_connections { Err(NoRoom("too many connections")) } else { Ok(()) }
    }

    fn check_pending(&self) -> Result<(), NoRoom> {
        if self.pending.len() >= MAX_PENDING { Err(NoRoom("too many handshakes")) } else { Ok(()) }
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
        _: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<dummy::ConnectionHandler, ConnectionDenied> {
        self.pending.remove(&connection);
        self.check_established().map_err(ConnectionDenied::new)?;
        Ok(dummy::ConnectionHandler)
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<dummy::ConnectionHandler, ConnectionDenied> {
        self.check_established().map_err(ConnectionDenied::new)?;
        Ok(dummy::ConnectionHandler)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::ConnectionEstablished(_) => self.open += 1,
            FromSwarm::ConnectionClosed(_) => self.open = self.open.saturating_sub(1),
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
    fn connections_are_bounded() {
        let mut limits = Behaviour::new(2);
        assert_eq!(limits.check_established(), Ok(()));
        limits.open = 2;
        assert!(limits.check_established().is_err());
        limits.open = 1;
        assert_eq!(limits.check_established(), Ok(()));
        limits.max_connections = 0;
        assert!(limits.check_established().is_err());
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
