//! A body that tells when it is over.
//!
//! A response is not done when its head is sent; a stream may run for minutes after. What must happen at its end happens
//! in a guard that the body owns: it is dropped once, whether the body ended, failed, or its reader left.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

/// A body and a guard that is dropped with it, or at its end, whichever comes first.
#[derive(Debug)]
pub struct WatchedBody<B, G> {
    inner: B,
    guard: Option<G>,
}

impl<B, G> WatchedBody<B, G> {
    /// Watches a body.
    pub fn new(inner: B, guard: G) -> Self {
        Self { inner, guard: Some(guard) }
    }
}

impl<B, G> Body for WatchedBody<B, G>
where
    B: Body<Data = Bytes> + Unpin,
    G: Unpin,
{
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(cx);
        if let Poll::Ready(None | Some(Err(_))) = polled {
            self.guard = None;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use http_body_util::{BodyExt, Full};

    use super::*;

    #[tokio::test]
    async fn the_guard_goes_at_the_end_or_with_the_body() {
        let guard = Arc::new(());
        let body = WatchedBody::new(Full::new(Bytes::from_static(b"x")), Arc::clone(&guard));
        assert_eq!(Arc::strong_count(&guard), 2);
        body.collect().await.unwrap();
        assert_eq!(Arc::strong_count(&guard), 1);

        let left = WatchedBody::new(Full::new(Bytes::from_static(b"x")), Arc::clone(&guard));
        drop(left);
        assert_eq!(Arc::strong_count(&guard), 1);
    }
}
