//! Asking prices, exact.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Digits after the point: one nano-USD.
const DIGITS: usize = 9;

/// USD per million tokens, held in whole nano-USD. No float is ever made of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Price(u64);

/// What is no price.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no price: {reason}; give USD per million tokens, for example 0.05")]
pub struct PriceError {
    text: String,
    reason: &'static str,
}

impl Price {
    /// This many nano-USD per million tokens.
    #[must_use]
    pub fn of_nano_usd(nano_usd: u64) -> Self {
        Self(nano_usd)
    }

    /// nano-USD per million tokens.
    #[must_use]
    pub fn nano_usd(self) -> u64 {
        self.0
    }
}

impl FromStr for Price {
    type Err = PriceError;

    fn from_str(text: &str) -> Result<Self, PriceError> {
        let fault = |reason| PriceError { text: text.to_owned(), reason };
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if text.starts_with('-') {
            return Err(fault("it is below zero"));
        }
        if (whole.is_empty() && fraction.is_empty()) || !is_number(whole) || !is_number(fraction) {
            return Err(fault("it is not a decimal number"));
        }
        let fraction = fraction.trim_end_matches('0');
        if fraction.len() > DIGITS {
            return Err(fault("it has more than nine digits after the point"));
        }
        let digits = format!("{whole}{fraction:0<DIGITS$}");
        let nano_usd: u64 = digits.parse().map_err(|_overflow| fault("it is too large"))?;
        if i64::try_from(nano_usd).is_err() {
            return Err(fault("it is too large"));
        }
        Ok(Self(nano_usd))
    }
}

impl fmt::Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, fraction) = (self.0 / 1_000_000_000, self.0 % 1_000_000_000);
        if fraction == 0 {
            return write!(f, "{whole}");
        }
        let fraction = format!("{fraction:09}");
        write!(f, "{whole}.{}", fraction.trim_end_matches('0'))
    }
}

impl Serialize for Price {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Price {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_are_exact() {
        let cases = [
            ("0", 0),
            ("0.05", 50_000_000),
            (".5", 500_000_000),
            ("3", 3_000_000_000),
            ("0.1", 100_000_000),
            ("0.000000001", 1),
            ("1.10000000000", 1_100_000_000),
            ("9223372036.854775807", 9_223_372_036_854_775_807),
        ];
        for (text, nano_usd) in cases {
            assert_eq!(text.parse::<Price>().unwrap().nano_usd(), nano_usd, "{text}");
        }
    }

    #[test]
    fn what_is_no_price_is_refused() {
        for text in ["", ".", "-1", "1e3", "0,5", "+1", "NaN", " 1", "0.0000000001", "9223372036.854775808", "$1"] {
            assert!(text.parse::<Price>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_price_is_shown_as_it_was_given() {
        for text in ["0", "0.05", "3", "0.000000001", "12.34"] {
            assert_eq!(text.parse::<Price>().unwrap().to_string(), text);
        }
    }
}
