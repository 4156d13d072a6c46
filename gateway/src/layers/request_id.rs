//! A name for every request.
//!
//! It names the hold and the receipt too, so it is always made here: tower-http's layer would take over an
//! `x-request-id` that a caller sends, and a caller could then choose which receipt its request is.

use std::fmt;
use std::str::FromStr;
use std::task::{Context, Poll};

use futures::FutureExt;
use futures::future::Map;
use http::{HeaderName, HeaderValue, Request, Response};
use tower::{Layer, Service};
use uuid::Uuid;

const PREFIX: &str = "req_";
const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// The name of a request; sorts by time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestId(Uuid);

impl RequestId {
    /// A new one.
    #[must_use]
    pub fn random() -> Self {
        Self(Uuid::now_v7())
    }

    /// The name without what it begins with, for names that are made of it.
    #[must_use]
    pub fn hex(&self) -> String {
        self.0.simple().to_string()
    }

    /// When the request came, in seconds since 1970.
    #[must_use]
    pub fn unix_seconds(&self) -> i64 {
        let seconds = self.0.get_timestamp().map_or(0, |stamp| stamp.to_unix().0);
        i64::try_from(seconds).unwrap_or(i64::MAX)
    }
}

impl RequestId {
    /// Tells a caller this name.
    pub fn name(&self, headers: &mut http::HeaderMap) {
        if let Ok(value) = HeaderValue::from_str(&self.to_string()) {
            headers.insert(HEADER, value);
        }
    }
}

impl FromStr for RequestId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Uuid::parse_str(text.strip_prefix(PREFIX).unwrap_or_default()).map(Self)
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", self.0.simple())
    }
}

/// Puts a [`RequestId`] into a request's extensions and its answer's `x-request-id`.
#[derive(Debug, Clone, Copy)]
pub struct RequestIdLayer;

impl<S> Layer<S> for RequestIdLayer {
    type Service = RequestIdService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        RequestIdService { inner }
    }
}

/// See [`RequestIdLayer`].
#[derive(Debug, Clone)]
pub struct RequestIdService<S> {
    inner: S,
}

type Tagger<R, E> = Box<dyn FnOnce(Result<Response<R>, E>) -> Result<Response<R>, E> + Send>;

impl<S, B, R> Service<Request<B>> for RequestIdService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Future: Send,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Map<S::Future, Tagger<R, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let id = RequestId::random();
        request.extensions_mut().insert(id);
        self.inner.call(request).map(Box::new(move |result| {
            result.map(|mut response| {
                // An answer that was given before keeps the name of the request that it answered.
                if !response.headers().contains_key(HEADER) {
                    id.name(response.headers_mut());
                }
                response
            })
        }))
    }
}
