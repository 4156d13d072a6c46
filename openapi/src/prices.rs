//! `GET /v1/models/{id}/prices`: what a model has cost over time.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a model has cost over time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PriceHistory {
    /// The model and its prices.
    pub data: ModelPrices,
}

/// A model and its prices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ModelPrices {
    /// The catalog's id of the model.
    pub id: String,
    /// Seconds since 1970 at which the time begins that was asked for.
    pub from: i64,
    /// Seconds since 1970 at which it ends.
    pub to: i64,
    /// Seconds from one point to the next, at least.
    pub step: i64,
    /// One for each step in which anything was noted, the earliest first.
    pub points: Vec<PricePoint>,
}

/// A model's market at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PricePoint {
    /// Seconds since 1970.
    pub at: i64,
    /// Healthy nodes that served it.
    pub nodes: u32,
    /// The cheapest node's price. None: there was none.
    pub cheapest: Option<PointPrice>,
    /// The price of the node in the middle. None: there was none.
    pub median: Option<PointPrice>,
}

/// What a caller paid, the gateway's fee included, in USD per token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PointPrice {
    /// For a prompt token.
    pub prompt: String,
    /// For a generated token.
    pub completion: String,
}
