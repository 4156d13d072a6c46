//! One stream with HTTP on it, seen from the client.

use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::AbortHandle;
use tokio::time::timeout;
use tracing::trace;

use super::RequestBody;
use crate::streams::PeerStream;

/// Bytes of an answer's head at most, and of what is read at a time: a gateway has a stream for each answer under way, and
/// tokens are small. hyper would begin with four times as much.
const READ_BUFFER: usize = 2 << 10;
/// Headers of an answer at most.
const MAX_HEADERS: usize = 64;

/// Time for what came before to be over.
const READY_TIMEOUT: Duration = Duration::from_millis(100);

/// How a request on this connection failed.
pub(super) enum Failed {
    /// Nothing of it was sent; here it is again.
    Unsent(Box<Request<RequestBody>>),
    /// Some of it may have been.
    Unknown(hyper::Error),
}

/// A stream that takes one request after the other. Dropping it closes the stream at once, whatever is under way on it.
#[derive(Debug)]
pub(super) struct Connection {
    sender: SendRequest<RequestBody>,
    driver: AbortHandle,
    /// The place among the streams to the peer.
    _place: OwnedSemaphorePermit,
}

impl Connection {
    pub(super) async fn new(stream: PeerStream, place: OwnedSemaphorePermit) -> Result<Self, hyper::Error> {
        let (sender, connection) = Builder::new()
            .read_buf_exact_size(Some(READ_BUFFER))
            .max_headers(MAX_HEADERS)
            .handshake::<_, RequestBody>(TokioIo::new(stream))
            .await?;
        let driver = tokio::spawn(async move {
            if let Err(error) = connection.await {
                trace!(%error, "a stream to a peer broke");
            }
        });
        Ok(Self { sender, driver: driver.abort_handle(), _place: place })
    }

    /// Whether it can take a request. What came before is over but for its last few instructions; a peer that drags it
    /// out, by never reading the rest of a request that it has answered, is not waited for. False where it has closed.
    pub(super) async fn is_ready(&mut self) -> bool {
        self.sender.is_ready() || matches!(timeout(READY_TIMEOUT, self.sender.ready()).await, Ok(Ok(())))
    }

    /// Whether it is known to be closed.
    pub(super) fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    pub(super) async fn send(&mut self, request: Request<RequestBody>) -> Result<Response<Incoming>, Failed> {
        self.sender.try_send_request(request).await.map_err(|mut failed| match failed.take_message() {
            Some(request) => Failed::Unsent(Box::new(request)),
            None => Failed::Unknown(failed.into_error()),
        })
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}
