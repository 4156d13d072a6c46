//! The embeddings as callers get them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Vector;
use crate::usage::{CostDetails, Usage};

/// The answer to an embedding request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EmbeddingResponse {
    /// Always `list`.
    #[serde(default = "list")]
    pub object: String,
    /// The vectors, one for each input and in their order.
    pub data: Vec<Embedding>,
    /// The catalog's id of the model.
    pub model: String,
    /// What it consumed.
    pub usage: EmbeddingUsage,
    /// The node that served, where the gateway tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
}

/// The vector of one input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Embedding {
    /// Always `embedding`.
    #[serde(default = "embedding")]
    pub object: String,
    /// Which input, from 0.
    pub index: u32,
    /// The vector.
    pub embedding: Vector,
}

/// What an embedding request consumed: it generates nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EmbeddingUsage {
    /// Tokens of all inputs.
    pub prompt_tokens: u64,
    /// The same.
    pub total_tokens: u64,
    /// What the caller paid, in USD. None between node and gateway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<f64>,
    /// What the cost is made of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_details: Option<CostDetails>,
}

impl EmbeddingResponse {
    /// The answer with these vectors, in the order of their inputs.
    #[must_use]
    pub fn new(model: impl Into<String>, vectors: Vec<Vector>, usage: EmbeddingUsage) -> Self {
        let embeddings =
            (0..).zip(vectors).map(|(index, vector)| Embedding { object: embedding(), index, embedding: vector });
        Self { object: list(), data: embeddings.collect(), model: model.into(), usage, provider: None }
    }
}

impl EmbeddingUsage {
    /// Usage without cost.
    #[must_use]
    pub fn of_tokens(prompt: u64) -> Self {
        Self { prompt_tokens: prompt, total_tokens: prompt, ..Self::default() }
    }
}

impl From<Usage> for EmbeddingUsage {
    fn from(usage: Usage) -> Self {
        Self { cost: usage.cost, cost_details: usage.cost_details, ..Self::of_tokens(usage.prompt_tokens) }
    }
}

impl From<EmbeddingUsage> for Usage {
    fn from(usage: EmbeddingUsage) -> Self {
        Self { cost: usage.cost, cost_details: usage.cost_details, ..Self::of_tokens(usage.prompt_tokens, 0, 0) }
    }
}

fn list() -> String {
    "list".to_owned()
}

fn embedding() -> String {
    "embedding".to_owned()
}
