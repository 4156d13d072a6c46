//! Closing connections that are of no use to anybody.
//!
//! A connection takes one of a bounded number of places, and a stream a place at a node. hyper bounds how long a request's
//! head may take on HTTP/1, and nothing else: whoever connects and says nothing, speaks half of HTTP/2's greeting, or asks
//! for a stream and never reads it, would keep a place for ever. So every connection is watched from outside: idle ones
//! are closed, and those with an answer that nobody has read from for minutes.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use parking_lot::Mutex;
use tokio::time::Instant;

/// How long a connection may be open without a request.
const IDLE: Duration = Duration::from_secs(60);
/// How long an answer may wait for its reader. A stream has something to send at least every few seconds.
const STALLED: Duration = Duration::from_secs(300);
/// How often is looked.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// One connection's requests.
#[derive(Debug)]
pub(super) struct Vigil {
    watched: Mutex<Watched>,
}

#[derive(Debug)]
struct Watched {
    /// When an answer's reader last took something; None while there is no answer yet.
    open: HashMap<u64, Option<Instant>>,
    begun: u64,
    idle_since: Instant,
}

/// One request, from its coming to the end of its answer.
#[derive(Debug)]
pub(super) struct Watch {
    vigil: Arc<Vigil>,
    number: u64,
}

impl Vigil {
    pub(super) fn new() -> Arc<Self> {
        let watched = Watched { open: HashMap::new(), begun: 0, idle_since: Instant::now() };
        Arc::new(Self { watched: Mutex::new(watched) })
    }

    /// A request has come.
    pub(super) fn begin(self: &Arc<Self>) -> Watch {
        let mut watched = self.watched.lock();
        watched.begun += 1;
        let number = watched.begun;
        watched.open.insert(number, None);
        Watch { vigil: Arc::clone(self), number }
    }

    /// Waits until the connection is of no use.
    pub(super) async fn is_useless(&self) {
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let now = Instant::now();
            let watched = self.watched.lock();
            let stalled = watched.open.values().flatten().any(|taken| now.duration_since(*taken) > STALLED);
            let idle = watched.open.is_empty() && now.duration_since(watched.idle_since) > IDLE;
            if stalled || idle {
                return;
            }
        }
    }
}

impl Watch {
    /// There is an answer: its body is watched from now on.
    pub(super) fn over(self, body: Body) -> Body {
        self.taken();
        Body::new(Read { body, watch: Some(self) })
    }

    fn taken(&self) {
        self.vigil.watched.lock().open.insert(self.number, Some(Instant::now()));
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut watched = self.vigil.watched.lock();
        watched.open.remove(&self.number);
        watched.idle_since = Instant::now();
    }
}

/// A body that notes when something is taken from it.
struct Read {
    body: Body,
    watch: Option<Watch>,
}

impl HttpBody for Read {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if let Poll::Ready(None | Some(Err(_))) = polled {
            self.watch = None;
        }
        if let Some(watch) = &self.watch {
            watch.taken();
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use http_body_util::BodyExt;

    use super::*;

    async fn useless_after(vigil: &Vigil, wait: Duration) -> bool {
        tokio::time::timeout(wait, vigil.is_useless()).await.is_ok()
    }

    #[tokio::test(start_paused = true)]
    async fn who_asks_nothing_is_closed() {
        let vigil = Vigil::new();
        assert!(!useless_after(&vigil, IDLE).await);
        assert!(useless_after(&vigil, LOOK_EVERY * 2).await);
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_for_an_answer_is_not() {
        let vigil = Vigil::new();
        let waiting = vigil.begin();
        assert!(!useless_after(&vigil, STALLED * 3).await);
        drop(waiting);
        assert!(useless_after(&vigil, IDLE + LOOK_EVERY * 2).await);
    }

    #[tokio::test(start_paused = true)]
    async fn who_does_not_read_is_closed() {
        let vigil = Vigil::new();
        let frames = futures::stream::repeat(Ok::<_, std::convert::Infallible>(Bytes::from_static(b"x")));
        let mut body = vigil.begin().over(Body::from_stream(frames));
        for _ in 0..3 {
            assert!(!useless_after(&vigil, STALLED / 2).await);
            assert!(body.frame().now_or_never().flatten().is_some());
        }
        assert!(useless_after(&vigil, STALLED + LOOK_EVERY * 2).await);
    }
}
