//! What was spent by day, and what follows from it for the days to come.

use peerway_billing_store::{Days, FirstDays};

use super::api::Ledger;
use super::statement::DayFields;
use super::types::{DayQuestion, DayUsage, Forecast};
use crate::calendar::{self, DAY_MILLIS};
use crate::clock::Timestamp;
use crate::error::LedgerError;
use crate::id::{AccountId, KeyId};
use crate::money::Nanos;

/// The most rows that one question answers.
const MOST: u32 = 10_000;

/// Whole days that a forecast looks back on. A week, so that a weekend is in it.
const LOOK_BACK: i64 = 7;

/// A day that is further away than this is no forecast: a thousand years.
const HORIZON_MILLIS: i128 = 365_250 * DAY_MILLIS as i128;

impl Ledger {
    /// What an account spent, by day, key and model, in that order.
    ///
    /// # Errors
    /// The database's failure. An unknown account spent nothing.
    pub async fn usage_by_day(&self, question: &DayQuestion) -> Result<Vec<DayUsage>, LedgerError> {
        let after = question
            .after
            .as_ref()
            .map(|(day, key, model)| (calendar::day(*day), key.as_ref().map_or("", KeyId::as_str), model.as_str()));
        let days = Days {
            account: question.account.as_str(),
            from: calendar::day(question.from),
            to: calendar::day(question.to),
            key: question.key.as_ref().map(KeyId::as_str),
            model: question.model.as_deref(),
            after: after.unwrap_or((i64::MIN, "", "")),
            limit: question.limit.min(MOST).into(),
        };
        let rows = self.store().days(days).await?;
        rows.into_iter().map(DayFields::told).collect()
    }

    /// How fast an account spends and when all of its credit will be used up, what is set aside at the moment too, from its spending of the last seven whole days and
    /// today. `None` where that says nothing: nothing was spent, or the account is younger than a day.
    ///
    /// # Errors
    /// No such account, or the database's failure.
    pub async fn forecast(&self, account: &AccountId) -> Result<Option<Forecast>, LedgerError> {
        let now = self.clock().now();
        let account = self.account(account).await?;
        let first = calendar::day(now).saturating_sub(LOOK_BACK);
        let since = FirstDays { day: first, week: first, month: first };
        let spent = self.store().spent_by_days(account.id.as_str(), None, since).await?.day;
        let since = calendar::midnight(first).max(account.created_at);
        Ok(foresee(Nanos::new(spent), since, now, account.balance.posted))
    }
}

/// What goes on as it went since then.
fn foresee(spent: Nanos, since: Timestamp, now: Timestamp, available: Nanos) -> Option<Forecast> {
    let (spent, millis) = (i128::from(spent.as_i64()), i128::from(now.as_millis()) - i128::from(since.as_millis()));
    if spent <= 0 || millis < i128::from(DAY_MILLIS) {
        return None;
    }
    let per_day = i64::try_from(spent * i128::from(DAY_MILLIS) / millis).unwrap_or(i64::MAX);
    let left = i128::from(available.as_i64()) * millis / spent;
    let at = i128::from(now.as_millis()) + left;
    let runs_out_at = i64::try_from(at).ok().filter(|_| left < HORIZON_MILLIS).map(Timestamp::from_millis);
    Some(Forecast { per_day: Nanos::new(per_day), runs_out_at })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DAY: i64 = DAY_MILLIS;

    fn told(spent: i64, days: i64, available: i64) -> Option<(i64, Option<i64>)> {
        let now = Timestamp::from_millis(1000 * DAY);
        let since = Timestamp::from_millis((1000 - days) * DAY);
        let forecast = foresee(Nanos::new(spent), since, now, Nanos::new(available))?;
        Some((forecast.per_day.as_i64(), forecast.runs_out_at.map(|at| at.as_millis() - now.as_millis())))
    }

    #[test]
    fn spending_goes_on_as_it_went() {
        assert_eq!(told(700, 7, 300), Some((100, Some(3 * DAY))));
        assert_eq!(told(700, 7, 0), Some((100, Some(0))), "it has run out");
        assert_eq!(told(0, 7, 300), None, "nothing was spent");
        assert_eq!(told(700, 0, 300), None, "too early to say");
        assert_eq!(told(1, 7, i64::MAX), Some((0, None)), "not in a thousand years");
    }

    proptest! {
        #[test]
        fn no_amount_breaks_a_forecast(spent: i64, available in 0..i64::MAX, since: i64, now: i64) {
            let (since, now) = (Timestamp::from_millis(since), Timestamp::from_millis(now));
            if let Some(forecast) = foresee(Nanos::new(spent), since, now, Nanos::new(available)) {
                prop_assert!(spent > 0 && now > since);
                prop_assert!(forecast.per_day.as_i64() >= 0 && forecast.per_day.as_i64() <= spent);
                prop_assert!(forecast.runs_out_at.is_none_or(|at| at >= now));
            }
        }
    }
}
