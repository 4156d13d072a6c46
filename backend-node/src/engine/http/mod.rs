//! An OpenAI-compatible server that the operator runs already: vLLM, llama.cpp, Ollama, another mistral.rs.
//!
//! What goes upstream is the typed request, written anew: a field that this project does not know cannot pass, which no
//! filter over raw JSON could promise. What comes back is parsed in the same way, bounded in size and in time, so that a
//! broken upstream ends in an error and never in a hanging or a growing node.

mod embed;
mod failure;
mod lenient;
mod refuse;
mod settings;
mod stream;

use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use peerway_openapi::chat::{ChatChunk, ChatCompletion, ChatRequest, StreamOptions};
use peerway_openapi::completions::{CompletionChunk, CompletionRequest};
use peerway_openapi::embeddings::{EmbeddingRequest, EmbeddingResponse};
use reqwest::{Client, Response};
use serde::Serialize;

pub use settings::{HttpSettings, SettingsError};

use super::{Answer, Engine, EngineError, ModelInfo};
use stream::Expected;

const CHAT: &str = "/chat/completions";
const COMPLETIONS: &str = "/completions";
/// Bytes of an answer that is not streamed.
const MAX_ANSWER: usize = 32 << 20;
/// Bytes of an error's body that are read; more would not be shown anyway.
const MAX_ERROR: usize = 64 << 10;

/// Fronts one model of one upstream server.
pub struct HttpEngine {
    client: Client,
    base: String,
    authorization: Option<HeaderValue>,
    upstream_model: String,
    model: ModelInfo,
    first_byte: Duration,
    idle: Duration,
}

impl HttpEngine {
    /// An engine for these settings. Nothing is sent until the first request: the upstream may start later.
    ///
    /// # Errors
    /// `SettingsError` naming the setting at fault.
    pub fn new(settings: HttpSettings, model: ModelInfo) -> Result<Self, SettingsError> {
        let base = settings.base()?;
        let authorization = settings.authorization()?;
        let client = Client::builder()
            .tcp_nodelay(true)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(settings.connect_timeout)
            .pool_max_idle_per_host(1024)
            .build()
            .map_err(|error| SettingsError::Client(error.to_string()))?;
        Ok(Self {
            client,
            base,
            authorization,
            upstream_model: settings.model.unwrap_or_else(|| model.id.clone()),
            model,
            first_byte: settings.first_byte_timeout,
            idle: settings.idle_timeout,
        })
    }

    async fn send(&self, path: &str, request: &impl Serialize, is_stream: bool) -> Result<Response, EngineError> {
        let body = serde_json::to_vec(request)
            .map_err(|error| EngineError::node("The request could not be sent on.", error.to_string()))?;
        let mut post = self.client.post(format!("{}{path}", self.base)).header(CONTENT_TYPE, "application/json");
        if is_stream {
            post = post.header(ACCEPT, "text/event-stream");
        }
        if let Some(authorization) = &self.authorization {
            post = post.header(AUTHORIZATION, authorization.clone());
        }
        let sent = tokio::time::timeout(self.first_byte, post.body(body).send()).await;
        let response = match sent {
            Err(_elapsed) => return Err(failure::silent("send an answer", self.first_byte)),
            Ok(Err(error)) => return Err(failure::transport(&error)),
            Ok(Ok(response)) => response,
        };
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        let body = self.read(response, MAX_ERROR).await.unwrap_or_default();
        Err(failure::refused(status, &body))
    }

    fn serves(&self, model: &str) -> Result<(), EngineError> {
        if model == self.model.id { Ok(()) } else { Err(EngineError::UnknownModel(model.to_owned())) }
    }

    fn expected(&self, choices: usize) -> Expected {
        Expected { model: self.model.id.clone(), choices, idle: self.idle }
    }

    /// Reads a body to its end.
    async fn read(&self, mut response: Response, max: usize) -> Result<Bytes, EngineError> {
        let mut body = BytesMut::new();
        loop {
            let piece = match tokio::time::timeout(self.idle, response.chunk()).await {
                Err(_elapsed) => return Err(failure::silent("go on with its answer", self.idle)),
                Ok(Err(error)) => return Err(failure::transport(&error)),
                Ok(Ok(None)) => return Ok(body.freeze()),
                Ok(Ok(Some(piece))) => piece,
            };
            if body.len() + piece.len() > max {
                return Err(failure::malformed(format_args!("its answer is larger than {max} bytes")));
            }
            if body.is_empty() && response.content_length() == u64::try_from(piece.len()).ok() {
                return Ok(piece);
            }
            body.extend_from_slice(&piece);
        }
    }
}

#[async_trait]
impl Engine for HttpEngine {
    fn models(&self) -> Vec<ModelInfo> {
        vec![self.model.clone()]
    }

    /// A server reads a prompt once for all choices of a request, which several requests would undo. They hold one slot:
    /// how many answers it computes at a time is the server's own affair.
    fn makes_choices(&self) -> bool {
        true
    }

    async fn chat(&self, mut request: ChatRequest) -> Result<Answer, EngineError> {
        self.serves(&request.model)?;
        refuse::chat(&request, &self.model)?;
        request.model.clone_from(&self.upstream_model);
        // By both names: some servers know only the older one, and would write on until they like to stop.
        let limit = request.max_generated().map(|limit| limit.tokens);
        (request.max_tokens, request.max_completion_tokens) = (limit, limit);
        let choices = usize::try_from(request.choices()).unwrap_or(usize::MAX);
        if request.is_stream() {
            request.stream_options = Some(StreamOptions { include_usage: Some(true) });
            let response = self.send(CHAT, &request, true).await?;
            return Ok(Answer::Stream(stream::chunks::<ChatChunk>(response, self.expected(choices))));
        }
        let response = self.send(CHAT, &request, false).await?;
        let body = self.read(response, MAX_ANSWER).await?;
        let mut whole: ChatCompletion =
            lenient::read(&body).map_err(|error| failure::malformed(format_args!("its answer: {error}")))?;
        if whole.choices.len() != choices {
            let found = whole.choices.len();
            return Err(failure::malformed(format_args!("its answer has {found} choices of {choices}")));
        }
        whole.model.clone_from(&self.model.id);
        Ok(Answer::Whole(Box::new(whole)))
    }

    async fn complete(&self, mut request: CompletionRequest) -> Result<Answer, EngineError> {
        self.serves(&request.model)?;
        refuse::format(request.response_format.as_ref())?;
        request.model.clone_from(&self.upstream_model);
        let choices = usize::try_from(request.choices()).unwrap_or(usize::MAX);
        // Always streamed: an answer in pieces has one form, and whoever wants it whole gets it put together.
        request.stream = Some(true);
        request.stream_options = Some(StreamOptions { include_usage: Some(true) });
        let response = self.send(COMPLETIONS, &request, true).await?;
        Ok(Answer::Stream(stream::chunks::<CompletionChunk>(response, self.expected(choices))))
    }

    async fn embed(&self, request: EmbeddingRequest) -> Result<EmbeddingResponse, EngineError> {
        self.serves(&request.model)?;
        self.embeddings(request).await
    }
}
