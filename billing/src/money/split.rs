//! From tokens and a price to what the customer pays and the operator earns.
//!
//! Rounding each kind of token by itself was rejected: three rounded parts cost up to two nano-USD more than
//! the request did. So the whole request is summed exactly in 128 bits and each amount is rounded up once.

use serde::{Deserialize, Serialize};

use super::{Nanos, Overflow, Price, TokenCount};

/// Tokens that a price is quoted for.
const PRICED_TOKENS: i128 = 1_000_000;
/// Basis points in the whole.
const WHOLE_BPS: i128 = 10_000;

/// The platform's share on top of an ask, in basis points (hundredths of a percent); at most 100 %.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct FeeBps(u32);

/// A fee above 100 %.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a fee of {0} basis points is above 10000 (100 %)")]
pub struct FeeTooHigh(pub u32);

impl FeeBps {
    /// No fee.
    pub const ZERO: Self = Self(0);

    /// So many basis points.
    ///
    /// # Errors
    /// Above 10 000.
    pub const fn new(basis_points: u32) -> Result<Self, FeeTooHigh> {
        if basis_points > 10_000 { Err(FeeTooHigh(basis_points)) } else { Ok(Self(basis_points)) }
    }

    /// The fee in basis points.
    #[must_use]
    pub const fn basis_points(self) -> u32 {
        self.0
    }

    /// Ask plus fee, in basis points of the ask.
    fn gross(self) -> i128 {
        WHOLE_BPS + i128::from(self.0)
    }
}

impl From<FeeBps> for u32 {
    fn from(fee: FeeBps) -> Self {
        fee.0
    }
}

impl TryFrom<u32> for FeeBps {
    type Error = FeeTooHigh;

    fn try_from(basis_points: u32) -> Result<Self, Self::Error> {
        Self::new(basis_points)
    }
}

/// Who gets what of one payment: `total = operator + fee`, none of them negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Split {
    /// What the customer pays.
    pub total: Nanos,
    /// What the node's operator earns.
    pub operator: Nanos,
    /// What the platform keeps.
    pub fee: Nanos,
}

impl Split {
    /// The same payment when at most `limit` can be taken: the operator, who did the work, is served first
    /// and the platform bears what is missing.
    #[must_use]
    pub fn limited(self, limit: Nanos) -> Self {
        let total = self.total.min(limit.max(Nanos::ZERO));
        let operator = self.operator.min(total);
        Self { total, operator, fee: total.minus_or_zero(operator) }
    }
}

/// What `tokens` cost at `price` with `fee` on top: the operator gets the sum rounded up to a nano-USD, the
/// customer pays the sum with the fee rounded up, and the difference is the fee.
///
/// # Errors
/// When the amount does not fit.
pub fn charge(price: &Price, tokens: TokenCount, fee: FeeBps) -> Result<Split, Overflow> {
    charge_parts([(price, tokens)], fee).map(|(split, _)| split)
}

/// What several sellers' parts of one request cost together, each at its own price, and what of it each earns. The sum is
/// rounded up once, as that of one part is: each seller earns what the sum grows by with its part, so that what all earn is
/// exactly the split's operator's part, and each is within a nano-USD of its own exact sum.
///
/// # Errors
/// When the amount does not fit.
pub fn charge_parts<'a>(
    parts: impl IntoIterator<Item = (&'a Price, TokenCount)>,
    fee: FeeBps,
) -> Result<(Split, Vec<Nanos>), Overflow> {
    let (mut sum, mut operator, mut earned) = (0_i128, Nanos::ZERO, Vec::new());
    for (price, tokens) in parts {
        sum = sum.checked_add(millionths(price, tokens)).ok_or(Overflow)?;
        let grown = rounded_up(sum, PRICED_TOKENS)?;
        earned.push(grown.checked_sub(operator)?);
        operator = grown;
    }
    let gross = sum.checked_mul(fee.gross()).ok_or(Overflow)?;
    let total = rounded_up(gross, PRICED_TOKENS * WHOLE_BPS)?;
    Ok((Split { total, operator, fee: total.checked_sub(operator)? }, earned))
}

/// What each seller gets where `operator` is all there is for them: the first to deliver are served first.
#[must_use]
pub(crate) fn limited_shares(earned: &[Nanos], operator: Nanos) -> Vec<Nanos> {
    let mut left = operator;
    let take = |share: &Nanos| {
        let got = (*share).min(left);
        left = left.minus_or_zero(got);
        got
    };
    earned.iter().map(take).collect()
}

/// How many completion tokens `amount` pays for after the prompt (`tokens.completion()` is not looked at).
/// 0 also when it does not pay for the prompt; `i64::MAX` when output is free.
#[must_use]
pub fn affordable_completion(price: &Price, fee: FeeBps, tokens: TokenCount, amount: Nanos) -> u64 {
    let budget = i128::from(amount.as_i64()) * PRICED_TOKENS * WHOLE_BPS / fee.gross();
    let left = budget - millionths(price, TokenCount::new(tokens.prompt(), tokens.cached(), 0));
    if left < 0 {
        return 0;
    }
    let most = i64::MAX.unsigned_abs();
    match i128::from(price.output.as_i64()) {
        0 => most,
        output => u64::try_from(left / output).unwrap_or(most).min(most),
    }
}

/// Σ price × tokens, in millionths of a nano-USD. Fits: at most 2 × (2⁶³ − 1)² < 2¹²⁷.
fn millionths(price: &Price, tokens: TokenCount) -> i128 {
    let part = |price: super::PerMillion, count: u64| i128::from(price.as_i64()) * i128::from(count);
    part(price.input, tokens.prompt() - tokens.cached())
        + part(price.cached_input, tokens.cached())
        + part(price.output, tokens.completion())
}

/// `value / divisor`, rounded up; both are never negative.
fn rounded_up(value: i128, divisor: i128) -> Result<Nanos, Overflow> {
    let quotient = value / divisor + i128::from(value % divisor != 0);
    i64::try_from(quotient).map(Nanos::new).map_err(|_| Overflow)
}
