//! One connection's side of the streams.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use libp2p::swarm::handler::{
    ConnectionEvent, DialUpgradeError, FullyNegotiatedInbound, FullyNegotiatedOutbound, StreamUpgradeError,
};
use libp2p::swarm::{ConnectionHandler, ConnectionHandlerEvent, ConnectionId, SubstreamProtocol};
use libp2p::{PeerId, Stream, StreamProtocol};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::protocol::{Offered, Wanted};
use super::table::Table;
use super::{InboundStream, OpenError};

/// A stream, and what is cancelled when its connection ends.
type Opened = (Stream, CancellationToken);
type Reply = oneshot::Sender<Result<Opened, OpenError>>;

/// A stream that somebody waits for.
#[derive(Debug)]
pub(super) struct OpenRequest {
    pub(super) protocol: StreamProtocol,
    pub(super) reply: Reply,
}

/// Where inbound streams go, by protocol.
pub(super) type Queues = Arc<[(StreamProtocol, mpsc::Sender<InboundStream>)]>;

/// Opens the streams that are asked for, and queues those that the peer opens. Streams keep a connection alive, and
/// nothing else does.
pub(crate) struct Handler {
    pub(super) life: Life,
    pub(super) opens: mpsc::Receiver<OpenRequest>,
    pub(super) offered: Offered,
    pub(super) queues: Queues,
    pub(super) inbound: Arc<Semaphore>,
    pub(super) open_timeout: Duration,
}

/// A connection as long as it can be used. A handler lives until its connection breaks or is told to close; the swarm
/// says so later, and very much later where the far side does not read the goodbye.
pub(super) struct Life {
    pub(super) table: Arc<Table>,
    pub(super) peer: PeerId,
    pub(super) connection: ConnectionId,
    pub(super) ended: CancellationToken,
}

impl Drop for Life {
    fn drop(&mut self) {
        self.table.remove(self.peer, self.connection);
        self.ended.cancel();
    }
}

impl Handler {
    /// Drops what has no room: the peer then sees a stream that ends without a greeting.
    fn queue(&self, stream: Stream, protocol: &StreamProtocol) {
        let Ok(place) = self.inbound.clone().try_acquire_owned() else {
            debug!(peer = %self.life.peer, "the peer has too many streams; one was dropped");
            return;
        };
        let Some((_, queue)) = self.queues.iter().find(|(name, _)| name == protocol) else {
            return;
        };
        let Life { peer, connection, ended, .. } = &self.life;
        let inbound = InboundStream { peer: *peer, connection: *connection, stream, ended: ended.clone(), place };
        if queue.try_send(inbound).is_err() {
            debug!(%peer, %protocol, "no room for a stream; it was dropped");
        }
    }
}

impl ConnectionHandler for Handler {
    type FromBehaviour = Infallible;
    type ToBehaviour = Infallible;
    type InboundProtocol = Offered;
    type OutboundProtocol = Wanted;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = Reply;

    fn listen_protocol(&self) -> SubstreamProtocol<Offered> {
        SubstreamProtocol::new(self.offered.clone(), ()).with_timeout(self.open_timeout)
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ConnectionHandlerEvent<Wanted, Reply, Infallible>> {
        while let Poll::Ready(Some(OpenRequest { protocol, reply })) = self.opens.poll_recv(cx) {
            if !reply.is_closed() {
                let protocol = SubstreamProtocol::new(Wanted(protocol), reply).with_timeout(self.open_timeout);
                return Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol });
            }
        }
        Poll::Pending
    }

    fn on_behaviour_event(&mut self, event: Infallible) {
        match event {}
    }

    fn on_connection_event(&mut self, event: ConnectionEvent<'_, Offered, Wanted, (), Reply>) {
        match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound {
                protocol: (stream, protocol), ..
            }) => self.queue(stream, &protocol),
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound { protocol: stream, info: reply }) => {
                // Whoever asked may have left; the stream then closes here.
                let _ = reply.send(Ok((stream, self.life.ended.clone())));
            }
            ConnectionEvent::DialUpgradeError(DialUpgradeError { info: reply, error }) => {
                let error = match error {
                    StreamUpgradeError::Timeout => OpenError::Timeout,
                    StreamUpgradeError::NegotiationFailed => OpenError::Unsupported,
                    StreamUpgradeError::Io(error) => OpenError::Io(error),
                    StreamUpgradeError::Apply(never) => match never {},
                };
                let _ = reply.send(Err(error));
            }
            _ => {}
        }
    }
}
