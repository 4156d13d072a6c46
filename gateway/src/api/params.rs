//! What an address says beside the endpoint, with refusals in the shape that clients read: axum's own are plain text.

use axum::body::Body;
use axum::extract::{FromRequestParts, Path, Query};
use axum::response::Response;
use http::request::Parts;
use peerway_openapi::ApiError;
use serde::de::DeserializeOwned;

/// The name in the path.
#[derive(Debug)]
pub struct Named(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        path.map(|Path(name)| Self(name)).map_err(|_| refuse("The name in the path is not UTF-8."))
    }
}

/// The query.
#[derive(Debug)]
pub struct Queried<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Queried<T> {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let query = Query::<T>::from_request_parts(parts, state).await;
        query.map(|Query(query)| Self(query)).map_err(|cause| {
            let message = format!("The query cannot be read: {}.", cause.body_text());
            refuse(&message)
        })
    }
}

fn refuse(message: &str) -> Response {
    ApiError::new(peerway_openapi::ErrorKind::InvalidRequest, message).response().map(Body::from)
}
