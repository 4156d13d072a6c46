//! Headers that tell who serves, at which price, and where the time went.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use peerway_billing::Price;

use crate::api::models::usd_per_million;
use crate::route::Explanation;

/// With `true` a caller asks why its node was picked; the answer's header of this name tells.
pub(super) const EXPLAIN: &str = "x-peerway-explain";

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
