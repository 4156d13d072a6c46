//! What machines ask: is it alive, can it serve, what has it done.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde_json::json;

use crate::Gateway;

/// `GET /health`: the process runs.
pub async fn health() -> Response {
    respond(StatusCode::OK, &json!({"status": "ok"}))
}

/// `GET /ready`: a request would find a model and a node. 503 with the reason where it would not.
pub async fn ready(State(gateway): State<Arc<Gateway>>) -> Response {
    let models = gateway.catalog.list();
    let snapshot = gateway.peers.directory().snapshot();
    let served = models.iter().filter(|model| !snapshot.candidates(&model.card.id).is_empty()).count();
    let reason = match (gateway.stopping.is_cancelled(), models.len(), served) {
        (true, ..) => Some("the gateway is stopping"),
        (_, 0, _) => Some("the catalog has no model; add one with `peerway model add`"),
        (.., 0) => Some("no node serves a model of the catalog"),
        _ => None,
    };
    let body = json!({"ready": reason.is_none(), "reason": reason, "models": models.len(), "served": served});
    respond(if reason.is_none() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, &body)
}

/// `GET /metrics`, in Prometheus' text format.
pub async fn metrics(State(gateway): State<Arc<Gateway>>) -> Response {
    #[expect(clippy::cast_precision_loss, reason = "a directory holds far fewer nodes than 2^53")]
    let nodes = gateway.peers.directory().snapshot().len() as f64;
    metrics::gauge!("peerway_nodes").set(nodes);
    ([(CONTENT_TYPE, "text/plain; version=0.0.4")], gateway.metrics.render()).into_response()
}

fn respond(status: StatusCode, body: &serde_json::Value) -> Response {
    (status, [(CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}
