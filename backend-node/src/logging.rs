//! The log: one event a line, to standard error.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{ConfigError, LogFormat};

/// Capped whatever the operator asks for: below `warn` mistral.rs writes out prompts and pages of metadata, and its
/// engine's own errors come back with the request that failed.
const CAPS: [&str; 4] = ["mistralrs=warn", "mistralrs_core=warn", "mistralrs_quant=warn", "mistralrs_core::engine=off"];

/// Starts logging.
///
/// # Errors
/// `ConfigError` where the filter cannot be read.
pub fn start(format: LogFormat, filter: &str) -> Result<(), ConfigError> {
    let fault = |error: &dyn std::fmt::Display| ConfigError(format!("--log {filter}: {error}"));
    let mut filter = EnvFilter::try_new(filter).map_err(|error| fault(&error))?;
    for cap in CAPS {
        filter = filter.add_directive(cap.parse().map_err(|error| fault(&error))?);
    }
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        // Colours are for terminals; in a file they are noise.
        .with_ansi(std::io::stderr().is_terminal());
    // A second call, as in tests, leaves the first in place.
    let _already = match format {
        LogFormat::Text => builder.finish().try_init(),
        LogFormat::Json => builder.json().flatten_event(true).finish().try_init(),
    };
    Ok(())
}
