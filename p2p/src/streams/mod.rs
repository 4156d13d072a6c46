//! Raw streams over named protocols, to peers that really serve them.
//!
//! Opening a libp2p stream tells little: it succeeds when the far side knows the protocol, and a far side that has no room
//! then drops it silently. Over such streams a lost request looks like a processed one. So here a stream is only handed
//! out once a task of the far side has said, with one byte, that it serves it. That byte travels with the answer to the
//! negotiation, and so costs no round trip. Whatever fails before it, nothing of the caller's was sent.
//!
//! `libp2p-stream` was rejected: its inbound channel holds nothing, so that most of 64 streams opened at once are lost,
//! and it opens on any connection of a peer. Here inbound streams wait in a queue, outbound ones are opened a few at a
//! time, and both ends use the oldest connection of a peer: the dialling end refuses younger ones.

mod behaviour;
mod error;
mod handler;
mod protocol;
mod stream;
mod table;

use std::sync::Arc;
use std::time::Duration;

use libp2p::{PeerId, StreamProtocol};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

pub(crate) use behaviour::{AlreadyConnected, Behaviour};
pub use error::OpenError;
use handler::OpenRequest;
pub(crate) use protocol::{CONTROL, GATEWAYS, HTTP, RELAY};
pub(crate) use stream::{InboundStream, PeerStream};
use table::Table;

/// Bounds on streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamLimits {
    /// Streams that one peer may have open towards us. The limits of the transports are derived from it.
    pub max_inbound_per_peer: usize,
    /// Inbound streams of one protocol that wait to be served.
    pub max_queued: usize,
    /// Streams that are being opened to one peer at a time; further ones wait.
    pub max_opening_per_peer: usize,
    /// Streams that wait to be opened to one peer; further ones are refused.
    pub max_waiting_per_peer: usize,
    /// Time until a stream is open and served, waiting included.
    pub open_timeout: Duration,
}

impl Default for StreamLimits {
    fn default() -> Self {
        Self {
            max_inbound_per_peer: 512,
            max_queued: 1024,
            max_opening_per_peer: 32,
            max_waiting_per_peer: 1024,
            open_timeout: Duration::from_secs(5),
        }
    }
}

/// Opens streams. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Streams {
    table: Arc<Table>,
    open_timeout: Duration,
}

/// The three ends of this module: what opens streams, what the swarm drives, and one queue of inbound streams for each
/// protocol, in the order given.
pub(crate) fn streams(
    limits: StreamLimits,
    protocols: &[StreamProtocol],
) -> (Streams, Behaviour, Vec<mpsc::Receiver<InboundStream>>) {
    let table = Arc::new(Table::new(limits));
    let (mut queues, mut inbound) = (Vec::new(), Vec::new());
    for protocol in protocols {
        let (sender, receiver) = mpsc::channel(limits.max_queued);
        queues.push((protocol.clone(), sender));
        inbound.push(receiver);
    }
    let behaviour = Behaviour::new(table.clone(), limits, queues);
    (Streams { table, open_timeout: limits.open_timeout }, behaviour, inbound)
}

impl Streams {
    /// Opens a stream that the peer serves.
    ///
    /// # Errors
    /// `OpenError`. Nothing of the caller's has reached the peer then.
    pub(crate) async fn open(&self, peer: PeerId, protocol: StreamProtocol) -> Result<PeerStream, OpenError> {
        self.open_saying(peer, protocol, &[]).await
    }

    /// As [`open`](Self::open), and says something first, by which the peer decides whether it serves the stream. See
    /// [`InboundStream::opening`].
    ///
    /// # Errors
    /// `OpenError`. Nothing but the opening has reached the peer then.
    pub(crate) async fn open_saying(
        &self,
        peer: PeerId,
        protocol: StreamProtocol,
        opening: &[u8],
    ) -> Result<PeerStream, OpenError> {
        let opened = self.open_in_any_time(peer, protocol, opening);
        timeout(self.open_timeout, opened).await.unwrap_or(Err(OpenError::Timeout))
    }

    async fn open_in_any_time(
        &self,
        peer: PeerId,
        protocol: StreamProtocol,
        opening: &[u8],
    ) -> Result<PeerStream, OpenError> {
        let link = self.table.oldest_link(peer).ok_or(OpenError::NotConnected)?;
        let _waiting = link.waiting.try_acquire_owned().map_err(|_| OpenError::Overloaded)?;
        let place = link.opening.acquire_owned().await.map_err(|_| OpenError::NotConnected)?;
        let (reply, opened) = oneshot::channel();
        link.opens.send(OpenRequest { protocol, reply }).await.map_err(|_| OpenError::NotConnected)?;
        let (stream, ended) = opened.await.map_err(|_| OpenError::NotConnected)??;
        if !opening.is_empty() {
            // Whoever decides by an opening may have to ask others; streams to others need not wait for that.
            drop(place);
        }
        PeerStream::await_greeting(stream, ended, opening).await
    }

    /// Connections of a peer that can be used.
    #[cfg(test)]
    pub(crate) fn connections(&self, peer: PeerId) -> usize {
        self.table.connections(peer)
    }
}
