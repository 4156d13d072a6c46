//! A bound on the requests in flight, streams included.
//!
//! tower's concurrency limit counts a request until its head is sent; most of a stream comes after. Here the permit
//! travels in the body. Past the bound a request is refused at once, because one that waits is no better off and costs
//! memory meanwhile.

use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Body;
use bytes::Bytes;
use futures::future::BoxFuture;
use http::{Request, Response};
use peerway_openapi::{ApiError, ErrorKind};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower::{Layer, Service};

use super::WatchedBody;

/// Refuses requests past a bound.
#[derive(Debug, Clone)]
pub struct InFlightLimitLayer {
    permits: Arc<Semaphore>,
}

impl InFlightLimitLayer {
    /// At most `limit` requests at a time.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { permits: Arc::new(Semaphore::new(limit.min(Semaphore::MAX_PERMITS))) }
    }
}

impl<S> Layer<S> for InFlightLimitLayer {
    type Service = InFlightLimit<S>;

    fn layer(&self, inner: S) -> Self::Service {
        InFlightLimit { inner, permits: Arc::clone(&self.permits) }
    }
}

/// See [`InFlightLimitLayer`].
#[derive(Debug, Clone)]
pub struct InFlightLimit<S> {
    inner: S,
    permits: Arc<Semaphore>,
}

struct InFlight {
    _permit: OwnedSemaphorePermit,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        metrics::gauge!("peerway_requests_in_flight").decrement(1.0);
    }
}

impl<S, B, R> Service<Request<B>> for InFlightLimit<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Future: Send + 'static,
    R: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
    R::Error: Into<axum::BoxError>,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() else {
            metrics::counter!("peerway_requests_shed_total").increment(1);
            let error =
                ApiError::new(ErrorKind::Overloaded, "This gateway has no room for another request. Try again.");
            return Box::pin(async move { Ok(error.response().map(Body::from)) });
        };
        metrics::gauge!("peerway_requests_in_flight").increment(1.0);
        let guard = InFlight { _permit: permit };
        let answer = self.inner.call(request);
        Box::pin(async move { Ok(answer.await?.map(|body| Body::new(WatchedBody::new(body, guard)))) })
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use tower::ServiceExt;

    use super::*;

    #[tokio::test]
    async fn a_stream_counts_until_its_body_is_gone() {
        let inner = tower::service_fn(|_: Request<()>| async { Ok::<_, Infallible>(Response::new(Body::from("x"))) });
        let service = InFlightLimitLayer::new(1).layer(inner);
        let ask = || service.clone().oneshot(Request::new(()));
        let first = ask().await.unwrap();
        assert_eq!(ask().await.unwrap().status(), 503);
        drop(first);
        assert_eq!(ask().await.unwrap().status(), 200);
    }
}
