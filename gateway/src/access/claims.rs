//! Moments in claims, judged by the gateway's clock.
//!
//! jsonwebtoken checks `exp` and `nbf` by the system's clock, which a test cannot move, and does not check `iat` at all.

use peerway_billing::Timestamp;
use peerway_openapi::ApiError;
use serde::{Deserialize, Deserializer};

use super::credential::refused;

/// Seconds since 1970 as a claim has them; a fraction is cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NumericDate(pub(super) i64);

impl<'de> Deserialize<'de> for NumericDate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = serde_json::Number::deserialize(deserializer)?;
        #[expect(clippy::cast_possible_truncation, reason = "such a cast stops at the ends of an i64")]
        let seconds = number.as_i64().or_else(|| number.as_f64().map(|seconds| seconds.floor() as i64));
        seconds.map(Self).ok_or_else(|| serde::de::Error::custom("not a number of seconds"))
    }
}

/// The moments of a token.
#[derive(Debug, Clone, Copy)]
pub(super) struct Validity {
    pub(super) expires: NumericDate,
    pub(super) not_before: Option<NumericDate>,
    pub(super) issued: Option<NumericDate>,
}

impl Validity {
    /// That the token is good now, give or take a leeway in seconds for clocks that differ.
    pub(super) fn check(&self, now: Timestamp, leeway: u32) -> Result<(), ApiError> {
        let (now, leeway) = (now.as_secs(), i64::from(leeway));
        if now >= self.expires.0.saturating_add(leeway) {
            return Err(refused("This token has expired. Get a new one."));
        }
        let is_ahead = |date: Option<NumericDate>| date.is_some_and(|date| date.0 > now.saturating_add(leeway));
        if is_ahead(self.not_before) {
            return Err(refused("This token is not valid yet (`nbf`). Compare the clocks."));
        }
        if is_ahead(self.issued) {
            return Err(refused("This token was issued in the future (`iat`). Compare the clocks."));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_exact_within_the_leeway() {
        let at = |expires, not_before: Option<i64>, issued: Option<i64>| {
            let validity = Validity {
                expires: NumericDate(expires),
                not_before: not_before.map(NumericDate),
                issued: issued.map(NumericDate),
            };
            validity.check(Timestamp::from_millis(1_000_000), 30).is_ok()
        };
        assert!(at(971, None, None) && !at(970, None, None));
        assert!(at(2000, Some(1030), Some(1030)));
        assert!(!at(2000, Some(1031), None) && !at(2000, None, Some(1031)));
        assert!(at(i64::MAX, Some(i64::MIN), None) && !at(i64::MIN, None, None));
    }

    #[test]
    fn dates_are_numbers() {
        let read = |text: &str| serde_json::from_str::<NumericDate>(text).ok().map(|date| date.0);
        assert_eq!(
            (read("17"), read("17.9"), read("-1"), read("1e300")),
            (Some(17), Some(17), Some(-1), Some(i64::MAX))
        );
        assert_eq!((read("\"17\""), read("null"), read("true")), (None, None, None));
    }
}
