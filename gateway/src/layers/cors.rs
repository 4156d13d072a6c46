//! Which pages' scripts may ask.
//!
//! A page in a browser shows a key or token in a header, never a cookie, so who asks is known without the page's origin
//! and any page may: that is the default. Credentials are not allowed with it, so a browser adds nothing by itself.

use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::Either;
use http::header::ORIGIN;
use http::{HeaderName, HeaderValue, Method, Request, Response};
use tower::{Layer, Service};
use tower_http::cors::{AllowHeaders, AllowOrigin, Cors, CorsLayer};

/// How long a browser may believe a preflight's answer.
const MAX_AGE: Duration = Duration::from_secs(2 * 60 * 60);
/// What scripts may read. The last stands for all others, for browsers that know it.
const EXPOSED: [&str; 19] = [
    "retry-after",
    "x-request-id",
    "x-ratelimit-limit-requests",
    "x-ratelimit-remaining-requests",
    "x-ratelimit-reset-requests",
    "x-ratelimit-limit-tokens",
    "x-ratelimit-remaining-tokens",
    "x-ratelimit-reset-tokens",
    "x-peerway-node",
    "x-peerway-price-input",
    "x-peerway-price-output",
    "x-peerway-queue-ms",
    "x-peerway-gateway-ms",
    "x-peerway-attempts",
    "x-peerway-explain",
    "x-peerway-replayed",
    "openai-processing-ms",
    "openai-version",
    "*",
];

/// Answers preflights, before anybody asks for a key, and marks answers to pages as readable.
///
/// Who sends no `Origin` is no page and is told nothing of it: that would be half a kilobyte for each answer, and as much
/// memory for each stream.
#[derive(Debug, Clone)]
pub struct PagesLayer(CorsLayer);

impl<S> Layer<S> for PagesLayer {
    type Service = PagesService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        PagesService(self.0.layer(inner))
    }
}

/// See [`PagesLayer`].
#[derive(Debug, Clone)]
pub struct PagesService<S>(Cors<S>);

impl<S, B, R> Service<Request<B>> for PagesService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: Default,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Either<<Cors<S> as Service<Request<B>>>::Future, S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        if request.headers().contains_key(ORIGIN) {
            Either::Left(self.0.call(request))
        } else {
            Either::Right(self.0.get_mut().call(request))
        }
    }
}

/// The layer for pages of `origins`. None: no page may ask.
#[must_use]
pub fn cors(origins: &[String]) -> Option<PagesLayer> {
    let allowed = match origins {
        [] => return None,
        [any] if any == "*" => AllowOrigin::any(),
        some => AllowOrigin::list(some.iter().filter_map(|origin| HeaderValue::from_str(origin).ok())),
    };
    Some(PagesLayer(
        CorsLayer::new()
            .allow_origin(allowed)
            .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
            // SDKs send headers that nobody can list; none of them gives a caller anything.
            .allow_headers(AllowHeaders::mirror_request())
            .expose_headers(EXPOSED.map(HeaderName::from_static))
            .max_age(MAX_AGE),
    ))
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use axum::body::Body;
    use http::{HeaderMap, Request, Response, StatusCode};
    use tower::{Layer, ServiceExt};

    use super::*;

    /// Asks a service that refuses everything for want of a key.
    async fn ask(origins: &[&str], method: Method, headers: &[(&'static str, &str)]) -> (StatusCode, HeaderMap) {
        let inner = tower::service_fn(|_: Request<Body>| async {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::UNAUTHORIZED;
            Ok::<_, Infallible>(response)
        });
        let origins: Vec<String> = origins.iter().map(|&origin| origin.to_owned()).collect();
        let service = cors(&origins).unwrap().layer(inner);
        let mut request = Request::builder().method(method).uri("/v1/chat/completions").body(Body::empty()).unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        let (parts, _) = service.oneshot(request).await.unwrap().into_parts();
        (parts.status, parts.headers)
    }

    #[tokio::test]
    async fn a_preflight_needs_no_key() {
        let asked = "authorization,content-type,x-stainless-lang,anthropic-version";
        let preflight = [
            ("origin", "https://app.example.com"),
            ("access-control-request-method", "POST"),
            ("access-control-request-headers", asked),
        ];
        let (status, headers) = ask(&["*"], Method::OPTIONS, &preflight).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(headers["access-control-allow-origin"], "*");
        assert_eq!(headers["access-control-allow-headers"], asked);
        assert_eq!(headers["access-control-max-age"], "7200");
        assert!(headers["access-control-allow-methods"].to_str().unwrap().contains("PATCH"));
        assert!(!headers.contains_key("access-control-allow-credentials"));
    }

    #[tokio::test]
    async fn refusals_can_be_read_too() {
        let (status, headers) = ask(&["*"], Method::POST, &[("origin", "https://app.example.com")]).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED);
        let exposed = headers["access-control-expose-headers"].to_str().unwrap();
        for name in ["x-request-id", "x-ratelimit-remaining-tokens", "x-peerway-node", "retry-after"] {
            assert!(exposed.contains(name), "{name}");
        }
    }

    #[tokio::test]
    async fn who_is_no_page_is_told_nothing_of_it() {
        let (status, headers) = ask(&["*"], Method::POST, &[]).await;
        assert_eq!((status, headers.len()), (StatusCode::UNAUTHORIZED, 0), "{headers:?}");
    }

    #[tokio::test]
    async fn a_list_of_origins_is_a_bound() {
        let allowed = async |origin| {
            let (_, headers) = ask(&["https://app.example.com"], Method::POST, &[("origin", origin)]).await;
            headers.get("access-control-allow-origin").map(|origin| origin.to_str().unwrap().to_owned())
        };
        assert_eq!(allowed("https://app.example.com").await.as_deref(), Some("https://app.example.com"));
        assert_eq!(allowed("https://app.example.com.evil.example").await, None);
        assert!(cors(&[]).is_none());
    }
}
