//! Headers that tell who serves, at which price, and where the time went.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use peerway_billing::Price;
use peerway_openapi::ApiError;

use crate::api::models::usd_per_million;
use crate::route::Explanation;

/// With `true` a caller asks why its node was picked; the answer's header of this name tells.
pub(super) const EXPLAIN: &str = "x-peerway-explain";

/// With `true` a caller asks that another node be asked as well where one is late.
pub(super) const HEDGE: &str = "x-peerway-hedge";

/// Whether a caller asks for hedges, by the header's value.
///
/// # Errors
/// `InvalidRequest` where it is neither `true` nor `false`.
pub(super) fn hedges(value: Option<&HeaderValue>) -> Result<bool, ApiError> {
    match value.map(HeaderValue::as_bytes) {
        None | Some(b"false") => Ok(false),
        Some(b"true") => Ok(true),
        Some(_) => Err(ApiError::invalid(HEDGE, format!("The header `{HEDGE}` is `true`, `false` or not sent."))),
    }
}

/// Bytes of an explanation: proxies drop answers with much larger headers.
const MAX_EXPLANATION: usize = 4096;

/// An explanation as a header's value. None where it is none, which JSON of ASCII texts always is.
pub(super) fn explanation(explanation: Explanation) -> Option<HeaderValue> {
    HeaderValue::try_from(explanation.to_json(MAX_EXPLANATION)).ok()
}

/// The headers of an answer that has not begun when its head must go out.
pub(super) fn early(explanation: Option<&HeaderValue>) -> HeaderMap {
    explanation.map(|value| (HeaderName::from_static(EXPLAIN), value.clone())).into_iter().collect()
}

/// What the headers of an answer are made of.
#[derive(Debug)]
pub(super) struct Served<'a> {
    /// The node that answers.
    pub(super) node: &'a str,
    /// What it asks.
    pub(super) price: &'a Price,
    /// Milliseconds for which the request waited there.
    pub(super) queue_ms: u64,
    /// Time that the gateway itself took before the first node was asked.
    pub(super) gateway_time: Duration,
    /// Nodes asked, this one among them.
    pub(super) attempts: usize,
    /// Why it was picked, where the caller asked.
    pub(super) explanation: Option<&'a HeaderValue>,
}

pub(super) fn of(served: &Served<'_>) -> HeaderMap {
    let micros = served.gateway_time.as_micros();
    let mut headers = early(served.explanation);
    let mut set = |name: &'static str, value: String| {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    };
    set("x-peerway-node", served.node.to_owned());
    set("x-peerway-price-input", usd_per_million(served.price.input));
    set("x-peerway-price-output", usd_per_million(served.price.output));
    set("x-peerway-queue-ms", served.queue_ms.to_string());
    set("x-peerway-gateway-ms", format!("{}.{:03}", micros / 1000, micros % 1000));
    set("x-peerway-attempts", served.attempts.to_string());
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hedge_is_asked_for_plainly_or_refused_by_name() {
        let read = |value: &'static str| hedges(Some(&HeaderValue::from_static(value)));
        assert_eq!((hedges(None).ok(), read("false").ok(), read("true").ok()), (Some(false), Some(false), Some(true)));
        for wrong in ["", "1", "True", "true, false", "2s"] {
            let error = read(wrong).unwrap_err();
            assert_eq!(error.param(), Some("x-peerway-hedge"), "{wrong}");
            assert!(error.message().contains("`true`, `false`"), "{wrong}");
        }
    }
}
