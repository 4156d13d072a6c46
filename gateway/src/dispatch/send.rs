//! One request to one node, up to the head of its answer.

use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use peerway_openapi::error::ErrorEnvelope;
use peerway_openapi::{ApiError, ErrorKind};
use peerway_p2p::{Client, ResponseBody};

use super::attempts::Failed;
use super::fault::quoted;
use crate::route::Pick;

/// Bytes of a refusal that are read.
const MAX_REFUSAL: usize = 64 << 10;

/// Posts a body and waits, not longer than `wait`, for the head of a good answer.
pub(super) async fn post(
    client: &Client,
    pick: &Pick,
    path: Uri,
    body: Bytes,
    wait: Duration,
) -> Result<(HeaderMap, ResponseBody), Failed> {
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = path;
    request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let sent = client.send(pick.candidate.peer_id(), request);
    let response = match tokio::time::timeout(wait, sent).await {
        Err(_) => return Err(Failed::node("no answer in time")),
        Ok(Err(error)) => return Err(Failed::node(error)),
        Ok(Ok(response)) => response,
    };
    let (head, body) = response.into_parts();
    if head.status != StatusCode::OK {
        return Err(refusal(head.status, body, wait).await);
    }
    Ok((head.headers, body))
}

/// What a node's refusal means: that the request is wrong, that there is no room, or the node's own trouble.
async fn refusal(status: StatusCode, body: ResponseBody, wait: Duration) -> Failed {
    let read = tokio::time::timeout(wait, Limited::new(body, MAX_REFUSAL).collect()).await;
    let bytes = read.ok().and_then(Result::ok).map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let error = serde_json::from_slice::<ErrorEnvelope>(&bytes).map(|envelope| envelope.error).ok();
    let why = error.as_ref().map_or_else(|| format!("status {status}"), |error| quoted(&error.message));
    match (status, error.and_then(|error| error.param)) {
        (StatusCode::BAD_REQUEST, Some(param)) => Failed::Request(ApiError::invalid(quoted(&param), why)),
        (StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE | StatusCode::UNPROCESSABLE_ENTITY, _) => {
            Failed::Request(ApiError::new(ErrorKind::InvalidRequest, why))
        }
        (StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS, _) => Failed::Node { busy: true, why },
        _ => Failed::Node { busy: false, why },
    }
}
