//! Bodies of answers: one piece of JSON, or a stream of events.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::stream::BoxStream;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use peerway_openapi::{ApiError, ErrorKind};
use serde::Serialize;

/// The body of an answer. Dropping it stops the engine's work.
pub enum ReplyBody {
    /// All at once; None once sent.
    Whole(Option<Bytes>),
    /// Framed events.
    Events(BoxStream<'static, Bytes>),
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.get_mut() {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Events(events) => {
                events.as_mut().poll_next(context).map(|event| event.map(|bytes| Ok(Frame::data(bytes))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => {
                let length = bytes.as_ref().map_or(0, Bytes::len);
                SizeHint::with_exact(u64::try_from(length).unwrap_or(u64::MAX))
            }
            Self::Events(_) => SizeHint::default(),
        }
    }
}

pub(super) fn json(value: &impl Serialize) -> Response<ReplyBody> {
    match serde_json::to_vec(value) {
        Ok(body) => with_type(ReplyBody::Whole(Some(body.into())), "application/json"),
        Err(unwritable) => {
            tracing::error!(error = %unwritable, "an answer could not be written as JSON");
            error(&ApiError::new(ErrorKind::Internal, "The answer could not be written."))
        }
    }
}

pub(super) fn events(events: BoxStream<'static, Bytes>) -> Response<ReplyBody> {
    let mut response = with_type(ReplyBody::Events(events), "text/event-stream");
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

pub(super) fn error(error: &ApiError) -> Response<ReplyBody> {
    error.response().map(|body| ReplyBody::Whole(Some(body)))
}

fn with_type(body: ReplyBody, content_type: &'static str) -> Response<ReplyBody> {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::OK;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
