//! The messages request, and the one that counts its tokens.

use serde::{Deserialize, Serialize};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::{MessagesTool, MessagesToolChoice, OutputConfig, Thinking, Turn, TurnContent};
use crate::present::Present;
use crate::routing::ProviderPreferences;

/// `POST /v1/messages`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MessagesRequest {
    /// The catalog's id of a model. With the suffix `:floor` strictly the cheapest node serves, with `:nitro` the fastest.
    pub model: String,
    /// The most tokens to generate, at least 1. Required; None only where tokens are counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = u32, required = true)]
    pub max_tokens: Option<u32>,
    /// The conversation so far, at least one message, the last of them the user's.
    pub messages: Vec<Turn>,
    /// Instructions to the model: text or blocks of text, which a blank line keeps apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<TurnContent>,
    /// Up to 4 texts at which the answer ends; they are not part of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_sequences: Option<Vec<String>>,
    /// Whether the answer comes as server-sent events. None: false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<bool>,
    /// 0 to 1; 0 always takes the likeliest token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// Nucleus sampling: the share of probability to choose from, above 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top_p: Option<f64>,
    /// Choose from the k likeliest tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top_k: Option<u32>,
    /// Tools that the model may call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tools: Option<Vec<MessagesTool>>,
    /// Whether and what it must call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_choice: Option<MessagesToolChoice>,
    /// Whether and how long a model that thinks may think. None: as the model does by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thinking: Option<Thinking>,
    /// How much effort the answer is worth, and its shape.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_config: Option<OutputConfig>,
    /// Wishes about the nodes that serve. None: the cheapest healthy one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<ProviderPreferences>,
    /// Models to fall back on, in this order, where no node serves `model`, or all that were tried fail before the answer
    /// begins. The answer's `model` tells which served.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub models: Option<Vec<String>>,
    /// Documented by Anthropic and refused here, because leaving it out would change the answer: where code runs.
    #[serde(default, skip_serializing)]
    #[schema(ignore)]
    pub container: Option<Present>,
    /// As `container`: servers with tools.
    #[serde(default, skip_serializing)]
    #[schema(ignore)]
    pub mcp_servers: Option<Present>,
    /// As `container`: what of the conversation is left out.
    #[serde(default, skip_serializing)]
    #[schema(ignore)]
    pub context_management: Option<Present>,
    /// As `container`: the older form of `output_config.format`.
    #[serde(default, skip_serializing)]
    #[schema(ignore)]
    pub output_format: Option<Present>,
}

impl MessagesRequest {
    /// Whether the answer is to be streamed.
    #[must_use]
    pub fn is_stream(&self) -> bool {
        self.stream == Some(true)
    }
}

/// `POST /v1/messages/count_tokens`: a messages request, of which `max_tokens` need not be there.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CountTokensRequest(pub MessagesRequest);

impl PartialSchema for CountTokensRequest {
    fn schema() -> RefOr<Schema> {
        let mut schema = MessagesRequest::schema();
        if let RefOr::T(Schema::Object(fields)) = &mut schema {
            fields.required.retain(|field| field != "max_tokens");
        }
        schema
    }
}

impl ToSchema for CountTokensRequest {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        MessagesRequest::schemas(schemas);
    }
}

/// How many tokens a conversation has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TokenCount {
    /// Tokens of the rendered conversation, its tools and instructions.
    pub input_tokens: u64,
}
