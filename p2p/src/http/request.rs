//! The body of a request on its way.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;

use super::BoxError;

/// Any body, as one pointer: hyper keeps room for 32 requests beside each connection, and a stream has a connection of
/// its own. With a fat pointer that room would be a quarter more, by the sizes that allocators know.
#[derive(Debug)]
pub(super) struct RequestBody(Box<UnsyncBoxBody<Bytes, BoxError>>);

impl RequestBody {
    pub(super) fn new<B>(body: B) -> Self
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        Self(Box::new(body.map_err(Into::into).boxed_unsync()))
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Pin::new(&mut self.0).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_for_a_connections_requests_fits_8_kib() {
        // What tokio's channel allocates at a time: 32 places and four words, each place a request and who waits for it.
        let place = size_of::<http::Request<RequestBody>>() + 2 * size_of::<usize>();
        assert!(32 * place + 4 * size_of::<usize>() <= 8 << 10, "{place} bytes a place");
    }
}
