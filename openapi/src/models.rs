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
    /// Tokens of prompt and answer together.
    pub context_length: u32,
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
