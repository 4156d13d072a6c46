//! Endpoints for machines that look after the gateway, and for readers of this document.

use utoipa::openapi::path::HttpMethod::Get;

use super::endpoint::{Endpoint, endpoint, under};

pub(super) fn endpoints() -> Vec<Endpoint> {
    let probe = |path, id: &str, about: &str, statuses: &[u16]| {
        endpoint(Get, path, id, about).open().answers(statuses, about).done()
    };
    let probes = vec![
        probe("/health", "health", "Whether the process runs", &[200]),
        probe("/ready", "ready", "Whether a request would find a node", &[200, 503]),
        probe("/metrics", "metrics", "Metrics in Prometheus' text format", &[200]),
        probe("/openapi.json", "openapi", "This document", &[200]),
        probe("/docs/", "docs", "This document, for people", &[200]),
    ];
    under("Operations", probes)
}
