//! What is asked of a model, in one form for every API.

use bytes::Bytes;
use peerway_openapi::ApiError;
use peerway_openapi::chat::{
    ChatRequest, ContentPart, ReasoningEffort, ResponseFormat, StreamOptions, ToolChoice, ToolMode,
};
use peerway_openapi::completions::{CompletionRequest, Prompt};
use peerway_openapi::relay::{Delivered, ForNode};
use peerway_openapi::routing::ProviderPreferences;

use crate::catalog::CatalogModel;
use crate::dispatch::Form;
use crate::meter::Delivery;
use crate::route::Requirement;

/// Tokens that one picture or recording may add to a prompt, beyond what the gateway can count itself.
const TOKENS_PER_MEDIUM: u64 = 4096;

/// A request to a model, parsed and validated.
#[derive(Debug)]
pub struct Ask {
    /// The work itself.
    pub work: Work,
    /// Bytes of the request's body.
    pub bytes: usize,
    /// When the caller sees the answer.
    pub delivery: Delivery,
}

/// What a node is to do.
#[derive(Debug, Clone)]
pub enum Work {
    /// Go on with a conversation.
    Chat(Box<ChatRequest>),
    /// Go on with texts.
    Completion(Box<CompletionRequest>),
}

impl Work {
    /// The model that is asked for, as the caller names it.
    #[must_use]
    pub fn model(&self) -> &str {
        match self {
            Self::Chat(request) => &request.model,
            Self::Completion(request) => &request.model,
        }
    }

    /// The models to fall back on, and the wishes about the nodes that serve.
    #[must_use]
    pub fn routing(&self) -> (&[String], Option<&ProviderPreferences>) {
        let (models, provider) = match self {
            Self::Chat(request) => (&request.models, &request.provider),
            Self::Completion(request) => (&request.models, &request.provider),
        };
        (models.as_deref().unwrap_or_default(), provider.as_ref())
    }

    /// How nodes are asked, and how they answer.
    #[must_use]
    pub fn form(&self) -> Form {
        match self {
            Self::Chat(_) => Form::Chat,
            Self::Completion(_) => Form::Completion,
        }
    }

    /// Answers asked for, at least one.
    #[must_use]
    pub fn choices(&self) -> u64 {
        match self {
            Self::Chat(request) => u64::from(request.choices()),
            Self::Completion(request) => u64::from(request.choices()),
        }
        .max(1)
    }

    /// The caller's limit on the tokens of each answer. None: it set none.
    #[must_use]
    pub fn limit(&self) -> Option<u64> {
        match self {
            Self::Chat(request) => request.max_generated().map(|limit| u64::from(limit.tokens)),
            Self::Completion(request) => Some(u64::from(request.max_generated())),
        }
    }

    /// Tokens of the prompt: of all prompts, where there are several, and of the longest.
    ///
    /// # Errors
    /// `InvalidRequest` where the model's chat template refuses the messages.
    pub fn count_prompt(&self, model: &CatalogModel) -> Result<PromptSize, ApiError> {
        match self {
            Self::Chat(request) => {
                let counted = count_chat(request, model)?;
                Ok(PromptSize { all: counted, longest: counted })
            }
            Self::Completion(request) => {
                let size = |prompt: &Prompt| match prompt {
                    Prompt::Text(text) => model.count_text(text),
                    Prompt::Tokens(tokens) => tokens.len() as u64,
                };
                let sizes = request.prompt.0.iter().map(size);
                Ok(sizes.fold(PromptSize::default(), |so_far, size| PromptSize {
                    all: so_far.all.saturating_add(size),
                    longest: so_far.longest.max(size),
                }))
            }
        }
    }

    /// Tokens that the prompt may have beyond those that were counted: of pictures and recordings only the model knows.
    #[must_use]
    pub fn uncounted(&self) -> u64 {
        match self {
            Self::Chat(request) => {
                let media: usize = request.messages.iter().map(|message| message.media().count()).sum();
                TOKENS_PER_MEDIUM * media as u64
            }
            Self::Completion(_) => 0,
        }
    }

    /// What a node must be able to do, each with the field that asks for it.
    #[must_use]
    pub fn requirements(&self) -> Vec<Requirement> {
        match self {
            Self::Chat(request) => chat_requirements(request),
            Self::Completion(request) => completion_requirements(request),
        }
    }

    /// The request as nodes of this model get it: always streamed, always with usage, no longer than the credit reaches,
    /// and without wishes about who serves. `added` is what gateways say to nodes alone.
    ///
    /// # Errors
    /// Where it cannot be written as JSON, which is a fault of ours.
    pub fn for_nodes(&self, model: &str, limit: u64, added: ForNode) -> Result<Bytes, serde_json::Error> {
        let peerway = Some(added);
        let limit = u32::try_from(limit).unwrap_or(u32::MAX);
        let stream_options = Some(StreamOptions { include_usage: Some(true) });
        match self {
            Self::Chat(request) => serde_json::to_vec(&ChatRequest {
                model: model.to_owned(),
                provider: None,
                models: None,
                stream: Some(true),
                stream_options,
                max_tokens: None,
                max_completion_tokens: Some(limit),
                peerway,
                ..(**request).clone()
            }),
            Self::Completion(request) => serde_json::to_vec(&CompletionRequest {
                model: model.to_owned(),
                provider: None,
                models: None,
                stream: Some(true),
                stream_options,
                max_tokens: Some(limit),
                // The prompt is the gateway's to repeat: it costs nothing to generate.
                echo: None,
                peerway,
                ..(**request).clone()
            }),
        }
        .map(Bytes::from)
    }
}

/// A request as a node got it, to be gone on with from what another delivered.
///
/// # Errors
/// Where it cannot be read and written as JSON, which is a fault of ours.
pub(super) fn resuming(form: Form, sent: &[u8], delivered: Delivered) -> Result<Bytes, serde_json::Error> {
    let peerway = Some(ForNode { token_ids: true, resume: Some(delivered) });
    match form {
        Form::Chat => serde_json::to_vec(&ChatRequest { peerway, ..serde_json::from_slice(sent)? }),
        Form::Completion => serde_json::to_vec(&CompletionRequest { peerway, ..serde_json::from_slice(sent)? }),
    }
    .map(Bytes::from)
}

/// Tokens of a conversation.
pub(super) fn count_chat(request: &ChatRequest, model: &CatalogModel) -> Result<u64, ApiError> {
    model.count_prompt(request).map_err(|refusal| ApiError::invalid("messages", refusal.to_string()))
}

/// Tokens of the prompts of a request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PromptSize {
    /// Of all of them.
    pub all: u64,
    /// Of the longest, which must fit the context.
    pub longest: u64,
}

fn chat_requirements(request: &ChatRequest) -> Vec<Requirement> {
    let tools = request.tools.as_ref().is_some_and(|tools| !tools.is_empty())
        && request.tool_choice != Some(ToolChoice::Mode(ToolMode::None));
    let thinks = request.reasoning_effort.is_some_and(|effort| effort != ReasoningEffort::None);
    let has = |kind: fn(&ContentPart) -> bool| request.messages.iter().any(|message| message.media().any(kind));
    let own = present([
        (tools, "tools", "tools"),
        (thinks, "reasoning_effort", "reasoning_effort"),
        (has(|part| matches!(part, ContentPart::ImageUrl { .. })), "image_input", "messages"),
        (has(|part| matches!(part, ContentPart::InputAudio { .. })), "audio_input", "messages"),
    ]);
    own.into_iter().chain(sampling_requirements(request)).collect()
}

fn completion_requirements(request: &CompletionRequest) -> Vec<Requirement> {
    let own = Requirement { capability: "completions", field: "model" };
    [own].into_iter().chain(sampling_requirements(&request.settings())).collect()
}

/// What both forms can ask for.
fn sampling_requirements(request: &ChatRequest) -> Vec<Requirement> {
    present([
        (!matches!(request.response_format, None | Some(ResponseFormat::Text)), "response_format", "response_format"),
        (request.logprobs == Some(true), "logprobs", "logprobs"),
        (request.logit_bias.as_ref().is_some_and(|bias| !bias.is_empty()), "logit_bias", "logit_bias"),
        (request.seed.is_some(), "seed", "seed"),
        (request.top_k.is_some(), "top_k", "top_k"),
        (request.min_p.is_some_and(|share| share > 0.0), "min_p", "min_p"),
        (request.repetition_penalty.is_some(), "repetition_penalty", "repetition_penalty"),
    ])
}

fn present<const N: usize>(asked: [(bool, &'static str, &'static str); N]) -> Vec<Requirement> {
    let needed = asked.into_iter().filter(|(is_asked, ..)| *is_asked);
    needed.map(|(_, capability, field)| Requirement { capability, field }).collect()
}
