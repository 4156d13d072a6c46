//! One node after the other, until one begins to answer.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use peerway_openapi::chat::{ChatRequest, StreamOptions};
use peerway_openapi::error::ErrorEnvelope;
use peerway_openapi::{ApiError, ErrorKind};
use peerway_p2p::{Client, ResponseBody};
use tracing::{info, warn};

use super::NodeAnswer;
use super::answer::{InFlight, quoted};
use crate::route::Pick;

/// Where nodes serve.
const PATH: &str = "/v1/chat/completions";
/// The header in which a node tells how long a request waited for a slot.
const QUEUE_HEADER: &str = "x-peerway-queue-ms";
/// Bytes of a refusal that are read.
const MAX_REFUSAL: usize = 64 << 10;

/// How long a node may take.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// Until the first piece of the answer.
    pub first_token: Duration,
}

/// An answer that has begun.
#[derive(Debug)]
pub struct Dispatched {
    /// The node that answers.
    pub pick: Pick,
    /// Its answer.
    pub answer: NodeAnswer,
    /// Milliseconds for which the request waited at the node, where it says so.
    pub queue_ms: Option<u64>,
    /// Nodes that were tried before.
    pub failed_attempts: usize,
}

/// How an attempt ended that led to no answer.
enum Failed {
    /// This node cannot serve now; another may. Its own fault or not.
    Node { busy: bool, why: String },
    /// No node will serve this request: it is the caller's mistake.
    Request(ApiError),
}

/// The request as nodes get it: always streamed, always with usage, and no longer than the credit reaches.
///
/// # Errors
/// Where it cannot be written as JSON, which is a fault of ours.
pub fn request_for_nodes(request: &ChatRequest, completion_limit: u64) -> Result<Bytes, serde_json::Error> {
    let sent = ChatRequest {
        stream: Some(true),
        stream_options: Some(StreamOptions { include_usage: Some(true) }),
        max_tokens: None,
        max_completion_tokens: Some(u32::try_from(completion_limit).unwrap_or(u32::MAX)),
        ..request.clone()
    };
    serde_json::to_vec(&sent).map(Bytes::from)
}

/// The nodes that are left to try for a request.
#[derive(Debug)]
pub struct Attempts {
    picks: std::vec::IntoIter<Pick>,
    tried: usize,
    /// Every node so far had no room; none failed.
    all_busy: bool,
}

impl Attempts {
    /// All of them, the best first.
    #[must_use]
    pub fn new(picks: Vec<Pick>) -> Self {
        Self { picks: picks.into_iter(), tried: 0, all_busy: true }
    }

    /// Whether none is left.
    #[must_use]
    pub fn are_used_up(&self) -> bool {
        self.picks.len() == 0
    }

    fn error(&self) -> ApiError {
        let tried = self.tried;
        if self.all_busy {
            let message = format!("All {tried} nodes that were tried are busy. Try again.");
            return ApiError::new(ErrorKind::NoHealthyNode, message);
        }
        let message = format!("None of the {tried} nodes that were tried answered. You were not charged; try again.");
        ApiError::new(ErrorKind::NodeFailed, message)
    }
}

/// Tries nodes in their order until one begins to answer. Nothing has been shown to the caller until then and nothing
/// is charged for what was not shown, so the next node may do the work again.
///
/// # Errors
/// The caller's own mistake where a node names one, `NoHealthyNode` where all are busy, `NodeFailed` otherwise.
pub async fn dispatch(
    client: &Client,
    attempts: &mut Attempts,
    body: &Bytes,
    completion_limit: u64,
    timeouts: Timeouts,
) -> Result<Dispatched, ApiError> {
    for pick in attempts.picks.by_ref() {
        let failed_attempts = attempts.tried;
        attempts.tried += 1;
        let node = pick.candidate.peer_id();
        let started = Instant::now();
        match attempt(client, &pick, body.clone(), completion_limit, timeouts).await {
            Ok((answer, queue_ms)) => {
                metrics::counter!("peerway_attempts_total", "result" => "answered").increment(1);
                metrics::histogram!("peerway_first_token_seconds").record(started.elapsed());
                pick.candidate.stats().record_success();
                return Ok(Dispatched { pick, answer, queue_ms, failed_attempts });
            }
            Err(Failed::Request(error)) => {
                metrics::counter!("peerway_attempts_total", "result" => "refused").increment(1);
                return Err(error);
            }
            Err(Failed::Node { busy: true, why }) => {
                metrics::counter!("peerway_attempts_total", "result" => "busy").increment(1);
                info!(%node, why, "node is busy; trying the next");
            }
            Err(Failed::Node { busy: false, why }) => {
                metrics::counter!("peerway_attempts_total", "result" => "failed").increment(1);
                warn!(%node, why, "node failed before its answer began; trying the next");
                pick.candidate.stats().record_failure();
                attempts.all_busy = false;
            }
        }
    }
    Err(attempts.error())
}

async fn attempt(
    client: &Client,
    pick: &Pick,
    body: Bytes,
    completion_limit: u64,
    timeouts: Timeouts,
) -> Result<(NodeAnswer, Option<u64>), Failed> {
    let failed = |why: String| Failed::Node { busy: false, why };
    let in_flight = InFlight::at(&pick.candidate);
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = http::Uri::from_static(PATH);
    request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let sent = client.send(pick.candidate.peer_id(), request);
    let response = match tokio::time::timeout(timeouts.first_token, sent).await {
        Err(_) => return Err(failed("no answer in time".to_owned())),
        Ok(Err(error)) => return Err(failed(error.to_string())),
        Ok(Ok(response)) => response,
    };
    let (head, body) = response.into_parts();
    if head.status != StatusCode::OK {
        return Err(refusal(head.status, body, timeouts.first_token).await);
    }
    let queue_ms = head.headers.get(QUEUE_HEADER).and_then(|value| value.to_str().ok()?.parse().ok());
    let mut answer = NodeAnswer::new(pick.candidate.clone(), body, completion_limit, in_flight);
    answer.await_first(timeouts.first_token).await.map_err(|fault| failed(fault.to_string()))?;
    Ok((answer, queue_ms))
}

/// What a node's refusal means. Only a refusal that names a field is believed to be the caller's mistake: anything else
/// is the node's own trouble, and another may do better.
async fn refusal(status: StatusCode, body: ResponseBody, wait: Duration) -> Failed {
    let read = tokio::time::timeout(wait, Limited::new(body, MAX_REFUSAL).collect()).await;
    let bytes = read.ok().and_then(Result::ok).map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let error = serde_json::from_slice::<ErrorEnvelope>(&bytes).map(|envelope| envelope.error).ok();
    let why = error.as_ref().map_or_else(|| format!("status {status}"), |error| quoted(&error.message));
    match (status, error.and_then(|error| error.param)) {
        (StatusCode::BAD_REQUEST, Some(param)) => Failed::Request(ApiError::invalid(quoted(&param), why)),
        (StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS, _) => Failed::Node { busy: true, why },
        _ => Failed::Node { busy: false, why },
    }
}
