//! How unusual a payment is for its account, with the reasons in words.
//!
//! Plain statistics of the account's own payments: the mean and spread of the logarithm of its amounts, how many it makes in a
//! day, its cards and their countries. Each reason has points; a payment with too many waits for a person. Rejected: a model
//! that cannot say why, since both the customer and whoever releases the payment want to know.

use super::trust::{Fate, Past};

const DAY_MS: i64 = 24 * 3600 * 1000;

/// An account that has paid nothing yet is compared with twenty dollars, give or take a factor of three.
const USUAL_LOG_CENTS: f64 = 7.6;
const USUAL_SPREAD: f64 = 1.1;
/// How many payments what is usual for all weighs, against the account's own.
const USUAL_WEIGHT: f64 = 2.0;
/// The smallest spread: who always pays ten dollars may pay fifteen.
const LEAST_SPREAD: f64 = 0.5;

/// A payment that is to be judged.
#[derive(Debug, Clone)]
pub(super) struct Suspect<'a> {
    pub(super) now: &'a Past,
    /// The account's other payments.
    pub(super) before: &'a [Past],
    /// How many other accounts have paid with the same card.
    pub(super) strangers: usize,
    /// What Stripe thinks: `normal`, `elevated`, `highest`.
    pub(super) risk: Option<&'a str>,
}

/// Points, and why.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Score {
    pub(super) points: u32,
    pub(super) reasons: Vec<String>,
}

impl Score {
    fn add(&mut self, points: u32, reason: impl Into<String>) {
        if points > 0 {
            self.points += points;
            self.reasons.push(format!("{} (+{points})", reason.into()));
        }
    }
}

impl Suspect<'_> {
    pub(super) fn score(&self) -> Score {
        let mut score = Score::default();
        let paid: Vec<&Past> = self.before.iter().filter(|past| past.fate == Fate::Paid).collect();
        self.amount(&paid, &mut score);
        self.rate(&paid, &mut score);
        self.card(&paid, &mut score);
        self.declines(&mut score);
        match self.risk {
            Some("elevated") => score.add(20, "Stripe thinks that its risk is elevated"),
            Some("highest") => score.add(50, "Stripe thinks that its risk is very high"),
            _ => {}
        }
        score
    }

    /// How many spreads the amount is above the account's usual.
    fn amount(&self, paid: &[&Past], score: &mut Score) {
        let logs: Vec<f64> = paid.iter().map(|past| log_cents(past)).collect();
        let weight = count(logs.len()) + USUAL_WEIGHT;
        let mean = (logs.iter().sum::<f64>() + USUAL_WEIGHT * USUAL_LOG_CENTS) / weight;
        let squares = logs.iter().map(|log| (log - mean).powi(2)).sum::<f64>();
        let spread = ((squares + USUAL_WEIGHT * USUAL_SPREAD.powi(2)) / weight).sqrt().max(LEAST_SPREAD);
        let above = (log_cents(self.now) - mean) / spread;
        let times = (log_cents(self.now) - mean).exp();
        score.add(points((above - 1.5) * 20.0, 50), format!("{times:.0} times the usual amount"));
    }

    /// How many payments in a day, against the account's own days.
    fn rate(&self, paid: &[&Past], score: &mut Score) {
        let age = |past: &Past| self.now.at.as_millis().saturating_sub(past.at.as_millis());
        let today = paid.iter().filter(|past| age(past) < DAY_MS).count();
        let older: Vec<i64> = paid.iter().map(|past| age(past)).filter(|age| *age >= DAY_MS).collect();
        let days = older.iter().max().map_or(1.0, |age| (count_ms(*age) / count_ms(DAY_MS)).max(1.0));
        let usual = (count(older.len()) / days).max(0.5);
        let reason = format!("{} payments within a day, {usual:.1} are usual", today + 1);
        score.add(points((count(today + 1) / usual).ln() * 12.0 - 12.0, 40), reason);
    }

    fn card(&self, paid: &[&Past], score: &mut Score) {
        let others = |of: fn(&Past) -> &Option<String>| {
            let mine = of(self.now).as_ref();
            let known: Vec<&String> = paid.iter().filter_map(|past| of(past).as_ref()).collect();
            mine.is_some_and(|mine| !known.is_empty() && !known.contains(&mine))
        };
        if others(|past| &past.card) {
            score.add(15, "a card that this account has not paid with before");
        }
        if others(|past| &past.country) {
            let country = self.now.country.as_deref().unwrap_or("?");
            score.add(20, format!("a card from a country that is new to this account: {country}"));
        }
        let strangers = u32::try_from(self.strangers).unwrap_or(u32::MAX);
        score.add(strangers.saturating_mul(25).min(75), format!("{strangers} other accounts have paid with this card"));
    }

    fn declines(&self, score: &mut Score) {
        let recent = |past: &&Past| self.now.at.as_millis().saturating_sub(past.at.as_millis()) < DAY_MS;
        let declines = self.now.declines + self.before.iter().filter(recent).map(|past| past.declines).sum::<u32>();
        score.add(declines.saturating_mul(12).min(60), format!("{declines} cards were declined within a day"));
    }
}

fn log_cents(past: &Past) -> f64 {
    count_ms(past.amount.get().max(1)).ln()
}

#[expect(clippy::cast_precision_loss, reason = "statistics, not money")]
fn count_ms(number: i64) -> f64 {
    number as f64
}

#[expect(clippy::cast_precision_loss, reason = "statistics, not money")]
fn count(number: usize) -> f64 {
    number as f64
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is between 0 and `most`")]
fn points(points: f64, most: u32) -> u32 {
    points.clamp(0.0, f64::from(most)) as u32
}

#[cfg(test)]
mod tests {
    use peerway_billing_stripe::Cents;

    use super::*;
    use crate::clock::Timestamp;

    fn at(day: i64) -> Timestamp {
        Timestamp::from_millis(day * DAY_MS)
    }

    fn paid(day: i64, dollars: i64) -> Past {
        Past {
            at: at(day),
            amount: Cents::new(dollars * 100).unwrap(),
            fate: Fate::Paid,
            declines: 0,
            card: Some("mine".to_owned()),
            country: Some("US".to_owned()),
        }
    }

    fn score(now: &Past, before: &[Past]) -> Score {
        Suspect { now, before, strangers: 0, risk: Some("normal") }.score()
    }

    /// Held for review from here on, unless an operator says otherwise.
    const HELD: u32 = 60;

    #[test]
    fn an_account_that_pays_as_it_always_does_is_left_alone() {
        let months: Vec<Past> = (0..12).map(|month| paid(month * 30, 50)).collect();
        assert_eq!(score(&paid(365, 50), &months), Score::default());
        assert!(score(&paid(365, 150), &months).points < HELD);
        for first in [5, 20, 100] {
            assert!(score(&paid(0, first), &[]).points < HELD, "{first}");
        }
    }

    #[test]
    fn each_reason_is_told_with_its_points() {
        let months: Vec<Past> = (0..6).map(|month| paid(month * 30, 20)).collect();
        let stolen =
            Past { card: Some("other".to_owned()), country: Some("BR".to_owned()), declines: 3, ..paid(200, 2_000) };
        let found = Suspect { now: &stolen, before: &months, strangers: 2, risk: Some("elevated") }.score();
        assert!(found.points >= HELD * 2, "{found:?}");
        for told in
            ["usual amount", "not paid with before", "new to this account: BR", "3 cards", "2 other accounts", "Stripe"]
        {
            assert!(found.reasons.iter().any(|reason| reason.contains(told)), "{told}: {found:?}");
        }
    }

    #[test]
    fn many_payments_in_a_day_are_unusual_until_they_are_usual() {
        let burst = vec![paid(100, 20); 8];
        assert!(score(&paid(100, 20), &burst).reasons.iter().any(|reason| reason.contains("9 payments within a day")));
        let busy: Vec<Past> = (0..100).flat_map(|day| vec![paid(day, 20); 8]).collect();
        assert_eq!(score(&paid(100, 20), &busy), Score::default());
    }

    #[test]
    fn stolen_cards_tried_in_turn_are_held() {
        let tried = Past { declines: 5, ..paid(0, 10) };
        assert!(score(&tried, &[]).points >= HELD);
    }
}
