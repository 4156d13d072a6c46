//! Errors in Anthropic's envelope.
//!
//! Status and `Retry-After` are those of every other API here, so that proxies and operators see one gateway. There is no
//! place for the field at fault, so that its path is put before the message, as Anthropic does it.

use bytes::Bytes;
use http::{Response, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::ApiError;

/// `{"type": "error", "error": …}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MessagesError {
    /// Always `error`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The error.
    pub error: MessagesErrorBody,
    /// Names the request in the operator's log. None where it has no name yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

/// What a client is told about an error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MessagesErrorBody {
    /// The class of error, which follows from the status.
    #[serde(rename = "type")]
    pub kind: String,
    /// For a person: the field at fault, what is wrong and what to do.
    pub message: String,
}

impl From<&ApiError> for MessagesErrorBody {
    fn from(error: &ApiError) -> Self {
        let message = match error.param() {
            Some(path) => format!("{path}: {}", error.message()),
            None => error.message().to_owned(),
        };
        Self { kind: type_name(error.kind().status()).to_owned(), message }
    }
}

impl From<&ApiError> for MessagesError {
    fn from(error: &ApiError) -> Self {
        Self { kind: "error".to_owned(), error: error.into(), request_id: None }
    }
}

/// The whole HTTP answer, with `Retry-After` where trying again may help.
#[must_use]
pub fn error_response(error: &ApiError) -> Response<Bytes> {
    let body = serde_json::to_vec(&MessagesError::from(error)).unwrap_or_default();
    error.response().map(|_| Bytes::from(body))
}

fn type_name(status: StatusCode) -> &'static str {
    match status {
        StatusCode::UNAUTHORIZED => "authentication_error",
        StatusCode::PAYMENT_REQUIRED => "billing_error",
        StatusCode::FORBIDDEN => "permission_error",
        StatusCode::NOT_FOUND => "not_found_error",
        StatusCode::PAYLOAD_TOO_LARGE => "request_too_large",
        StatusCode::TOO_MANY_REQUESTS => "rate_limit_error",
        StatusCode::SERVICE_UNAVAILABLE => "overloaded_error",
        status if status.is_server_error() => "api_error",
        _ => "invalid_request_error",
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::ErrorKind;

    #[test]
    fn the_envelope_names_the_field() {
        let response = error_response(&ApiError::invalid("messages[0].content", "too long"));
        assert_eq!(response.status(), 400);
        assert_eq!(response.headers()["content-type"], "application/json");
        let expected =
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"messages[0].content: too long"}}"#;
        assert_eq!(response.body(), expected);
    }

    #[test]
    fn every_status_has_its_type() {
        let cases = [
            (ErrorKind::InvalidRequest, 400, "invalid_request_error"),
            (ErrorKind::ContextLengthExceeded, 400, "invalid_request_error"),
            (ErrorKind::InvalidKey, 401, "authentication_error"),
            (ErrorKind::InsufficientCredit, 402, "billing_error"),
            (ErrorKind::BudgetExhausted, 402, "billing_error"),
            (ErrorKind::AccountFrozen, 403, "permission_error"),
            (ErrorKind::ModelNotFound, 404, "not_found_error"),
            (ErrorKind::MethodNotAllowed, 405, "invalid_request_error"),
            (ErrorKind::BodyTooLarge, 413, "request_too_large"),
            (ErrorKind::IdempotencyMismatch, 422, "invalid_request_error"),
            (ErrorKind::RateLimited, 429, "rate_limit_error"),
            (ErrorKind::Internal, 500, "api_error"),
            (ErrorKind::NodeFailed, 502, "api_error"),
            (ErrorKind::NoHealthyNode, 503, "overloaded_error"),
        ];
        for (kind, status, name) in cases {
            let response = error_response(&ApiError::new(kind, "x"));
            let body: MessagesError = serde_json::from_slice(response.body()).unwrap();
            assert_eq!((response.status().as_u16(), body.error.kind.as_str()), (status, name), "{kind:?}");
        }
    }

    #[test]
    fn who_must_wait_is_told_how_long() {
        let error = ApiError::new(ErrorKind::RateLimited, "slow down").retry_in(Duration::from_secs(7));
        assert_eq!(error_response(&error).headers()["retry-after"], "7");
    }
}
