//! `Nanos`: an amount of money, and its text form.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Nano-USD in one US dollar.
const PER_USD: i64 = 1_000_000_000;

/// An amount in nano-USD (10⁻⁹ US dollars). Negative only where a column of the ledger may be negative.
///
/// There are no operators: every sum says what happens when it does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Nanos(i64);

/// The result does not fit an `i64` of nano-USD (about nine billion dollars).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the amount does not fit the ledger (at most $9223372036.854775807)")]
pub struct Overflow;

impl Nanos {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// The largest amount there is.
    pub const MAX: Self = Self(i64::MAX);

    /// An amount of so many nano-USD.
    #[must_use]
    pub const fn new(nano_usd: i64) -> Self {
        Self(nano_usd)
    }

    /// The amount as a count of nano-USD.
    #[must_use]
    pub const fn as_i64(self) -> i64 {
        self.0
    }

    /// Reads US dollars written by a person: `12.50`, `$1`, `0.000000001`.
    ///
    /// # Errors
    /// An empty text, a sign, anything that is not a digit, more than nine decimals, or too much money.
    pub fn from_usd_str(text: &str) -> Result<Self, AmountParseError> {
        text.parse()
    }

    /// The sum, or [`Overflow`].
    ///
    /// # Errors
    /// When the sum does not fit.
    pub fn checked_add(self, other: Self) -> Result<Self, Overflow> {
        self.0.checked_add(other.0).map(Self).ok_or(Overflow)
    }

    /// The difference, or [`Overflow`].
    ///
    /// # Errors
    /// When the difference does not fit.
    pub fn checked_sub(self, other: Self) -> Result<Self, Overflow> {
        self.0.checked_sub(other.0).map(Self).ok_or(Overflow)
    }

    /// The sum, stopping at the largest amount. For bounds and limits, never for balances.
    #[must_use]
    pub const fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The difference, never below zero. For remainders and limits, never for balances.
    #[must_use]
    pub fn minus_or_zero(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0).max(0))
    }

    /// The amount in dollars as a float, only for wire formats that demand one (`usage.cost`).
    #[must_use]
    #[allow(clippy::cast_precision_loss)] // a display value; the exact amount stays in the ledger
    pub fn to_usd_f64(self) -> f64 {
        self.0 as f64 / PER_USD as f64
    }
}

impl fmt::Display for Nanos {
    /// Dollars, exact, with at least two decimals: `$12.50`, `$0.000012345`, `-$1.00`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let per_usd = PER_USD.unsigned_abs();
        let (whole, rest) = (self.0.unsigned_abs() / per_usd, self.0.unsigned_abs() % per_usd);
        let digits = format!("{rest:09}");
        let kept = digits.trim_end_matches('0').len().max(2);
        write!(f, "{sign}${whole}.{}", &digits[..kept])
    }
}

/// Why a text is not an amount of dollars.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AmountParseError {
    /// Not of the form `12.50`.
    #[error("`{0}` is not an amount: write US dollars as 12.50 or $12.50, digits only")]
    NotANumber(String),
    /// Finer than a nano-USD.
    #[error("`{0}` has more than 9 decimals; the smallest amount is $0.000000001")]
    TooFine(String),
    /// More than the ledger can hold.
    #[error("`{0}` is too much: an amount is at most $9223372036.854775807")]
    TooLarge(String),
}

impl FromStr for Nanos {
    type Err = AmountParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let shown = || text.chars().take(64).collect::<String>();
        let trimmed = text.trim();
        let number = trimmed.strip_prefix('$').unwrap_or(trimmed);
        let (whole, decimals) = number.split_once('.').unwrap_or((number, ""));
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole) || !digits(decimals) || (whole.is_empty() && decimals.is_empty()) || number.ends_with('.') {
            return Err(AmountParseError::NotANumber(shown()));
        }
        if decimals.len() > 9 {
            return Err(AmountParseError::TooFine(shown()));
        }
        let parse = |part: &str| if part.is_empty() { Some(0) } else { part.parse::<i64>().ok() };
        parse(whole)
            .and_then(|usd| usd.checked_mul(PER_USD))
            .zip(parse(&format!("{decimals:0<9}")))
            .and_then(|(usd, rest)| usd.checked_add(rest))
            .map(Self)
            .ok_or_else(|| AmountParseError::TooLarge(shown()))
    }
}
