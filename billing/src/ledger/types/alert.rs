//! Telling an account that a budget is being used up.

use serde::{Deserialize, Serialize};

use crate::access::BudgetLimits;
use crate::calendar::Window;
use crate::clock::Timestamp;
use crate::id::{AccountId, KeyId};
use crate::money::Nanos;
use crate::words::words;

/// Percent of a budget at which its account is told.
pub const ALERT_LEVELS: [u8; 4] = [50, 75, 90, 100];

/// Where an account is told, and what else it wants to be told about than its keys' budgets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertHook {
    /// The account.
    pub account: AccountId,
    /// Where alerts are posted to.
    pub url: String,
    /// Amounts of the whole account that are watched, but not enforced.
    pub budgets: BudgetLimits,
    /// When it was set.
    pub created_at: Timestamp,
}

/// Whose budget it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertScope {
    /// The whole account's.
    Account,
    /// That of a chain of rotations, by its first key.
    Key(KeyId),
}

/// That a budget is used up so far.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// The same however often it is told.
    pub id: String,
    /// The account.
    pub account: AccountId,
    /// Whose budget.
    pub scope: AlertScope,
    /// Over which stretch of time.
    pub window: Window,
    /// When that began; the beginning of time for [`Window::Lifetime`].
    pub since: Timestamp,
    /// Percent that are reached: one of [`ALERT_LEVELS`].
    pub level: u8,
    /// The budget.
    pub budget: Nanos,
    /// What was spent when it was noticed.
    pub spent: Nanos,
    /// When it was noticed.
    pub created_at: Timestamp,
}

/// How far an alert has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertState {
    /// To be told.
    Due,
    /// Told.
    Delivered,
    /// Nobody took it, however often it was tried.
    GivenUp,
    /// A higher level was reached at once: that is told instead.
    Passed,
}
words!(AlertState { Due = "due", Delivered = "delivered", GivenUp = "given_up", Passed = "passed" });

/// An alert that is to be told now, and how.
#[derive(Clone, PartialEq, Eq)]
pub struct DueAlert {
    /// What is told.
    pub alert: Alert,
    /// Where.
    pub url: String,
    /// What signs it.
    pub secret: String,
    /// How often it was tried before.
    pub attempts: u32,
    /// Since when it is due: who tries it says so, and of two only one may.
    pub due_at: Timestamp,
}

impl std::fmt::Debug for DueAlert {
    /// Without the secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DueAlert").field("alert", &self.alert).field("attempts", &self.attempts).finish_non_exhaustive()
    }
}
