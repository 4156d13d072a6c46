//! The HTTP service that gateways reach over libp2p.
//!
//! It speaks OpenAI's dialect, so that a node can be tested with any OpenAI client, and it trusts no request: a gateway
//! checks what callers send, but anyone may run a gateway. The paths are matched by hand: a router crate would be more code
//! than the match.

mod answer;
mod body;
mod relay;
mod reply;

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Response};
use http_body::Body;
use peerway_openapi::chat::ChatRequest;
use peerway_openapi::completions::CompletionRequest;
use peerway_openapi::embeddings::EmbeddingRequest;
use peerway_openapi::models::{Metering, Model, ModelList};
use peerway_openapi::{ApiError, ErrorKind, parse};

pub use reply::ReplyBody;

use crate::engine::{Engine, EngineError, ModelInfo, capability};

const CHAT: &str = "/v1/chat/completions";
const COMPLETIONS: &str = "/v1/completions";
const EMBEDDINGS: &str = "/v1/embeddings";
/// Milliseconds for which a request waited for a slot, for the gateway to pass on.
const QUEUE_HEADER: HeaderName = HeaderName::from_static("x-peerway-queue-ms");

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
        let body = std::pin::pin!(body);
        let answered = match (head.method, head.uri.path()) {
            (Method::POST, CHAT) => self.chat(body).await,
            (Method::POST, COMPLETIONS) => self.complete(body).await,
            (Method::POST, EMBEDDINGS) => self.embed(body).await,
            (Method::GET, "/v1/models") => Ok(reply::json(&self.models())),
            (Method::GET, "/health") => Ok(reply::json(&serde_json::json!({ "status": "ok" }))),
            (_, CHAT | COMPLETIONS | EMBEDDINGS | "/v1/models" | "/health") => {
                Err(ApiError::new(ErrorKind::MethodNotAllowed, "This path does not take this method."))
            }
            _ => Err(ApiError::new(
                ErrorKind::UnknownPath,
                "A node has /v1/chat/completions, /v1/completions, /v1/embeddings, /v1/models and /health.",
            )),
        };
        answered.unwrap_or_else(|error| reply::error(&error))
    }

    async fn chat<B>(&self, body: Pin<&mut B>) -> Result<Response<ReplyBody>, ApiError>
    where
        B: Body<Data = Bytes> + Send,
        B::Error: std::fmt::Display,
    {
        let mut request: ChatRequest = parse::json(&body::read(body, self.limits).await?)?;
        let added = request.peerway.take();
        request.validate()?;
        request.peerway = relay::taken(added, self.engine.as_ref(), &request.model, request.choices())?;
        answer::answer(self.engine.as_ref(), request.into()).await
    }

    async fn complete<B>(&self, body: Pin<&mut B>) -> Result<Response<ReplyBody>, ApiError>
    where
        B: Body<Data = Bytes> + Send,
        B::Error: std::fmt::Display,
    {
        let mut request: CompletionRequest = parse::json(&body::read(body, self.limits).await?)?;
        let added = request.peerway.take();
        request.validate()?;
        request.peerway = relay::taken(added, self.engine.as_ref(), &request.model, request.choices())?;
        if request.is_echo() {
            return Err(ApiError::invalid("echo", "A node does not echo prompts; its gateway does."));
        }
        answer::answer(self.engine.as_ref(), request.into()).await
    }

    async fn embed<B>(&self, body: Pin<&mut B>) -> Result<Response<ReplyBody>, ApiError>
    where
        B: Body<Data = Bytes> + Send,
        B::Error: std::fmt::Display,
    {
        let request: EmbeddingRequest = parse::json(&body::read(body, self.limits).await?)?;
        request.validate()?;
        let (waited, embedded) = self.engine.embed_queued(request).await;
        Ok(queued(reply::json(&embedded.map_err(|error| refused(&error))?), waited))
    }

    fn models(&self) -> ModelList {
        let models = self.engine.models().into_iter().map(|model| Model {
            supported_parameters: supported(&model),
            id: model.id,
            object: "model".to_owned(),
            created: self.started,
            owned_by: "peerway-node".to_owned(),
            name: None,
            architecture: None,
            context_length: model.context_length,
            pricing: None,
            nodes: 1,
            metering: Metering::Bytes,
        });
        ModelList::of(models.collect())
    }
}

/// Tells how long the request waited for a slot.
fn queued(mut response: Response<ReplyBody>, waited: Duration) -> Response<ReplyBody> {
    let queued_ms = u64::try_from(waited.as_millis()).unwrap_or(u64::MAX);
    response.headers_mut().insert(QUEUE_HEADER, HeaderValue::from(queued_ms));
    response
}

fn refused(error: &EngineError) -> ApiError {
    match error {
        EngineError::Failed { .. } => tracing::warn!(%error, "a request failed"),
        _ => tracing::debug!(%error, "a request was refused"),
    }
    error.to_api()
}

/// Every parameter by its name. Some bring others with them, as `logprobs` brings `top_logprobs`.
fn supported(model: &ModelInfo) -> Vec<String> {
    if model.can(capability::EMBEDDINGS) {
        return vec!["encoding_format".to_owned()];
    }
    let mut names: Vec<String> = capability::USUAL.map(str::to_owned).to_vec();
    for capability in model.capabilities.iter().filter(|name| capability::is_parameter(name)) {
        let with: &[&str] = match capability.as_str() {
            capability::TOOLS => &["tool_choice", "parallel_tool_calls"],
            "logprobs" => &["top_logprobs"],
            _ => &[],
        };
        names.push(capability.clone());
        names.extend(with.iter().copied().map(str::to_owned));
    }
    names
}
