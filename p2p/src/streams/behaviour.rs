//! The swarm's side of the streams: a handler for each connection, and bounds on the connections of one peer.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::swarm::{ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, ToSwarm};
use libp2p::{Multiaddr, PeerId, StreamProtocol};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::handler::{Handler, Life, Queues};
use super::protocol::Offered;
use super::table::Table;
use super::{InboundStream, StreamLimits};

/// We dialled a peer that has a connection already: the older one is kept.
#[derive(Debug, thiserror::Error)]
#[error("peer {0} is connected already")]
pub(crate) struct AlreadyConnected(pub(crate) PeerId);

/// Connections that one peer may open to us: the one in use, and a new one of a peer that has lost it before we noticed.
const MAX_INBOUND_PER_PEER: usize = 2;

/// The peer has as many connections as it may.
#[derive(Debug, thiserror::Error)]
#[error("peer {0} has {MAX_INBOUND_PER_PEER} connections already")]
struct TooManyConnections(PeerId);

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
            // From here on it is the handler's life that keeps the connection in the table, whatever becomes of it.
            life: Life { table: self.table.clone(), peer, connection, ended: CancellationToken::new() },
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
        if self.table.connections(peer) >= MAX_INBOUND_PER_PEER {
            return Err(ConnectionDenied::new(TooManyConnections(peer)));
        }
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
        if self.table.connections(peer) > 0 {
            return Err(ConnectionDenied::new(AlreadyConnected(peer)));
        }
        Ok(self.handler(peer, connection))
    }

    fn on_swarm_event(&mut self, _: FromSwarm<'_>) {}

    fn on_connection_handler_event(&mut self, _: PeerId, _: ConnectionId, event: Infallible) {
        match event {}
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Infallible, Infallible>> {
        Poll::Pending
    }
}
