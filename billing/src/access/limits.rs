//! How much a key may spend, and how fast it may ask.

use serde::{Deserialize, Serialize};

use super::policy::PolicyError;
use crate::calendar::Window;
use crate::money::Nanos;

/// The most that may be spent per window, in nano-USD; `None` is no limit. Windows are of UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BudgetLimits {
    /// From midnight to midnight.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub day: Option<Nanos>,
    /// From Monday to Monday.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub week: Option<Nanos>,
    /// From the 1st to the 1st.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub month: Option<Nanos>,
    /// Ever.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lifetime: Option<Nanos>,
}

impl BudgetLimits {
    /// The limit of one window.
    #[must_use]
    pub const fn of(&self, window: Window) -> Option<Nanos> {
        match window {
            Window::Day => self.day,
            Window::Week => self.week,
            Window::Month => self.month,
            Window::Lifetime => self.lifetime,
        }
    }

    /// Whether nothing is limited.
    #[must_use]
    pub fn is_unlimited(&self) -> bool {
        *self == Self::default()
    }

    pub(super) fn check(&self) -> Result<(), PolicyError> {
        let fields = ["budgets.day", "budgets.week", "budgets.month", "budgets.lifetime"];
        for (window, field) in Window::ALL.into_iter().zip(fields) {
            if self.of(window).is_some_and(|limit| limit <= Nanos::ZERO) {
                return Err(PolicyError::new(field, "must be more than nothing; leave it out for no limit"));
            }
        }
        Ok(())
    }
}

/// How fast a key may ask; `None` is no limit. Whoever admits requests holds to it; the ledger keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Requests begun in a minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests_per_minute: Option<u64>,
    /// Tokens of prompts and answers in a minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens_per_minute: Option<u64>,
    /// Requests under way at the same time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrent: Option<u32>,
}

impl Limits {
    /// Whether nothing is limited.
    #[must_use]
    pub fn is_unlimited(&self) -> bool {
        *self == Self::default()
    }

    pub(super) fn check(&self) -> Result<(), PolicyError> {
        let fields = [
            ("limits.requests_per_minute", self.requests_per_minute),
            ("limits.tokens_per_minute", self.tokens_per_minute),
            ("limits.concurrent", self.concurrent.map(u64::from)),
        ];
        match fields.into_iter().find(|(_, limit)| *limit == Some(0)) {
            Some((field, _)) => Err(PolicyError::new(field, "must be at least 1; leave it out for no limit")),
            None => Ok(()),
        }
    }
}
