//! Sending requests to peers.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use http::header::HOST;
use http::{HeaderValue, Request, Response};
use http_body::Body;
use libp2p::PeerId;
use tracing::debug;

use super::connection::{Connection, Failed};
use super::pool::Pool;
use super::route::{Route, Routes};
use super::{BoxError, RequestBody, ResponseBody, SendError};
use crate::streams::OpenError;

/// How a client keeps its streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientConfig {
    /// Streams to one peer, in use or idle; a request beyond them is refused unsent. Less than the peer takes, because it
    /// notices later than we do that a stream is closed.
    pub max_streams_per_peer: usize,
    /// An idle stream is closed after this time. Less than the peer's patience with an idle stream.
    pub idle_timeout: Duration,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self { max_streams_per_peer: 448, idle_timeout: Duration::from_secs(60) }
    }
}

/// What a client has done so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientStats {
    /// Streams that were opened.
    pub opened: u64,
    /// Times that an idle stream was taken for a request.
    pub reused: u64,
}

/// Sends requests to peers over pooled streams. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Client {
    routes: Routes,
    pool: Arc<Pool>,
}

impl Client {
    pub(crate) fn new(routes: Routes, config: ClientConfig) -> Self {
        let pool = Arc::new(Pool::new(config.max_streams_per_peer, config.idle_timeout));
        let swept = Arc::downgrade(&pool);
        let mut ticks = tokio::time::interval((config.idle_timeout / 2).max(Duration::from_secs(1)));
        tokio::spawn(async move {
            loop {
                ticks.tick().await;
                match swept.upgrade() {
                    Some(pool) => pool.sweep(),
                    None => return,
                }
            }
        });
        Self { routes, pool }
    }

    /// Sends a request and waits for the head of the answer. Dropping the future closes the stream at once, which tells
    /// the peer to stop; so does dropping the answer's body before its end.
    ///
    /// There is no time limit: how long an answer may take is the caller's to know.
    ///
    /// # Errors
    /// `SendError`, which knows whether the peer can have seen anything of the request.
    pub async fn send<B>(&self, peer: PeerId, request: Request<B>) -> Result<Response<ResponseBody>, SendError>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let mut request = request.map(RequestBody::new);
        // The peer is who the stream goes to; the header is only there because HTTP/1.1 wants one.
        request.headers_mut().entry(HOST).or_insert(HeaderValue::from_static("peer"));
        let route = self.routes.to(peer);
        while let Some(mut connection) = self.pool.take(route) {
            if !connection.is_ready().await {
                continue;
            }
            match connection.send(request).await {
                Ok(response) => return Ok(self.owned(route, connection, response)),
                Err(Failed::Unknown(error)) => return Err(SendError::Unknown(error)),
                Err(Failed::Unsent(unsent)) => {
                    debug!(%peer, "an idle stream had closed; taking another");
                    request = *unsent;
                }
            }
        }
        self.send_on_new(route, request).await
    }

    /// What this client has done so far.
    #[must_use]
    pub fn stats(&self) -> ClientStats {
        ClientStats {
            opened: self.pool.opened.load(Ordering::Relaxed),
            reused: self.pool.reused.load(Ordering::Relaxed),
        }
    }

    #[cfg(test)]
    pub(crate) fn streams(&self) -> &crate::streams::Streams {
        &self.routes.streams
    }

    /// Idle streams to a peer that are still open, and how many peers are known after a sweep.
    #[cfg(test)]
    pub(crate) fn pooled(&self, peer: PeerId) -> (usize, usize) {
        self.pool.sweep();
        (self.pool.idle(self.routes.to(peer)), self.pool.routes())
    }

    async fn send_on_new(
        &self,
        route: Route,
        request: Request<RequestBody>,
    ) -> Result<Response<ResponseBody>, SendError> {
        let place = self.pool.place(route).ok_or(SendError::NotSent(OpenError::Overloaded))?;
        let stream = self.routes.open(route).await.map_err(SendError::NotSent)?;
        self.pool.opened.fetch_add(1, Ordering::Relaxed);
        let unsent = |error: hyper::Error| SendError::NotSent(OpenError::Io(std::io::Error::other(error)));
        let mut connection = Connection::new(stream, place).await.map_err(unsent)?;
        match connection.send(request).await {
            Ok(response) => Ok(self.owned(route, connection, response)),
            Err(Failed::Unknown(error)) => Err(SendError::Unknown(error)),
            Err(Failed::Unsent(_)) => Err(SendError::NotSent(OpenError::NotServed)),
        }
    }

    fn owned(
        &self,
        route: Route,
        connection: Connection,
        response: Response<hyper::body::Incoming>,
    ) -> Response<ResponseBody> {
        response.map(|incoming| ResponseBody::new(incoming, connection, route, self.pool.clone()))
    }
}
