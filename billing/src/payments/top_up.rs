//! When a saved card is charged because credit runs low, and when it is left alone.

use std::time::Duration;

use peerway_billing_stripe::Cents;

use crate::clock::Timestamp;
use crate::money::Nanos;

/// How long a card rests after it was declined: the more often, the longer. Then it is for the customer to look.
const RESTS: [Duration; 3] = [Duration::from_secs(3600), Duration::from_secs(6 * 3600), Duration::from_secs(24 * 3600)];

/// How long a charge may be under way before somebody looks what became of it.
pub(super) const PATIENCE: Duration = Duration::from_secs(120);

/// What a customer has set, and how it went of late.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) enabled: bool,
    /// Below so much it is time.
    pub(super) threshold: Nanos,
    /// So much is bought each time.
    pub(super) amount: Cents,
    /// So much at most in a calendar month, in UTC.
    pub(super) monthly: Cents,
    /// How often the card was declined in a row.
    pub(super) declines: u32,
    /// When the card may be tried again.
    pub(super) not_before: Timestamp,
    /// Whether a charge is under way.
    pub(super) under_way: bool,
}

/// Why nothing is bought now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Not {
    Off,
    Enough,
    UnderWay,
    Resting,
    MonthFull,
}

impl Standing {
    /// Whether it is time. `balance` is what the ledger has, `month` what top-ups have cost this month, those under way included.
    pub(super) fn due(&self, balance: Nanos, month: Cents, now: Timestamp) -> Result<Cents, Not> {
        if !self.enabled {
            return Err(Not::Off);
        }
        if balance >= self.threshold {
            return Err(Not::Enough);
        }
        if self.under_way {
            return Err(Not::UnderWay);
        }
        if now < self.not_before {
            return Err(Not::Resting);
        }
        if month.get().saturating_add(self.amount.get()) > self.monthly.get() {
            return Err(Not::MonthFull);
        }
        Ok(self.amount)
    }

    /// After a decline. One that needs the customer is not tried again: banks take offence.
    pub(super) fn declined(&mut self, needs_customer: bool, now: Timestamp) {
        let rest = usize::try_from(self.declines).ok().and_then(|tries| RESTS.get(tries));
        self.declines = self.declines.saturating_add(1);
        match rest {
            Some(rest) if !needs_customer => self.not_before = now.after(*rest),
            _ => self.enabled = false,
        }
    }

    /// After a payment.
    pub(super) fn paid(&mut self) {
        self.declines = 0;
        self.not_before = Timestamp::from_millis(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn c(cents: i64) -> Cents {
        Cents::new(cents).unwrap()
    }

    fn at(hours: u64) -> Timestamp {
        Timestamp::from_millis(0).after(Duration::from_secs(hours * 3600))
    }

    fn standing() -> Standing {
        Standing {
            enabled: true,
            threshold: Nanos::new(5_000_000_000),
            amount: c(2_000),
            monthly: c(5_000),
            declines: 0,
            not_before: at(0),
            under_way: false,
        }
    }

    const LOW: Nanos = Nanos::new(4_999_999_999);

    #[test]
    fn it_is_time_below_the_threshold_and_within_the_month() {
        assert_eq!(standing().due(LOW, c(3_000), at(1)), Ok(c(2_000)));
        assert_eq!(standing().due(Nanos::new(-1), c(0), at(1)), Ok(c(2_000)));
        assert_eq!(standing().due(Nanos::new(5_000_000_000), c(0), at(1)), Err(Not::Enough));
        assert_eq!(standing().due(LOW, c(3_001), at(1)), Err(Not::MonthFull));
        assert_eq!(Standing { under_way: true, ..standing() }.due(LOW, c(0), at(1)), Err(Not::UnderWay));
        assert_eq!(Standing { enabled: false, ..standing() }.due(LOW, c(0), at(1)), Err(Not::Off));
    }

    #[test]
    fn a_declined_card_rests_longer_each_time_and_then_for_good() {
        let mut standing = standing();
        for (tried, again) in [(0, 1), (1, 7), (7, 31)] {
            standing.declined(false, at(tried));
            assert!(standing.due(LOW, c(0), at(again).before_a_moment()).is_err());
            assert_eq!(standing.due(LOW, c(0), at(again)), Ok(c(2_000)));
        }
        standing.declined(false, at(31));
        assert_eq!(standing.due(LOW, c(0), at(1_000)), Err(Not::Off));
        standing.enabled = true;
        standing.paid();
        assert_eq!((standing.declines, standing.due(LOW, c(0), at(32))), (0, Ok(c(2_000))));
        standing.declined(true, at(33));
        assert_eq!(standing.due(LOW, c(0), at(1_000)), Err(Not::Off), "who must be asked is asked");
    }

    impl Timestamp {
        fn before_a_moment(self) -> Self {
            Self::from_millis(self.as_millis() - 1)
        }
    }
}
