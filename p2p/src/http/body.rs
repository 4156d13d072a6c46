//! The body of an answer, and what becomes of its stream.
//!
//! HTTP/1.1 has no way to give up one answer and keep the stream. So the body owns its stream: read to the end, it gives
//! it back to the pool; dropped before, it closes it, and the peer stops working. A reader that knows it needs no more,
//! because the content says so, has [`ResponseBody::recycle`].

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;

use super::connection::Connection;
use super::pool::Pool;
use super::route::Route;

/// How long the end of a body is waited for whose content is complete.
const RECYCLE_TIMEOUT: Duration = Duration::from_millis(100);
/// Bytes that may come before that end.
const RECYCLE_BYTES: usize = 1024;

/// The body of an answer. Dropping it before its end closes the stream at once and so tells the peer to stop.
#[derive(Debug)]
pub struct ResponseBody {
    incoming: Incoming,
    stream: Option<Stream>,
}

#[derive(Debug)]
struct Stream {
    connection: Connection,
    route: Route,
    pool: Arc<Pool>,
}

impl ResponseBody {
    pub(super) fn new(incoming: Incoming, connection: Connection, route: Route, pool: Arc<Pool>) -> Self {
        let mut body = Self { incoming, stream: Some(Stream { connection, route, pool }) };
        body.release_at_end();
        body
    }

    /// Says that everything that matters has been read, such as the last event of an event stream, so that the stream can
    /// take the next request. Its end is waited for in the background, briefly; if it does not come, the stream closes.
    pub fn recycle(mut self) {
        if self.stream.is_none() {
            return;
        }
        tokio::spawn(async move {
            let end = async {
                let mut left = RECYCLE_BYTES;
                while let Some(Ok(frame)) = self.frame().await {
                    left = left.checked_sub(frame.data_ref().map_or(0, Bytes::len))?;
                }
                Some(())
            };
            // Where the end does not come, dropping the body closes the stream.
            let _ = tokio::time::timeout(RECYCLE_TIMEOUT, end).await;
        });
    }

    fn release_at_end(&mut self) {
        if self.incoming.is_end_stream()
            && let Some(Stream { connection, route, pool }) = self.stream.take()
        {
            pool.give(route, connection);
        }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = ready!(Pin::new(&mut self.incoming).poll_frame(cx));
        match &frame {
            Some(Ok(_)) => self.release_at_end(),
            Some(Err(_)) => self.stream = None,
            None => {
                if let Some(Stream { connection, route, pool }) = self.stream.take() {
                    pool.give(route, connection);
                }
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
