//! What a million tokens cost.

use serde::{Deserialize, Serialize};

use super::{AmountParseError, Nanos};

/// Nano-USD per million tokens of one kind; never negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct PerMillion(i64);

impl PerMillion {
    /// So many nano-USD per million tokens; `None` for a negative number.
    #[must_use]
    pub const fn new(nano_usd: i64) -> Option<Self> {
        if nano_usd < 0 { None } else { Some(Self(nano_usd)) }
    }

    /// Reads US dollars per million tokens: `0.15`.
    ///
    /// # Errors
    /// As [`Nanos::from_usd_str`].
    pub fn from_usd_str(text: &str) -> Result<Self, AmountParseError> {
        Nanos::from_usd_str(text).map(|amount| Self(amount.as_i64()))
    }

    /// The price as a count of nano-USD per million tokens.
    #[must_use]
    pub const fn as_i64(self) -> i64 {
        self.0
    }
}

impl From<PerMillion> for i64 {
    fn from(price: PerMillion) -> Self {
        price.0
    }
}

impl TryFrom<i64> for PerMillion {
    type Error = &'static str;

    fn try_from(nano_usd: i64) -> Result<Self, Self::Error> {
        Self::new(nano_usd).ok_or("a price is never negative")
    }
}

/// What a node asks, or a cap on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Price {
    /// Prompt tokens that had to be computed.
    pub input: PerMillion,
    /// Prompt tokens that the node found in its cache.
    pub cached_input: PerMillion,
    /// Generated tokens.
    pub output: PerMillion,
}

impl Price {
    /// Reads three prices in US dollars per million tokens.
    ///
    /// # Errors
    /// As [`Nanos::from_usd_str`], for the first text that is not a price.
    pub fn from_usd_strs(input: &str, cached_input: &str, output: &str) -> Result<Self, AmountParseError> {
        Ok(Self {
            input: PerMillion::from_usd_str(input)?,
            cached_input: PerMillion::from_usd_str(cached_input)?,
            output: PerMillion::from_usd_str(output)?,
        })
    }

    /// Whether no part of this price exceeds the same part of `cap`.
    #[must_use]
    pub fn within(&self, cap: &Self) -> bool {
        self.input <= cap.input && self.cached_input <= cap.cached_input && self.output <= cap.output
    }
}
