//! A stream, and the byte by which its server says that it is one.
//!
//! A stream ends with its connection. That must be seen to: when yamux closes a connection on our own side it forgets
//! the tasks that wait for its streams, and a request to a node that fell silent would wait for ever.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::AsyncReadExt as _;
use libp2p::core::upgrade::NegotiationError;
use libp2p::swarm::ConnectionId;
use libp2p::{PeerId, Stream};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;
use tokio_util::compat::{Compat, FuturesAsyncReadCompatExt};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::OpenError;

/// What the serving side writes first.
const GREETING: u8 = b'+';
/// Time for that byte to leave: a peer that does not read is not served.
const GREETING_TIMEOUT: Duration = Duration::from_secs(5);

/// A stream that both ends know to be served. Dropping it closes it at once.
#[derive(Debug)]
pub(crate) struct PeerStream {
    io: Compat<Stream>,
    /// Resolves when the connection has ended.
    ended: Pin<Box<WaitForCancellationFutureOwned>>,
    /// The place among the peer's inbound streams. None for an outbound stream.
    _place: Option<OwnedSemaphorePermit>,
}

impl PeerStream {
    fn new(stream: Stream, ended: CancellationToken, place: Option<OwnedSemaphorePermit>) -> Self {
        Self { io: stream.compat(), ended: Box::pin(ended.cancelled_owned()), _place: place }
    }

    /// Waits until the far side serves the stream. What it may read before it decides is sent first, where there is any.
    pub(super) async fn await_greeting(
        stream: Stream,
        ended: CancellationToken,
        opening: &[u8],
    ) -> Result<Self, OpenError> {
        let mut stream = Self::new(stream, ended, None);
        if let Ok(length @ 1..) = u8::try_from(opening.len()) {
            stream.write_all(&[&[length], opening].concat()).await.map_err(failure_of)?;
            stream.flush().await.map_err(failure_of)?;
        }
        let mut greeting = [0];
        match stream.read(&mut greeting).await {
            Ok(1) if greeting == [GREETING] => Ok(stream),
            Ok(0) => Err(OpenError::NotServed),
            Ok(_) => Err(OpenError::Unsupported),
            Err(error) => Err(failure_of(error)),
        }
    }

    /// Turns a wait that will never end into an error.
    fn unless_ended<T>(&mut self, polled: Poll<io::Result<T>>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        if polled.is_pending() && self.ended.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::ConnectionAborted, "the connection was closed")));
        }
        polled
    }
}

/// A far side that drops a stream ends it in one of several ways, by transport and by what was under way.
fn failure_of(error: io::Error) -> OpenError {
    let negotiation = error.get_ref().and_then(|inner| inner.downcast_ref::<NegotiationError>());
    match (negotiation, error.kind()) {
        (Some(NegotiationError::Failed), _) => OpenError::Unsupported,
        (
            _,
            io::ErrorKind::ConnectionReset
            | io::ErrorKind::UnexpectedEof
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::WriteZero,
        ) => OpenError::NotServed,
        (_, io::ErrorKind::ConnectionAborted) => OpenError::NotConnected,
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
    pub(super) ended: CancellationToken,
    pub(super) place: OwnedSemaphorePermit,
}

impl InboundStream {
    /// What the opener says before the stream is served: a byte of length, and so many bytes.
    pub(crate) async fn opening(&mut self) -> io::Result<Vec<u8>> {
        let mut length = [0];
        self.stream.read_exact(&mut length).await?;
        let mut opening = vec![0; usize::from(length[0])];
        self.stream.read_exact(&mut opening).await?;
        Ok(opening)
    }

    /// Serves the stream: from here on the peer may send. Call it in the task that serves, not before.
    pub(crate) async fn serve(self) -> io::Result<PeerStream> {
        let mut stream = PeerStream::new(self.stream, self.ended, Some(self.place));
        let greet = async {
            stream.write_all(&[GREETING]).await?;
            stream.flush().await
        };
        timeout(GREETING_TIMEOUT, greet).await??;
        Ok(stream)
    }
}

impl AsyncRead for PeerStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.io).poll_read(cx, buffer);
        self.unless_ended(polled, cx)
    }
}

impl AsyncWrite for PeerStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.io).poll_write(cx, bytes);
        self.unless_ended(polled, cx)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.io).poll_flush(cx);
        self.unless_ended(polled, cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.io).poll_shutdown(cx);
        self.unless_ended(polled, cx)
    }
}
