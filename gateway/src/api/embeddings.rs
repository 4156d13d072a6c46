//! `POST /v1/embeddings`.

use axum::body::Body;
use axum::response::Response;
use peerway_openapi::embeddings::EmbeddingRequest;
use peerway_openapi::{ApiError, parse};

use super::body;
use crate::inference::{Caller, embed};

/// Turns texts into vectors.
pub async fn create(caller: Caller, body: Body) -> Response {
    answer(&caller, body).await.unwrap_or_else(|error| error.response().map(Body::from))
}

async fn answer(caller: &Caller, body: Body) -> Result<Response, ApiError> {
    let bytes = body::read(body, &caller.gateway.config).await?;
    let request: EmbeddingRequest = parse::json(&bytes)?;
    request.validate()?;
    embed(caller, request).await
}
