//! `GET /openapi.json`.

use std::sync::LazyLock;

use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;

static DOCUMENT: LazyLock<String> = LazyLock::new(peerway_openapi::document::json);

/// The OpenAPI document of this gateway.
pub async fn show() -> Response {
    ([(CONTENT_TYPE, "application/json")], DOCUMENT.as_str()).into_response()
}
