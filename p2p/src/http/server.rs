//! Serving requests that peers send.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1::Builder;
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::BoxError;
use crate::streams::InboundStream;

/// Bounds on serving.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerConfig {
    /// Streams that are served at a time, of all peers together; further ones are closed unserved, which tells the peer
    /// that nothing of its request was seen. A stream has one request at a time.
    pub max_streams: usize,
    /// Time for a request's head, the wait for its first byte included: so an idle stream is closed after it too.
    pub head_timeout: Duration,
    /// Bytes of a request's head at most. 8192 or more.
    pub max_head: usize,
    /// Headers of a request at most.
    pub max_headers: usize,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self { max_streams: 2048, head_timeout: Duration::from_secs(90), max_head: 16 << 10, max_headers: 64 }
    }
}

/// What can answer requests: a hyper service whose clones share their state. Dropping the future of a request, or the
/// body of an answer, must stop the work; that is how a caller who leaves is noticed.
pub(crate) trait ConnectionService: Clone + Send + 'static {
    /// Serves one stream until it ends, or until no request is under way after `stop`.
    fn serve(
        self,
        stream: InboundStream,
        config: ServerConfig,
        stop: CancellationToken,
    ) -> impl Future<Output = ()> + Send;
}

impl<S, B> ConnectionService for S
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<BoxError>,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    async fn serve(self, stream: InboundStream, config: ServerConfig, stop: CancellationToken) {
        let peer = stream.peer;
        // Where that fails the peer has left.
        let Ok(stream) = stream.serve().await else { return };
        let mut builder = Builder::new();
        builder
            .timer(TokioTimer::new())
            .header_read_timeout(config.head_timeout)
            .max_buf_size(config.max_head.max(8192))
            .max_headers(config.max_headers);
        let connection = builder.serve_connection(TokioIo::new(stream), self);
        tokio::pin!(connection);
        let served = tokio::select! {
            served = connection.as_mut() => served,
            () = stop.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = served {
            debug!(%peer, %error, "a stream from a peer broke");
        }
    }
}

/// Serves the streams of a queue.
pub(crate) struct Server<S> {
    pub(crate) service: S,
    pub(crate) config: ServerConfig,
}

impl<S: ConnectionService> Server<S> {
    /// Serves until `stop`, then waits for what is under way. Dropping the future cuts it off.
    pub(crate) async fn run(self, mut inbound: mpsc::Receiver<InboundStream>, stop: CancellationToken) {
        let mut streams = JoinSet::new();
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                stream = inbound.recv() => match stream {
                    None => break,
                    Some(stream) if streams.len() >= self.config.max_streams => {
                        debug!(peer = %stream.peer, "no room for another stream");
                    }
                    Some(stream) => {
                        streams.spawn(self.service.clone().serve(stream, self.config, stop.clone()));
                    }
                },
                Some(ended) = streams.join_next() => note(ended),
            }
        }
        // What waits in the queue is closed unserved.
        drop(inbound);
        while let Some(ended) = streams.join_next().await {
            note(ended);
        }
    }
}

fn note(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        warn!(%error, "a request failed badly; its stream is closed");
    }
}
