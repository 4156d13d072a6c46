//! Not faster than the caller may.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Extension, Request, State};
use axum::middleware::Next;
use axum::response::Response;

use super::WatchedBody;
use crate::Gateway;
use crate::access::Principal;

/// Lets a request pass with its [`crate::limits::Ticket`] in its extensions, or answers 429; either way the answer says
/// what is left. The ticket travels in the body: a stream takes its place until its end. Needs
/// [`super::require_key`] outside it.
pub async fn limit_rate(
    State(gateway): State<Arc<Gateway>>,
    Extension(principal): Extension<Arc<Principal>>,
    mut request: Request,
    next: Next,
) -> Response {
    let ticket = match gateway.limits.enter(&principal) {
        Ok(ticket) => Arc::new(ticket),
        Err(error) => {
            metrics::counter!("peerway_rate_limited_total").increment(1);
            let mut response = error.response().map(Body::from);
            gateway.limits.tell(&principal, response.headers_mut());
            return response;
        }
    };
    request.extensions_mut().insert(Arc::clone(&ticket));
    let mut response = next.run(request).await;
    ticket.tell(response.headers_mut());
    response.map(|body| Body::new(WatchedBody::new(body, ticket)))
}
