//! Parts of a request's path and query, with refusals in the shape of all others: axum's own are plain text.

use axum::body::Body;
use axum::extract::{FromRequestParts, Path, Query};
use axum::response::Response;
use http::request::Parts;
use peerway_openapi::{ApiError, ErrorKind};
use serde::de::DeserializeOwned;

/// The one variable part of a path, decoded.
#[derive(Debug)]
pub struct PathPart(pub String);

/// The query, typed.
#[derive(Debug)]
pub struct Asked<T>(pub T);

impl<S: Send + Sync> FromRequestParts<S> for PathPart {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        match Path::from_request_parts(parts, state).await {
            Ok(Path(part)) => Ok(Self(part)),
            Err(rejection) => Err(refuse(&format!("The path cannot be read: {}", rejection.body_text()))),
        }
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Asked<T> {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        match Query::from_request_parts(parts, state).await {
            Ok(Query(asked)) => Ok(Self(asked)),
            Err(rejection) => Err(refuse(&format!("The query cannot be read: {}", rejection.body_text()))),
        }
    }
}

fn refuse(message: &str) -> Response {
    ApiError::new(ErrorKind::InvalidRequest, message).response().map(Body::from)
}
