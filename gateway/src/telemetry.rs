//! Logs and metrics.
//!
//! Logs are one event a line on standard error, levels by `RUST_LOG`. Metrics are Prometheus'; each is described where
//! this module registers it, and nowhere is an account, a key or a text part of a label.

use std::io::IsTerminal;
use std::time::Duration;

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;

use crate::config::LogFormat;

/// Bounds of the histograms in seconds, from a gateway's own share to a long answer.
const BUCKETS: &[f64] = &[0.0001, 0.000_25, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0, 120.0];
/// How often old samples are folded away.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

/// Starts the log. A second call in one process changes nothing.
pub fn start_log(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        // Colours are for terminals; in a file they are noise.
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false);
    // A log that is already there, as in tests, is as good.
    let _ = match format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
}

/// Starts the metrics of this process.
///
/// # Errors
/// Where metrics were started before.
pub fn start_metrics() -> Result<PrometheusHandle, BuildError> {
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), BUCKETS)?
        .install_recorder()?;
    describe();
    Ok(handle)
}

/// Keeps the metrics' memory bounded until it is dropped.
pub async fn keep_up(handle: PrometheusHandle) {
    let mut ticks = tokio::time::interval(UPKEEP_EVERY);
    loop {
        ticks.tick().await;
        handle.run_upkeep();
    }
}

fn describe() {
    use metrics::{describe_counter, describe_gauge, describe_histogram};
    describe_counter!("peerway_requests_total", "HTTP requests that are over, by class of status.");
    describe_histogram!("peerway_request_seconds", "From a request's head to the last byte of its answer.");
    describe_gauge!("peerway_requests_in_flight", "Requests whose answer is not over.");
    describe_counter!("peerway_requests_shed_total", "Requests refused because too many were in flight.");
    describe_counter!("peerway_rate_limited_total", "Requests refused because their caller asks faster than it may.");
    describe_counter!("peerway_panics_total", "Requests that met a fault of the gateway.");
    describe_counter!("peerway_attempts_total", "Requests sent to a node, by how it went.");
    describe_histogram!("peerway_gateway_seconds", "From a request's head to its dispatch: the gateway's own share.");
    describe_histogram!("peerway_first_token_seconds", "From dispatch to the first piece of an answer.");
    describe_counter!("peerway_answers_total", "Answers that are over, by how they ended.");
    describe_counter!("peerway_tokens_total", "Tokens billed, by kind.");
    describe_counter!("peerway_overclaims_total", "Answers for which a node claimed more tokens than it sent.");
    describe_counter!("peerway_resumed_total", "Answers whose node failed in mid-answer, by what came of it.");
    describe_counter!("peerway_hedges_total", "Nodes asked beside one that was late, by whether they were sooner.");
    describe_counter!("peerway_retries_refused_total", "Further tries not made because too many were of late.");
    describe_gauge!("peerway_nodes", "Nodes in the directory.");
}
