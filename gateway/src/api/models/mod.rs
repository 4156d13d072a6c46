//! `GET /v1/models`, `/v1/models/{id}`, and below it `/endpoints` and `/prices`: the catalog, the live market, and what it
//! was.

mod describe;
mod endpoints;
mod prices;
mod pricing;

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use peerway_openapi::models::ModelList;
use peerway_openapi::{ApiError, ErrorKind};
use serde::Serialize;

use super::extract::{Asked, PathPart};
use crate::Gateway;

pub(crate) use pricing::usd_per_million;

/// What a path ends with that asks for the nodes behind a model.
const ENDPOINTS: &str = "/endpoints";
/// What a path ends with that asks for a model's prices over time.
const PRICES: &str = "/prices";

/// `GET /v1/models`.
pub async fn list(State(gateway): State<Arc<Gateway>>) -> Response {
    let models = gateway.catalog.list();
    respond(&ModelList::of(models.iter().map(|model| describe::model(&gateway, model)).collect()))
}

/// `GET /v1/models/{id}`, `/v1/models/{id}/endpoints` and `/v1/models/{id}/prices`. The id may contain slashes, so that no
/// router can tell them apart.
pub async fn show(
    State(gateway): State<Arc<Gateway>>,
    PathPart(path): PathPart,
    Asked(range): Asked<prices::Range>,
) -> Response {
    if let Some(model) = gateway.catalog.get(&path) {
        return respond(&describe::model(&gateway, &model));
    }
    let before = |suffix: &str| path.strip_suffix(suffix).and_then(|id| gateway.catalog.get(id));
    if let Some(model) = before(ENDPOINTS) {
        return respond(&endpoints::of(&gateway, &model));
    }
    if let Some(model) = before(PRICES) {
        let found = prices::of(&gateway, &model, &range);
        return found.map_or_else(|error| error.response().map(Body::from), |history| respond(&history));
    }
    let message = "There is no such model here. GET /v1/models lists those there are.";
    ApiError::new(ErrorKind::ModelNotFound, message).at("model").response().map(Body::from)
}

fn respond(value: &impl Serialize) -> Response {
    match serde_json::to_vec(value) {
        Ok(json) => ([(CONTENT_TYPE, "application/json")], json).into_response(),
        Err(_) => ApiError::new(ErrorKind::Internal, "The list could not be written.").response().map(Body::from),
    }
}
