//! Times as people type them.

use std::time::Duration;

use anyhow::Context;
use peerway_billing::Timestamp;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A span: `90s`, `30m`, `12h`, `30d`.
pub(super) fn span(text: &str) -> anyhow::Result<Duration> {
    let wrong = || format!("`{text}` is no span of time; write 90s, 30m, 12h or 30d");
    let unit = text.chars().next_back().with_context(wrong)?;
    let seconds: u64 = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => anyhow::bail!(wrong()),
    };
    let count = text[..text.len() - 1].parse::<u32>().ok().with_context(wrong)?;
    Ok(Duration::from_secs(u64::from(count) * seconds))
}

/// A moment: a span from now, seconds since 1970, or RFC 3339.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    In(Duration),
    At(Timestamp),
}

impl Moment {
    pub(super) fn after(self, now: Timestamp) -> Timestamp {
        match self {
            Self::In(span) => now.after(span),
            Self::At(moment) => moment,
        }
    }
}

impl std::str::FromStr for Moment {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(seconds) = text.parse::<i64>() {
            return Ok(Self::At(Timestamp::from_millis(seconds.saturating_mul(1000))));
        }
        if let Ok(date) = OffsetDateTime::parse(text, &Rfc3339) {
            return Ok(Self::At(Timestamp::from_millis(date.unix_timestamp().saturating_mul(1000))));
        }
        let wrong = || format!("`{text}` is no moment; write 30d, 2027-01-31T12:00:00Z, or seconds since 1970");
        span(text).map(Self::In).with_context(wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_as_people_write_them() {
        let now = Timestamp::from_millis(1_000_500);
        for (text, millis) in [
            ("90s", 1_090_500),
            ("30m", 2_800_500),
            ("12h", 44_200_500),
            ("30d", 2_593_000_500),
            ("1800000000", 1_800_000_000_000),
            ("2027-01-15T08:00:00Z", 1_800_000_000_000),
            ("2027-01-15T09:00:00+01:00", 1_800_000_000_000),
        ] {
            assert_eq!(text.parse::<Moment>().unwrap().after(now).as_millis(), millis, "{text}");
        }
        for nonsense in ["", "d", "30", "1.5h", "30 d", "-1d", "tomorrow", "2027-01-15", "1ä"] {
            assert!(span(nonsense).is_err(), "{nonsense}");
        }
        assert!("tomorrow".parse::<Moment>().is_err());
    }
}
