//! Which nodes to try for a request, and in which order.
//!
//! A pure function over a snapshot of the market: it asks no clock, no network and no ledger, so that every choice can
//! be repeated in a test and explained to a caller.

mod cost;
mod pick;

pub use cost::{TYPICAL_COMPLETION, expected_cost};
pub use pick::{MAX_ATTEMPTS, Need, Pick, Refusal, Requirement, asking_price, rank};
