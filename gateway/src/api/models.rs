//! `GET /v1/models` and `GET /v1/models/{id}`: the catalog and the market's prices.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use peerway_billing::{FeeBps, PerMillion, Price};
use peerway_openapi::models::{Model, ModelList, Pricing};
use peerway_openapi::{ApiError, ErrorKind};
use serde::Serialize;

use crate::Gateway;
use crate::catalog::CatalogModel;
use crate::route::{Need, rank};

/// What every engine behind this gateway follows.
const SUPPORTED: [&str; 13] = [
    "frequency_penalty",
    "logit_bias",
    "logprobs",
    "max_completion_tokens",
    "max_tokens",
    "min_p",
    "presence_penalty",
    "repetition_penalty",
    "seed",
    "stop",
    "temperature",
    "top_k",
    "top_p",
];

/// `GET /v1/models`.
pub async fn list(State(gateway): State<Arc<Gateway>>) -> Response {
    let models = gateway.catalog.list();
    respond(&ModelList::of(models.iter().map(|model| describe(&gateway, model)).collect()))
}

/// `GET /v1/models/{id}`. The id may contain slashes.
pub async fn show(State(gateway): State<Arc<Gateway>>, Path(id): Path<String>) -> Response {
    match gateway.catalog.get(&id) {
        Some(model) => respond(&describe(&gateway, &model)),
        None => {
            let message = "There is no such model here. GET /v1/models lists those there are.";
            ApiError::new(ErrorKind::ModelNotFound, message).at("model").response().map(Body::from)
        }
    }
}

fn describe(gateway: &Gateway, model: &CatalogModel) -> Model {
    let snapshot = gateway.peers.directory().snapshot();
    let candidates = snapshot.candidates(&model.card.id);
    let now_ms = gateway.peers.directory().now_ms();
    let need = Need { prompt: 1000, completion: 1000, requirements: &[], price_cap: model.price_cap, now_ms };
    let cheapest = rank(candidates, &need, &[]).ok().and_then(|picks| picks.into_iter().next());
    Model {
        id: model.card.id.clone(),
        object: "model".to_owned(),
        created: model.card.created,
        owned_by: model.card.owned_by.clone(),
        context_length: model.card.context_length,
        pricing: cheapest.map(|pick| pricing(&pick.price, gateway.fee)),
        supported_parameters: SUPPORTED.map(str::to_owned).to_vec(),
        nodes: candidates.iter().filter(|candidate| candidate.stats().is_healthy(now_ms)).count(),
        metering: model.metering(),
    }
}

/// What a caller pays: the node's price and the fee.
fn pricing(price: &Price, fee: FeeBps) -> Pricing {
    let token = |price: PerMillion| usd_per_token(price, fee);
    Pricing { prompt: token(price.input), completion: token(price.output), input_cache_read: token(price.cached_input) }
}

/// Nano-USD per million tokens are 10⁻¹⁵ USD a token; the fee's basis points add four digits.
fn usd_per_token(price: PerMillion, fee: FeeBps) -> String {
    decimal(i128::from(price.as_i64()) * i128::from(10_000 + fee.basis_points()), 19)
}

/// A node's price in USD per million tokens.
#[must_use]
pub(crate) fn usd_per_million(price: PerMillion) -> String {
    decimal(i128::from(price.as_i64()), 9)
}

/// `value` × 10^-`digits`, exactly and without trailing zeros.
fn decimal(value: i128, digits: u32) -> String {
    let unit = 10_i128.pow(digits);
    let width = usize::try_from(digits).unwrap_or(0);
    let text = format!("{}.{:0width$}", value / unit, value % unit);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn respond(value: &impl Serialize) -> Response {
    match serde_json::to_vec(value) {
        Ok(json) => ([(CONTENT_TYPE, "application/json")], json).into_response(),
        Err(_) => ApiError::new(ErrorKind::Internal, "The list could not be written.").response().map(Body::from),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_are_exact_decimals() {
        let price = PerMillion::from_usd_str("0.15").unwrap();
        assert_eq!(usd_per_million(price), "0.15");
        assert_eq!(usd_per_token(price, FeeBps::ZERO), "0.00000015");
        assert_eq!(usd_per_token(price, FeeBps::new(500).unwrap()), "0.0000001575");
        assert_eq!(usd_per_million(PerMillion::from_usd_str("20").unwrap()), "20");
        assert_eq!(usd_per_million(PerMillion::default()), "0");
    }
}
