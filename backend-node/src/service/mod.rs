//! The HTTP service that gateways reach over libp2p.
//!
//! It speaks OpenAI's dialect, so that a node can be tested with any OpenAI client, and it trusts no request: a gateway
//! checks what callers send, but anyone may run a gateway. Three paths, matched by hand: a router crate would be more
//! code than the match.

mod chat;
mod reply;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body::Body;
use peerway_openapi::models::{Metering, Model, ModelList};
use peerway_openapi::{ApiError, ErrorKind};

pub use reply::ReplyBody;

use crate::engine::{Engine, capability};

/// Bounds on what a request may cost before it is understood.
#[derive(Debug, Clone, Copy)]
pub struct ServiceLimits {
    /// Bytes of a request's body.
    pub max_body: usize,
    /// Time for a request's body to arrive.
    pub body_timeout: Duration,
}

impl Default for ServiceLimits {
    fn default() -> Self {
        Self { max_body: 8 << 20, body_timeout: Duration::from_secs(30) }
    }
}

/// Answers requests with an engine. Cheap to clone.
#[derive(Clone)]
pub struct NodeService {
    engine: Arc<dyn Engine>,
    limits: ServiceLimits,
    started: i64,
}

impl NodeService {
    /// A service for this engine.
    #[must_use]
    pub fn new(engine: Arc<dyn Engine>, limits: ServiceLimits) -> Self {
        let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Self { engine, limits, started: i64::try_from(since_epoch.as_secs()).unwrap_or(i64::MAX) }
    }

    /// Answers one request. Dropping the future, or the body of the answer, stops the engine's work.
    pub async fn handle<B>(&self, request: Request<B>) -> Response<ReplyBody>
    where
        B: Body<Data = Bytes> + Send,
        B::Error: std::fmt::Display,
    {
        let (head, body) = request.into_parts();
        let answered = match (head.method, head.uri.path()) {
            (Method::POST, "/v1/chat/completions") => {
                chat::answer(self.engine.as_ref(), self.limits, std::pin::pin!(body)).await
            }
            (Method::GET, "/v1/models") => Ok(reply::json(&self.models())),
            (Method::GET, "/health") => Ok(reply::json(&serde_json::json!({ "status": "ok" }))),
            (_, "/v1/chat/completions" | "/v1/models" | "/health") => {
                Err(ApiError::new(ErrorKind::MethodNotAllowed, "This path does not take this method."))
            }
            _ => Err(ApiError::new(ErrorKind::UnknownPath, "A node has /v1/chat/completions, /v1/models and /health.")),
        };
        answered.unwrap_or_else(|error| reply::error(&error))
    }

    fn models(&self) -> ModelList {
        let models = self.engine.models().into_iter().map(|model| Model {
            id: model.id,
            object: "model".to_owned(),
            created: self.started,
            owned_by: "peerway-node".to_owned(),
            context_length: model.context_length,
            pricing: None,
            supported_parameters: supported(model.capabilities),
            nodes: 1,
            metering: Metering::Bytes,
        });
        ModelList::of(models.collect())
    }
}

/// Every parameter by its name. Some bring others with them, as `logprobs` brings `top_logprobs`.
fn supported(capabilities: Vec<String>) -> Vec<String> {
    let mut names: Vec<String> = capability::USUAL.map(str::to_owned).to_vec();
    for capability in capabilities.into_iter().filter(|name| capability::is_parameter(name)) {
        let with: &[&str] = match capability.as_str() {
            capability::TOOLS => &["tool_choice", "parallel_tool_calls"],
            "logprobs" => &["top_logprobs"],
            _ => &[],
        };
        names.push(capability);
        names.extend(with.iter().copied().map(str::to_owned));
    }
    names
}
