//! No key, no service.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Extension, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use peerway_billing::Scope;

use crate::Gateway;
use crate::access::{PeerAddr, Principal};

/// Lets a request pass with its [`Principal`] in its extensions, or answers why not.
pub async fn require_key(State(gateway): State<Arc<Gateway>>, mut request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<PeerAddr>().copied();
    match gateway.authenticator.authenticate(request.headers(), request.uri(), peer).await {
        Ok(principal) => {
            request.extensions_mut().insert(principal);
            next.run(request).await
        }
        Err(error) => error.response().map(Body::from),
    }
}

/// Lets who may ask models pass. Needs [`require_key`] outside it.
pub async fn require_inference(
    Extension(principal): Extension<Arc<Principal>>,
    request: Request,
    next: Next,
) -> Response {
    match principal.require(Scope::Inference) {
        Ok(()) => next.run(request).await,
        Err(error) => error.response().map(Body::from),
    }
}
