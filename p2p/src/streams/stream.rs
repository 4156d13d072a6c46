//! A stream, and the byte by which its server says that it is one.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use libp2p::core::upgrade::NegotiationError;
use libp2p::swarm::ConnectionId;
use libp2p::{PeerId, Stream};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::compat::{Compat, FuturesAsyncReadCompatExt};

use super::OpenError;

/// What the serving side writes first.
const GREETING: u8 = b'+';

/// A stream that both ends know to be served. Dropping it closes it at once.
#[derive(Debug)]
pub(crate) struct PeerStream {
    io: Compat<Stream>,
    /// The place among the peer's inbound streams. None for an outbound stream.
    _place: Option<OwnedSemaphorePermit>,
}

impl PeerStream {
    /// Waits until the far side serves the stream.
    pub(super) async fn await_greeting(stream: Stream) -> Result<Self, OpenError> {
        let mut io = stream.compat();
        let mut greeting = [0];
        match io.read(&mut greeting).await {
            Ok(1) if greeting == [GREETING] => Ok(Self { io, _place: None }),
            Ok(0) => Err(OpenError::NotServed),
            Ok(_) => Err(OpenError::Unsupported),
            Err(error) => Err(failure_of(error)),
        }
    }
}

/// With lazy negotiation the far side's refusal arrives as an error of the first read.
fn failure_of(error: io::Error) -> OpenError {
    let negotiation = error.get_ref().and_then(|inner| inner.downcast_ref::<NegotiationError>());
    match (negotiation, error.kind()) {
        (Some(NegotiationError::Failed), _) => OpenError::Unsupported,
        (_, io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof) => OpenError::NotServed,
        _ => OpenError::Io(error),
    }
}

/// A stream that a peer opened and that nobody serves yet. Dropping it tells the peer that nobody will.
#[derive(Debug)]
pub(crate) struct InboundStream {
    /// Who opened it.
    pub(crate) peer: PeerId,
    /// Over which connection.
    pub(crate) connection: ConnectionId,
    pub(super) stream: Stream,
    pub(super) place: OwnedSemaphorePermit,
}

impl InboundStream {
    /// Serves the stream: from here on the peer may send. Call it in the task that serves, not before.
    pub(crate) async fn serve(self) -> io::Result<PeerStream> {
        let mut io = self.stream.compat();
        io.write_all(&[GREETING]).await?;
        io.flush().await?;
        Ok(PeerStream { io, _place: Some(self.place) })
    }
}

impl AsyncRead for PeerStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buffer)
    }
}

impl AsyncWrite for PeerStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
