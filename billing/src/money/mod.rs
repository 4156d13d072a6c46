//! Amounts, prices and the one formula that turns tokens into money.
//!
//! Everything is an integer count of nano-USD. Floats were rejected because sums of them depend on their
//! order; decimals with a scale of their own were rejected because nine fixed places hold every price of a
//! single token that anybody has asked for, and an `i64` of them still holds nine billion dollars.

mod nanos;
mod price;
mod split;
mod tokens;

pub use nanos::{AmountParseError, Nanos, Overflow};
pub use price::{PerMillion, Price};
pub(crate) use split::limited_shares;
pub use split::{FeeBps, FeeTooHigh, Split, affordable_completion, charge, charge_parts};
pub use tokens::TokenCount;
