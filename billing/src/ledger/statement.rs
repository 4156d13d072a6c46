//! What rows of days, hooks and alerts mean.

use sha2::{Digest, Sha256};

use super::rows::{AlertRow, ChargeRow, DayRow, HookRow, corrupt};
use super::types::{Alert, AlertHook, AlertScope, AlertState, DayUsage};
use crate::calendar::{self, Window};
use crate::clock::Timestamp;
use crate::error::LedgerError;
use crate::id::{AccountId, KeyId};
use crate::money::Nanos;

/// Account, day, key and model: each has one [`DayRow`].
pub(crate) type DayPlace = (String, i64, String, String);

/// What a charge adds to its day.
pub(crate) fn day_of(charge: &ChargeRow) -> DayRow {
    DayRow {
        account: charge.account.clone(),
        day: calendar::day(Timestamp::from_millis(charge.created_at)),
        key: charge.key_id.clone().unwrap_or_default(),
        model: charge.model.clone(),
        requests: 1,
        prompt: charge.prompt,
        cached: charge.cached,
        completion: charge.completion,
        total: charge.total,
    }
}

/// What is spent on a day.
pub(crate) trait DayFields {
    fn place(&self) -> DayPlace;

    /// Adds what another row of the same place says. Sums stop at the largest number.
    fn add(&mut self, other: &Self);

    fn told(self) -> Result<DayUsage, LedgerError>;
}

impl DayFields for DayRow {
    fn place(&self) -> DayPlace {
        (self.account.clone(), self.day, self.key.clone(), self.model.clone())
    }

    fn add(&mut self, other: &Self) {
        for (sum, more) in [
            (&mut self.requests, other.requests),
            (&mut self.prompt, other.prompt),
            (&mut self.cached, other.cached),
            (&mut self.completion, other.completion),
            (&mut self.total, other.total),
        ] {
            *sum = sum.saturating_add(more);
        }
    }

    fn told(self) -> Result<DayUsage, LedgerError> {
        let bad = |_| corrupt("day", &self.day.to_string());
        let count = |number: i64| u64::try_from(number).map_err(bad);
        Ok(DayUsage {
            day: calendar::midnight(self.day),
            requests: count(self.requests)?,
            prompt: count(self.prompt)?,
            cached: count(self.cached)?,
            completion: count(self.completion)?,
            spent: Nanos::new(self.total),
            key: (!self.key.is_empty()).then_some(self.key).map(KeyId::stored),
            model: self.model,
        })
    }
}

/// Where an account is told.
pub(crate) trait HookFields {
    fn to_hook(&self) -> Result<AlertHook, LedgerError>;
}

impl HookFields for HookRow {
    fn to_hook(&self) -> Result<AlertHook, LedgerError> {
        Ok(AlertHook {
            account: AccountId::stored(self.account.clone()),
            url: self.url.clone(),
            budgets: serde_json::from_str(&self.budgets).map_err(|_| corrupt("alert hook", &self.account))?,
            created_at: Timestamp::from_millis(self.created_at),
        })
    }
}

/// A new alert's row, named by what it says: whoever notices it again makes the same name.
pub(crate) fn alert_row(alert: &Alert, state: AlertState) -> AlertRow {
    let scope = match &alert.scope {
        AlertScope::Account => "account".to_owned(),
        AlertScope::Key(root) => format!("key:{root}"),
    };
    let Alert { account, window, since, level, .. } = alert;
    let name = format!("{account}|{scope}|{window}|{}|{level}", since.as_millis());
    AlertRow {
        id: format!("alert_{}", hex::encode(&Sha256::digest(name)[..16])),
        account: account.as_str().to_owned(),
        scope,
        span: window.as_str().to_owned(),
        since: since.as_millis(),
        level: i64::from(*level),
        budget: alert.budget.as_i64(),
        spent: alert.spent.as_i64(),
        created_at: alert.created_at.as_millis(),
        state: state.as_str().to_owned(),
        attempts: 0,
        next_at: alert.created_at.as_millis(),
        seal: String::new(),
    }
}

/// An alert.
pub(crate) trait AlertFields {
    /// As that of a hold: what shows that the row was not written by the ledger.
    fn computed_seal(&self) -> String;

    fn to_alert(&self) -> Result<Alert, LedgerError>;
}

impl AlertFields for AlertRow {
    fn computed_seal(&self) -> String {
        let Self { id, account, scope, span, since, level, budget, spent, .. } = self;
        let Self { created_at, state, attempts, next_at, seal: _, .. } = self;
        let text = format!(
            "{id}|{account}|{scope}|{span}|{since}|{level}|{budget}|{spent}|{created_at}|{state}|{attempts}|{next_at}"
        );
        hex::encode(&Sha256::digest(text)[..8])
    }

    fn to_alert(&self) -> Result<Alert, LedgerError> {
        let bad = || corrupt("alert", &self.id);
        let scope = match self.scope.strip_prefix("key:") {
            Some(root) => AlertScope::Key(KeyId::stored(root.to_owned())),
            None => AlertScope::Account,
        };
        Ok(Alert {
            id: self.id.clone(),
            account: AccountId::stored(self.account.clone()),
            scope,
            window: Window::from_word(&self.span).ok_or_else(bad)?,
            since: Timestamp::from_millis(self.since),
            level: u8::try_from(self.level).map_err(|_| bad())?,
            budget: Nanos::new(self.budget),
            spent: Nanos::new(self.spent),
            created_at: Timestamp::from_millis(self.created_at),
        })
    }
}
