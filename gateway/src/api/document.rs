//! `GET /openapi.json`, and the same for people at `/docs/`.
//!
//! The reader of documents is Swagger UI, compiled in: a gateway on a closed network shows its documentation too.

use std::sync::{Arc, LazyLock};

use axum::body::Body;
use axum::extract::Path;
use axum::response::{IntoResponse, Redirect, Response};
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use peerway_openapi::{ApiError, ErrorKind};
use tracing::error;
use utoipa_swagger_ui::Config;

static DOCUMENT: LazyLock<String> = LazyLock::new(peerway_openapi::document::json);
static READER: LazyLock<Arc<Config<'static>>> = LazyLock::new(|| Arc::new(Config::from("/openapi.json")));

/// The page loads nothing from elsewhere and is shown in nobody's frame: keys are typed into it.
const POLICY: &str =
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'";

/// The OpenAPI document of this gateway.
pub async fn show() -> Response {
    ([(CONTENT_TYPE, "application/json")], DOCUMENT.as_str()).into_response()
}

/// `/docs`, whose files are named relative to `/docs/`.
pub async fn enter() -> Redirect {
    Redirect::permanent("/docs/")
}

/// `/docs/`.
pub async fn index() -> Response {
    file("")
}

/// `/docs/{path}`: what the page is made of.
pub async fn asset(Path(path): Path<String>) -> Response {
    file(&path)
}

fn file(path: &str) -> Response {
    match utoipa_swagger_ui::serve(path, Arc::clone(&READER)) {
        Ok(Some(file)) => {
            let headers = [
                (CONTENT_TYPE, file.content_type.as_str()),
                (CONTENT_SECURITY_POLICY, POLICY),
                (X_CONTENT_TYPE_OPTIONS, "nosniff"),
                (CACHE_CONTROL, "no-cache"),
            ];
            (headers, file.bytes.into_owned()).into_response()
        }
        Ok(None) => refuse(ErrorKind::UnknownPath, "There is no such page."),
        Err(cause) => {
            error!(%cause, path, "a page of the documentation could not be made");
            refuse(ErrorKind::Internal, "The page could not be made.")
        }
    }
}

fn refuse(kind: ErrorKind, message: &str) -> Response {
    ApiError::new(kind, message).response().map(Body::from)
}
