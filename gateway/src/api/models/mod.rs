//! `GET /v1/models`, `/v1/models/{id}`, and below it `/endpoints` and `/prices`: the catalog, the live market, and what it
//! was.

mod describe;
mod endpoints;
mod prices;
mod pricing;

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use peerway_openapi::models::ModelList;
use peerway_openapi::{ApiError, ErrorKind};
use serde::Serialize;

use super::extract::{Asked, PathPart};
use crate::Gateway;
use crate::access::Principal;

pub(crate) use pricing::usd_per_million;

/// What a path ends with that asks for the nodes behind a model.
const ENDPOINTS: &str = "/endpoints";
/// What a path ends with that asks for a model's prices over time.
const PRICES: &str = "/prices";

/// Who asks.
type Caller = Extension<Arc<Principal>>;

/// `GET /v1/models`: those that the caller may use.
pub async fn list(State(gateway): State<Arc<Gateway>>, Extension(principal): Caller) -> Response {
    let models = gateway.catalog.list();
    let usable = models.iter().filter(|model| principal.may_use(&model.card.id).is_ok());
    respond(&ModelList::of(usable.map(|model| describe::model(&gateway, model)).collect()))
}

/// `GET /v1/models/{id}`, `/v1/models/{id}/endpoints` and `/v1/models/{id}/prices`. The id may contain slashes, so that no
/// router can tell them apart.
pub async fn show(
    State(gateway): State<Arc<Gateway>>,
    Extension(principal): Caller,
    PathPart(path): PathPart,
    Asked(range): Asked<prices::Range>,
) -> Response {
    let sold = |id: &str| gateway.catalog.get(id);
    let below = |suffix: &str| path.strip_suffix(suffix).and_then(sold);
    let found = sold(&path).map(|model| (model, ""));
    let found = found.or_else(|| below(ENDPOINTS).map(|model| (model, ENDPOINTS)));
    let Some((model, asked)) = found.or_else(|| below(PRICES).map(|model| (model, PRICES))) else {
        let message = "There is no such model here. GET /v1/models lists those there are.";
        return ApiError::new(ErrorKind::ModelNotFound, message).at("model").response().map(Body::from);
    };
    if let Err(refusal) = principal.may_use(&model.card.id) {
        return refusal.response().map(Body::from);
    }
    match asked {
        ENDPOINTS => respond(&endpoints::of(&gateway, &model)),
        PRICES => {
            let found = prices::of(&gateway, &model, &range);
            found.map_or_else(|error| error.response().map(Body::from), |history| respond(&history))
        }
        _ => respond(&describe::model(&gateway, &model)),
    }
}

fn respond(value: &impl Serialize) -> Response {
    match serde_json::to_vec(value) {
        Ok(json) => ([(CONTENT_TYPE, "application/json")], json).into_response(),
        Err(_) => ApiError::new(ErrorKind::Internal, "The list could not be written.").response().map(Body::from),
    }
}
