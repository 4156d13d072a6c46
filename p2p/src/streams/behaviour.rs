//! The swarm's side of the streams: a handler for each connection, and no second connection that we dial ourselves.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::swarm::behaviour::{ConnectionClosed, DialFailure, ListenFailure};
use libp2p::swarm::{ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, ToSwarm};
use libp2p::{Multiaddr, PeerId, StreamProtocol};
use tokio::sync::mpsc;

use super::handler::{Handler, Queues};
use super::protocol::Offered;
use super::table::Table;
use super::{InboundStream, StreamLimits};

/// We dialled a peer that has a connection already: the older one is kept.
#[derive(Debug, thiserror::Error)]
#[error("peer {0} is connected already")]
pub(crate) struct AlreadyConnected(pub(crate) PeerId);

/// Gives connections their stream handlers.
pub(crate) struct Behaviour {
    table: Arc<Table>,
    limits: StreamLimits,
    offered: Offered,
    queues: Queues,
}

impl Behaviour {
    pub(super) fn new(
        table: Arc<Table>,
        limits: StreamLimits,
        queues: Vec<(StreamProtocol, mpsc::Sender<InboundStream>)>,
    ) -> Self {
        let offered = Offered(queues.iter().map(|(protocol, _)| protocol.clone()).collect());
        Self { table, limits, offered, queues: queues.into() }
    }

    fn handler(&self, peer: PeerId, connection: ConnectionId) -> Handler {
        let (sender, opens) = mpsc::channel(self.limits.max_opening_per_peer);
        let inbound = self.table.add(peer, connection, sender);
        Handler {
            peer,
            connection,
            opens,
            offered: self.offered.clone(),
            queues: self.queues.clone(),
            inbound,
            open_timeout: self.limits.open_timeout,
        }
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = Handler;
    type ToSwarm = Infallible;

    fn handle_established_inbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<Handler, ConnectionDenied> {
        Ok(self.handler(peer, connection))
    }

    fn handle_established_outbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<Handler, ConnectionDenied> {
        if self.table.is_connected(peer) {
            return Err(ConnectionDenied::new(AlreadyConnected(peer)));
        }
        Ok(self.handler(peer, connection))
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        // A connection may still be denied by another behaviour after its handler was made here.
        match event {
            FromSwarm::ConnectionClosed(ConnectionClosed { peer_id, connection_id, .. })
            | FromSwarm::DialFailure(DialFailure { peer_id: Some(peer_id), connection_id, .. })
            | FromSwarm::ListenFailure(ListenFailure { peer_id: Some(peer_id), connection_id, .. }) => {
                self.table.remove(peer_id, connection_id);
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
