//! One line for every request that was refused, when it is over; for others at debug level, because an answer has a line
//! of its own that says more. Never what was said: no prompt, answer or key is written anywhere.

use std::task::{Context, Poll};
use std::time::Instant;

use axum::body::Body;
use bytes::Bytes;
use futures::future::BoxFuture;
use http::{Method, Request, Response, StatusCode};
use tower::{Layer, Service};
use tracing::{debug, info};

use super::{RequestId, WatchedBody};

/// Bytes of a path that are written: it comes from the caller.
const MAX_LOGGED_PATH: usize = 100;

/// What every key begins with. A key in a path is a mistake of its caller, and must not become one of this log.
const KEY: &str = "sk-pw-";

/// Logs and counts requests. Needs [`super::RequestIdLayer`] outside it.
#[derive(Debug, Clone, Copy)]
pub struct AccessLogLayer;

impl<S> Layer<S> for AccessLogLayer {
    type Service = AccessLog<S>;

    fn layer(&self, inner: S) -> Self::Service {
        AccessLog { inner }
    }
}

/// See [`AccessLogLayer`].
#[derive(Debug, Clone)]
pub struct AccessLog<S> {
    inner: S,
}

struct Line {
    id: Option<RequestId>,
    method: Method,
    path: String,
    status: StatusCode,
    started: Instant,
}

impl Drop for Line {
    fn drop(&mut self) {
        let elapsed = self.started.elapsed();
        metrics::counter!("peerway_requests_total", "status" => status_class(self.status)).increment(1);
        metrics::histogram!("peerway_request_seconds").record(elapsed);
        let Self { id, method, path, status, .. } = self;
        let (status, request) = (status.as_u16(), id.map(tracing::field::display));
        let elapsed_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        if status < 400 {
            debug!(request, %method, ?path, status, elapsed_ms, "request");
        } else {
            info!(request, %method, ?path, status, elapsed_ms, "request");
        }
    }
}

/// As much of a path as may be written: it comes from the caller.
fn logged(path: &str) -> String {
    let end = path.find(KEY).map_or(path.len(), |begin| begin + KEY.len());
    path[..path.floor_char_boundary(end.min(MAX_LOGGED_PATH))].to_owned()
}

fn status_class(status: StatusCode) -> &'static str {
    match status.as_u16() / 100 {
        2 => "2xx",
        3 => "3xx",
        4 => "4xx",
        _ => "5xx",
    }
}

impl<S, B, R> Service<Request<B>> for AccessLog<S>
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
        let path = logged(request.uri().path());
        // 499: what nginx calls a caller who left before there was an answer.
        let mut line = Line {
            id: request.extensions().get().copied(),
            method: request.method().clone(),
            path,
            status: StatusCode::from_u16(499).unwrap_or(StatusCode::BAD_REQUEST),
            started: Instant::now(),
        };
        let answer = self.inner.call(request);
        Box::pin(async move {
            let response = answer.await?;
            line.status = response.status();
            Ok(response.map(|body| Body::new(WatchedBody::new(body, line))))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_cut_before_it_tells_a_key() {
        assert_eq!(logged("/v1/models/a/b"), "/v1/models/a/b");
        assert_eq!(logged("/v1/models/sk-pw-secret"), "/v1/models/sk-pw-");
        assert_eq!(logged(&"ä".repeat(100)), "ä".repeat(50));
    }
}
