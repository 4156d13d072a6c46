//! The error envelope, and the one place that decides status codes.
//!
//! Clients read `{"error":{"message","type","param","code"}}` and nothing else; async-openai fails on a `code` that is
//! not a string. An error is made from an [`ErrorKind`], which fixes status, type and code together, so that a caller's
//! mistake cannot be answered with a 5xx nor a fault of ours with a 4xx. The message is for the caller; what the
//! operator needs to know goes to the log where the error is made.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What went wrong, as far as a caller can tell the cases apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The request cannot be served as it is.
    InvalidRequest,
    /// Prompt and answer do not fit the model's context.
    ContextLengthExceeded,
    /// The body is larger than the gateway reads.
    BodyTooLarge,
    /// The body did not arrive in time.
    RequestTimeout,
    /// No key, or one that is unknown or revoked.
    InvalidKey,
    /// The credit does not cover the request.
    InsufficientCredit,
    /// A budget of the key is used up.
    BudgetExhausted,
    /// The account may not spend at the moment.
    AccountFrozen,
    /// The key or token is real, and may not do this.
    NotAllowed,
    /// The key may not use this model.
    ModelNotAllowed,
    /// More requests or tokens in a time than the key may have.
    RateLimited,
    /// An `Idempotency-Key` was used before, for another request.
    IdempotencyMismatch,
    /// What was asked for by its id is not there.
    NotFound,
    /// No node does what the request asks for.
    NoEndpointMatches,
    /// There is no such path.
    UnknownPath,
    /// The path does not take this method.
    MethodNotAllowed,
    /// The catalog has no such model.
    ModelNotFound,
    /// Too many requests at once.
    Overloaded,
    /// Known model, but no healthy node has room.
    NoHealthyNode,
    /// The nodes tried failed before the answer began.
    NodeFailed,
    /// The node failed after the answer began.
    StreamBroken,
    /// Who may call cannot be found out: the identity provider does not answer.
    IdentityUnavailable,
    /// The ledger cannot be reached.
    LedgerUnavailable,
    /// This gateway takes no payments by card.
    PaymentsOff,
    /// It is not in a state in which that could be done, or the name was used for something else.
    PaymentConflict,
    /// The account has paid as much as it may for now.
    PaymentLimit,
    /// The payment provider does not answer, or will not take the gateway's key.
    PaymentsUnavailable,
    /// The gateway is stopping.
    ShuttingDown,
    /// A fault of ours.
    Internal,
}

impl ErrorKind {
    /// The HTTP status.
    #[must_use]
    pub fn status(self) -> StatusCode {
        match self {
            Self::InvalidRequest | Self::ContextLengthExceeded | Self::NoEndpointMatches => StatusCode::BAD_REQUEST,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::InvalidKey => StatusCode::UNAUTHORIZED,
            Self::InsufficientCredit | Self::BudgetExhausted => StatusCode::PAYMENT_REQUIRED,
            Self::AccountFrozen | Self::NotAllowed | Self::ModelNotAllowed | Self::PaymentLimit => {
                StatusCode::FORBIDDEN
            }
            Self::UnknownPath | Self::ModelNotFound | Self::NotFound => StatusCode::NOT_FOUND,
            Self::IdempotencyMismatch => StatusCode::UNPROCESSABLE_ENTITY,
            Self::PaymentsOff => StatusCode::NOT_IMPLEMENTED,
            Self::PaymentConflict => StatusCode::CONFLICT,
            Self::RateLimited => StatusCode::TOO_MANY_REQUESTS,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Overloaded
            | Self::NoHealthyNode
            | Self::IdentityUnavailable
            | Self::LedgerUnavailable
            | Self::PaymentsUnavailable
            | Self::ShuttingDown => StatusCode::SERVICE_UNAVAILABLE,
            Self::NodeFailed | Self::StreamBroken => StatusCode::BAD_GATEWAY,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The envelope's `type`: the class of error that SDKs show.
    fn type_name(self) -> &'static str {
        match self {
            Self::InvalidKey => "authentication_error",
            Self::InsufficientCredit | Self::BudgetExhausted => "insufficient_quota",
            Self::AccountFrozen | Self::NotAllowed | Self::ModelNotAllowed | Self::PaymentLimit => "permission_error",
            Self::RateLimited => "rate_limit_error",
            kind if kind.status().is_server_error() => "server_error",
            _ => "invalid_request_error",
        }
    }

    /// The envelope's `code`: what programs branch on.
    fn code(self) -> Option<&'static str> {
        Some(match self {
            Self::InvalidRequest => return None,
            Self::ContextLengthExceeded => "context_length_exceeded",
            Self::BodyTooLarge => "body_too_large",
            Self::RequestTimeout => "request_timeout",
            Self::InvalidKey => "invalid_api_key",
            Self::InsufficientCredit => "insufficient_credit",
            Self::BudgetExhausted => "budget_exhausted",
            Self::AccountFrozen => "account_frozen",
            Self::NotAllowed => "not_allowed",
            Self::ModelNotAllowed => "model_not_allowed",
            Self::RateLimited => "rate_limit_exceeded",
            Self::IdempotencyMismatch => "idempotency_mismatch",
            Self::NotFound => "not_found",
            Self::NoEndpointMatches => "no_endpoint_matches",
            Self::UnknownPath => "unknown_path",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::ModelNotFound => "model_not_found",
            Self::Overloaded => "overloaded",
            Self::NoHealthyNode => "no_healthy_node",
            Self::NodeFailed => "node_failed",
            Self::StreamBroken => "stream_broken",
            Self::IdentityUnavailable => "identity_unavailable",
            Self::LedgerUnavailable => "ledger_unavailable",
            Self::PaymentsOff => "payments_off",
            Self::PaymentConflict => "payment_conflict",
            Self::PaymentLimit => "payment_limit",
            Self::PaymentsUnavailable => "payments_unavailable",
            Self::ShuttingDown => "shutting_down",
            Self::Internal => "internal_error",
        })
    }

    /// How long a caller should wait before it tries again. None: trying again changes nothing.
    fn retry_after(self) -> Option<Duration> {
        match self {
            Self::Overloaded
            | Self::NoHealthyNode
            | Self::ShuttingDown
            | Self::RateLimited
            | Self::IdentityUnavailable
            | Self::PaymentsUnavailable
            | Self::LedgerUnavailable => Some(Duration::from_secs(1)),
            _ => None,
        }
    }
}

/// An error as the caller sees it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    kind: ErrorKind,
    message: String,
    param: Option<String>,
    retry_after: Option<Duration>,
}

/// `{"error": …}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ErrorEnvelope {
    /// The error.
    pub error: ErrorBody,
}

/// What a client is told about an error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ErrorBody {
    /// For a person: what is wrong and what to do.
    pub message: String,
    /// The class of error.
    #[serde(rename = "type")]
    pub kind: String,
    /// The field at fault, as a path such as `messages[0].content`. Null where none is.
    pub param: Option<String>,
    /// For a program. Null where the class says all.
    pub code: Option<String>,
}

impl ApiError {
    /// An error of this kind with a message for the caller.
    #[must_use]
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), param: None, retry_after: kind.retry_after() }
    }

    /// A request that cannot be served, and the field at fault.
    #[must_use]
    pub fn invalid(param: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidRequest, message).at(param)
    }

    /// The same error, naming the field at fault.
    #[must_use]
    pub fn at(self, param: impl Into<String>) -> Self {
        Self { param: Some(param.into()), ..self }
    }

    /// The same error, telling the caller to wait this long before it tries again.
    #[must_use]
    pub fn retry_in(self, wait: Duration) -> Self {
        Self { retry_after: Some(wait), ..self }
    }

    /// What went wrong.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// For the caller: what is wrong and what to do.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// How long the caller should wait before it tries again. None: trying again changes nothing.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// The field at fault.
    #[must_use]
    pub fn param(&self) -> Option<&str> {
        self.param.as_deref()
    }

    /// The body that the caller gets, also inside a stream.
    #[must_use]
    pub fn envelope(&self) -> ErrorEnvelope {
        ErrorEnvelope {
            error: ErrorBody {
                message: self.message.clone(),
                kind: self.kind.type_name().to_owned(),
                param: self.param.clone(),
                code: self.kind.code().map(str::to_owned),
            },
        }
    }

    /// The whole HTTP answer, with `Retry-After` where trying again may help. The error itself goes along in the answer's
    /// extensions, for who tells it in other words.
    #[must_use]
    pub fn response(&self) -> Response<Bytes> {
        let body = serde_json::to_vec(&self.envelope()).unwrap_or_default();
        let mut response = Response::new(Bytes::from(body));
        *response.status_mut() = self.kind.status();
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(wait) = self.retry_after {
            // Rounded up: whoever comes back a moment early is refused again.
            let seconds = wait.as_millis().div_ceil(1000).max(1);
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(u64::try_from(seconds).unwrap_or(u64::MAX)));
        }
        response.extensions_mut().insert(self.clone());
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_envelope_has_the_four_keys_that_clients_read() {
        let error = ApiError::invalid("temperature", "too hot");
        let body: serde_json::Value = serde_json::from_slice(error.response().body()).unwrap();
        let expected = serde_json::json!({
            "error": {"message": "too hot", "type": "invalid_request_error", "param": "temperature", "code": null}
        });
        assert_eq!(body, expected);
    }

    #[test]
    fn who_must_wait_is_told_how_long_in_whole_seconds() {
        let error = ApiError::new(ErrorKind::RateLimited, "slow down").retry_in(Duration::from_millis(1001));
        assert_eq!(
            (error.response().status().as_u16(), &error.response().headers()["retry-after"]),
            (429, &"2".parse().unwrap())
        );
    }

    #[test]
    fn no_node_asks_the_caller_to_come_back() {
        let response = ApiError::new(ErrorKind::NoHealthyNode, "none").response();
        assert_eq!(response.status(), 503);
        assert_eq!(response.headers()["retry-after"], "1");
    }
}
