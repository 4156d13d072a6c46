//! `x-ratelimit-…`: what is left, in OpenAI's words.

use std::fmt::Write;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};

use super::bucket::Level;

/// The three headers of one limit.
pub(super) fn write(headers: &mut HeaderMap, names: [&'static str; 3], level: Level) {
    let values = [level.limit.to_string(), level.remaining.to_string(), duration(level.reset)];
    for (name, value) in names.into_iter().zip(values) {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
}

/// A duration as OpenAI writes it: `20ms`, `1s`, `1m30s`, `6m0s`. Milliseconds, rounded up, below a second; whole
/// seconds, rounded up, from there on.
fn duration(time: Duration) -> String {
    let millis = time.as_nanos().div_ceil(1_000_000);
    if millis < 1000 {
        return format!("{millis}ms");
    }
    let seconds = millis.div_ceil(1000);
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let mut text = String::new();
    // A String takes whatever is written.
    if hours > 0 {
        let _ = write!(text, "{hours}h");
    }
    if seconds >= 60 {
        let _ = write!(text, "{minutes}m");
    }
    let _ = write!(text, "{rest}s");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_as_openai_writes_them() {
        for (nanos, text) in [
            (0, "0ms"),
            (1, "1ms"),
            (20_000_000, "20ms"),
            (999_000_001, "1s"),
            (1_000_000_000, "1s"),
            (1_000_000_001, "2s"),
            (90_000_000_000, "1m30s"),
            (360_000_000_000, "6m0s"),
            (3_661_000_000_000, "1h1m1s"),
        ] {
            assert_eq!(duration(Duration::from_nanos(nanos)), text, "{nanos}");
        }
    }
}
