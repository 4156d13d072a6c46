//! `GET /v1/models`: what this gateway sells.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The list of models.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ModelList {
    /// Always `list`.
    pub object: String,
    /// The models, by id.
    pub data: Vec<Model>,
}

/// One model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Model {
    /// What callers put in `model`.
    pub id: String,
    /// Always `model`.
    pub object: String,
    /// Seconds since 1970 at which it came into the catalog.
    pub created: i64,
    /// Who made it known here.
    pub owned_by: String,
    /// What people call it: the id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Tokens of prompt and answer together.
    pub context_length: u32,
    /// What it reads and writes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub architecture: Option<Architecture>,
    /// The cheapest healthy node's price with the gateway's fee. None while no node serves it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pricing: Option<Pricing>,
    /// Parameters of a request that this model follows.
    pub supported_parameters: Vec<String>,
    /// Healthy nodes that serve it now.
    pub nodes: usize,
    /// How usage is checked: `tokenizer` where the gateway counts tokens itself, `bytes` where it only bounds them.
    pub metering: Metering,
}

/// What a model reads and writes, in OpenRouter's words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Architecture {
    /// Both sides in short, such as `text+image->text`.
    pub modality: String,
    /// Any of `text`, `image`, `audio`.
    pub input_modalities: Vec<String>,
    /// `text`, or `embeddings`.
    pub output_modalities: Vec<String>,
}

/// `GET /v1/models/{id}/endpoints`: the live market of a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EndpointList {
    /// The model and who serves it.
    pub data: ModelEndpoints,
}

/// A model and who serves it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ModelEndpoints {
    /// The catalog's id of the model.
    pub id: String,
    /// What people call it: the id.
    pub name: String,
    /// Seconds since 1970 at which it came into the catalog.
    pub created: i64,
    /// What it reads and writes.
    pub architecture: Architecture,
    /// The nodes, the cheapest first.
    pub endpoints: Vec<Endpoint>,
}

/// A node as the seller of a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Endpoint {
    /// Node and model, for people.
    pub name: String,
    /// The node's peer id.
    pub provider_name: String,
    /// Who is paid for its work. None: the node itself.
    pub operator: Option<String>,
    /// Tokens of prompt and answer together that it takes.
    pub context_length: u32,
    /// Its price with the gateway's fee.
    pub pricing: Pricing,
    /// How its weights are stored, such as `Q8_0`. None: it does not tell.
    pub quantization: Option<String>,
    /// Where it stands, in its operator's words. None: it does not tell.
    pub region: Option<String>,
    /// Parameters of a request that it follows.
    pub supported_parameters: Vec<String>,
    /// 0 where requests are sent to it, -1 where it failed lately or is leaving.
    pub status: i8,
    /// What becomes of requests to it.
    pub state: EndpointState,
    /// The share of requests that it served of late, 0 to 1, as this gateway saw it. None: it was never asked.
    pub uptime: Option<f64>,
    /// Requests that it runs at a time.
    pub slots: u32,
    /// Requests there now.
    pub occupied: u32,
    /// Milliseconds to the first token, lately: as measured here, or else by its own word. None: not known.
    pub latency_ms: Option<u32>,
    /// Generated tokens a second of one request, lately: as measured here, or else by its own word. None: not known.
    pub tokens_per_second: Option<f64>,
    /// Answers behind the measured latency. 0: it is the node's own word.
    pub measured: u32,
}

/// What becomes of requests to a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EndpointState {
    /// They are sent there.
    Healthy,
    /// It failed lately and is left alone.
    Resting,
    /// It failed lately: one request at a time tries it.
    OnTrial,
    /// It is leaving and gets no more.
    Leaving,
}

/// How the gateway checks what a node claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Metering {
    /// It counts tokens with the model's own tokenizer.
    Tokenizer,
    /// It has no tokenizer for the model: a token is at least one byte, and usage is bounded by that.
    Bytes,
}

/// USD per token, as decimal strings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Pricing {
    /// A prompt token.
    pub prompt: String,
    /// A generated token.
    pub completion: String,
    /// A prompt token that the node had cached.
    pub input_cache_read: String,
}

impl ModelList {
    /// The list of these models.
    #[must_use]
    pub fn of(data: Vec<Model>) -> Self {
        Self { object: "list".to_owned(), data }
    }
}
