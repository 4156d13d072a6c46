//! How much an account may pay in a day: little when nobody knows it, more with time and payments that stayed paid.
//!
//! Who tests stolen cards makes accounts, pays small sums with many cards and is gone. Age and payments that nobody took back
//! are what such an account has not.

use std::time::Duration;

use peerway_billing_stripe::Cents;

use crate::clock::Timestamp;

/// A day and a payment's time to be taken back by a payer who looks at the statement.
const DAY: Duration = Duration::from_secs(24 * 3600);
const SETTLES: Duration = Duration::from_secs(7 * 24 * 3600);

/// Cards that were declined in a day before no page is opened any more.
const MOST_DECLINES: u32 = 5;

/// Pages that are opened in a day.
const MOST_PAGES: usize = 20;

/// What is known of an account.
#[derive(Debug, Clone, Default)]
pub(super) struct Record {
    /// When it was opened.
    pub(super) opened: Option<Timestamp>,
    /// Its payments, whatever became of them.
    pub(super) payments: Vec<Past>,
}

/// A payment of before, or one under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Past {
    pub(super) at: Timestamp,
    pub(super) amount: Cents,
    pub(super) fate: Fate,
    /// Cards that were declined before it was paid or given up.
    pub(super) declines: u32,
    /// The card's fingerprint, and where it is from.
    pub(super) card: Option<String>,
    pub(super) country: Option<String>,
}

/// What became of a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It may still be paid.
    Open,
    /// It was.
    Paid,
    /// It was not, or went back.
    Nothing,
    /// The payer's bank took it back.
    Disputed,
}

/// How far an account is trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    New,
    Known,
    Trusted,
    Established,
}

impl Level {
    /// How many times a new account's daily sum it may pay.
    const fn times(self) -> i64 {
        match self {
            Self::New => 1,
            Self::Known => 5,
            Self::Trusted => 20,
            Self::Established => 100,
        }
    }
}

/// Why no more may be paid today.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Denied {
    /// More than an account of this level pays in a day.
    Sum { most: Cents, used: Cents },
    /// Too many cards were declined.
    Declines,
    /// Too many pages were opened.
    Pages,
}

impl Record {
    /// How far it is trusted.
    pub(super) fn level(&self, now: Timestamp) -> Level {
        if self.payments.iter().any(|past| past.fate == Fate::Disputed) {
            return Level::New;
        }
        let days = |days: u32| self.opened.is_some_and(|opened| now >= opened.after(DAY * days));
        let settled =
            self.payments.iter().filter(|past| past.fate == Fate::Paid && now >= past.at.after(SETTLES)).count();
        match settled {
            10.. if days(90) => Level::Established,
            3.. if days(30) => Level::Trusted,
            1.. if days(7) => Level::Known,
            _ => Level::New,
        }
    }

    /// Whether so much more may be paid. `new` is what a new account may pay in a day.
    pub(super) fn allows(&self, amount: Cents, new: Cents, now: Timestamp) -> Result<(), Denied> {
        let today: Vec<&Past> = self.payments.iter().filter(|past| past.at.after(DAY) > now).collect();
        if today.iter().map(|past| past.declines).sum::<u32>() >= MOST_DECLINES {
            return Err(Denied::Declines);
        }
        if today.len() >= MOST_PAGES {
            return Err(Denied::Pages);
        }
        let counts = |past: &&&Past| matches!(past.fate, Fate::Open | Fate::Paid);
        let used = today.iter().filter(counts).fold(0_i64, |sum, past| sum.saturating_add(past.amount.get()));
        let most = new.get().saturating_mul(self.level(now).times());
        if used.saturating_add(amount.get()) > most {
            let cents = |cents| Cents::new(cents).unwrap_or(Cents::ZERO);
            return Err(Denied::Sum { most: cents(most), used: cents(used) });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEW: i64 = 10_000;

    fn c(cents: i64) -> Cents {
        Cents::new(cents).unwrap()
    }

    fn day(day: u32) -> Timestamp {
        Timestamp::from_millis(0).after(DAY * day)
    }

    fn past(at: u32, amount: i64, fate: Fate) -> Past {
        Past { at: day(at), amount: c(amount), fate, declines: 0, card: None, country: None }
    }

    fn record(payments: Vec<Past>) -> Record {
        Record { opened: Some(day(0)), payments }
    }

    #[test]
    fn trust_grows_with_time_and_with_payments_that_stay_paid() {
        let paid = |count: u32| record((0..count).map(|at| past(at, 100, Fate::Paid)).collect());
        assert_eq!(paid(0).level(day(400)), Level::New);
        assert_eq!(paid(1).level(day(6)), Level::New);
        assert_eq!(paid(1).level(day(7)), Level::Known);
        assert_eq!(paid(3).level(day(29)), Level::Known);
        assert_eq!(paid(3).level(day(30)), Level::Trusted);
        assert_eq!(paid(10).level(day(89)), Level::Trusted);
        assert_eq!(paid(10).level(day(90)), Level::Established);
        // A payment of yesterday may still be taken back; one that was takes all trust away.
        assert_eq!(record(vec![past(399, 100, Fate::Paid)]).level(day(400)), Level::New);
        assert_eq!(record(vec![past(0, 1, Fate::Paid), past(1, 1, Fate::Disputed)]).level(day(400)), Level::New);
    }

    #[test]
    fn what_is_open_counts_as_much_as_what_is_paid() {
        let record =
            record(vec![past(0, 9_000, Fate::Paid), past(10, 4_000, Fate::Open), past(10, 90_000, Fate::Nothing)]);
        // Known: five times a new account's.
        assert_eq!(record.allows(c(46_000), c(NEW), day(10)), Ok(()));
        let most = Denied::Sum { most: c(50_000), used: c(4_000) };
        assert_eq!(record.allows(c(46_001), c(NEW), day(10)), Err(most));
        assert_eq!(record.allows(c(50_000), c(NEW), day(11)), Ok(()), "a day later it is another day");
        assert_eq!(Record::default().allows(c(NEW), c(NEW), day(0)), Ok(()));
        assert!(Record::default().allows(c(i64::MAX), c(NEW), day(0)).is_err());
    }

    #[test]
    fn who_tries_cards_is_stopped() {
        let tried = |declines| record(vec![Past { declines, ..past(0, 100, Fate::Open) }]);
        assert_eq!(tried(4).allows(c(1), c(NEW), day(0)), Ok(()));
        assert_eq!(tried(5).allows(c(1), c(NEW), day(0)), Err(Denied::Declines));
        assert_eq!(tried(5).allows(c(1), c(NEW), day(1)), Ok(()));
        let pages = record(vec![past(0, 0, Fate::Nothing); 20]);
        assert_eq!(pages.allows(c(1), c(NEW), day(0)), Err(Denied::Pages));
    }
}
