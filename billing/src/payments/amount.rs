//! Cents as Stripe counts them, and nano-dollars as the ledger does.

use peerway_billing_stripe::Cents;

use crate::money::{Nanos, Overflow};

/// Nano-dollars of a cent.
const PER_CENT: i64 = 10_000_000;

/// What the ledger calls so many cents.
pub(super) fn nanos(cents: Cents) -> Result<Nanos, Overflow> {
    cents.get().checked_mul(PER_CENT).map(Nanos::new).ok_or(Overflow)
}

/// The whole cents of an amount. `None` where there is a part of one, or less than nothing.
pub(super) fn cents(amount: Nanos) -> Option<Cents> {
    let whole = amount.as_i64() % PER_CENT == 0;
    whole.then(|| Cents::new(amount.as_i64() / PER_CENT)).flatten()
}

/// How much credit is behind `part` of what was received: taxes were received too, and are no credit. Rounded up, so that the
/// parts of a payment that is taken back whole are not less than its credit; and never more than it.
pub(super) fn credit_of(part: Cents, received: Cents, credit: Cents) -> Cents {
    scaled(part, credit, received, true).min(credit)
}

/// How much goes back to the card for so much credit: the taxes on it go back as well. Rounded down.
pub(super) fn charge_of(part: Cents, received: Cents, credit: Cents) -> Cents {
    scaled(part, received, credit, false).min(received)
}

fn scaled(part: Cents, to: Cents, from: Cents, up: bool) -> Cents {
    let (part, to, from) = (i128::from(part.get()), i128::from(to.get()), i128::from(from.get()));
    if from == 0 {
        return Cents::ZERO;
    }
    let scaled = (part * to + if up { from - 1 } else { 0 }) / from;
    i64::try_from(scaled).ok().and_then(Cents::new).unwrap_or(Cents::ZERO)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn c(cents: i64) -> Cents {
        Cents::new(cents).unwrap()
    }

    #[test]
    fn a_cent_is_ten_million_nano_dollars() {
        assert_eq!(nanos(c(1)), Ok(Nanos::new(10_000_000)));
        assert_eq!(nanos(c(i64::MAX / 10_000_000)).map(|nanos| nanos.as_i64()), Ok(9_223_372_036_850_000_000));
        assert_eq!(nanos(c(i64::MAX / 10_000_000 + 1)), Err(Overflow));
        assert_eq!((cents(Nanos::new(20_000_000)), cents(Nanos::new(20_000_001))), (Some(c(2)), None));
        assert_eq!(cents(Nanos::new(-10_000_000)), None);
    }

    #[test]
    fn taxes_are_no_credit_and_go_back_with_it() {
        // $10.00 and 19 % on top.
        assert_eq!(credit_of(c(1190), c(1190), c(1000)), c(1000));
        assert_eq!(credit_of(c(595), c(1190), c(1000)), c(500));
        assert_eq!(credit_of(c(1), c(1190), c(1000)), c(1));
        assert_eq!(charge_of(c(1000), c(1190), c(1000)), c(1190));
        assert_eq!(charge_of(c(1), c(1190), c(1000)), c(1));
        assert_eq!(charge_of(c(333), c(1190), c(1000)), c(396));
        // More than was paid is never meant; nothing is nothing.
        assert_eq!(credit_of(c(2000), c(1190), c(1000)), c(1000));
        assert_eq!(charge_of(c(5), c(0), c(0)), c(0));
    }
}
