//! What an upstream's failures mean.
//!
//! Three cases matter to a caller: the upstream is full (another node may answer), the request is wrong (no node will), or
//! it broke. A 401 or 404 from an upstream is the operator's mistake, not the caller's, and so counts as broken.

use std::time::Duration;

use http::StatusCode;
use peerway_openapi::error::ErrorEnvelope;

use super::super::EngineError;

/// Characters of an upstream's complaint that a caller is shown.
const MAX_MESSAGE: usize = 1000;
const BROKE: &str = "The server behind this node failed.";

pub(super) fn silent(what: &str, waited: Duration) -> EngineError {
    EngineError::upstream(BROKE, format!("the upstream did not {what} within {} ms", waited.as_millis()))
}

pub(super) fn transport(error: &reqwest::Error) -> EngineError {
    let mut detail = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        detail = format!("{detail}: {cause}");
        source = cause.source();
    }
    EngineError::upstream(BROKE, detail)
}

pub(super) fn malformed(detail: impl std::fmt::Display) -> EngineError {
    EngineError::upstream(BROKE, format!("the upstream sent what is no answer: {detail}"))
}

/// An answer with an error status.
pub(super) fn refused(status: StatusCode, body: &[u8]) -> EngineError {
    let told = serde_json::from_slice::<ErrorEnvelope>(body).ok().map(|envelope| envelope.error);
    match status {
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => EngineError::Busy,
        StatusCode::UNAUTHORIZED
        | StatusCode::PAYMENT_REQUIRED
        | StatusCode::FORBIDDEN
        | StatusCode::NOT_FOUND
        | StatusCode::METHOD_NOT_ALLOWED
        | StatusCode::REQUEST_TIMEOUT => EngineError::upstream(BROKE, format!("the upstream answered {status}")),
        status if status.is_client_error() => {
            let fallback = || format!("The server behind this node refused the request with status {status}.");
            let (param, message) = told.map_or_else(|| (None, fallback()), |told| (told.param, told.message));
            EngineError::BadRequest { param, message: message.chars().take(MAX_MESSAGE).collect() }
        }
        status => EngineError::upstream(BROKE, format!("the upstream answered {status}")),
    }
}
