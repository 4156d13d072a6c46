//! JSON answers of the endpoints that are about accounts, not about models.

use axum::body::Body;
use axum::response::Response;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use peerway_billing::LedgerError;
use peerway_openapi::{ApiError, ErrorKind};
use serde::Serialize;
use tracing::error;

/// An answer with this body. Nobody on the way may keep it: it is about one account, and may hold a secret.
pub(super) fn json(status: StatusCode, body: &impl Serialize) -> Result<Response, ApiError> {
    let written = serde_json::to_vec(body).map_err(|cause| {
        error!(%cause, "an answer could not be written");
        ApiError::new(ErrorKind::Internal, "The answer could not be written. Try again.")
    })?;
    let mut response = Response::new(Body::from(written));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// The answer, or the refusal.
pub(super) fn or_refuse(answered: Result<Response, ApiError>) -> Response {
    answered.unwrap_or_else(|error| error.response().map(Body::from))
}

/// Why the ledger did not do what it was asked, for the caller. `field` is the one that an impossible value was in.
pub(super) fn refused(cause: LedgerError, field: &str) -> ApiError {
    match cause {
        LedgerError::NotFound { what, .. } => not_found(what),
        LedgerError::Policy(error) => ApiError::invalid(error.field(), format!("The policy cannot be: {error}.")),
        cause @ (LedgerError::Invalid(_)
        | LedgerError::LastOwner(_)
        | LedgerError::MembersFull { .. }
        | LedgerError::KeyEnded { .. }
        | LedgerError::KeyReplaced { .. }) => ApiError::invalid(field, format!("This cannot be: {cause}.")),
        cause => {
            error!(%cause, "the ledger cannot be asked");
            ApiError::new(ErrorKind::LedgerUnavailable, "The ledger cannot be asked at the moment. Try again.")
        }
    }
}

/// There is no such thing on this account.
pub(super) fn not_found(what: &str) -> ApiError {
    ApiError::new(ErrorKind::NotFound, format!("There is no such {what} on this account."))
}
