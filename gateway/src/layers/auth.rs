//! No key, no service.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;

use crate::Gateway;

/// Lets a request pass with its [`crate::auth::Principal`] in its extensions, or answers 401.
pub async fn require_key(State(gateway): State<Arc<Gateway>>, mut request: Request, next: Next) -> Response {
    match gateway.authenticator.authenticate(request.headers()).await {
        Ok(principal) => {
            request.extensions_mut().insert(principal);
            next.run(request).await
        }
        Err(error) => error.response().map(Body::from),
    }
}
