//! Parts of budgets.

use crate::access::BudgetLimits;
use crate::budget::BudgetScope;
use crate::calendar::Window;
use crate::clock::Timestamp;
use crate::id::OwnerId;
use crate::money::Nanos;

use super::Amount;

/// A part of a budget that somebody asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NewShare {
    /// Whose budget.
    pub(crate) scope: BudgetScope,
    /// What it allows.
    pub(crate) limits: BudgetLimits,
    /// Who asks.
    pub(crate) owner: OwnerId,
    /// What the asker has set aside already and is still using.
    pub(crate) kept: Nanos,
    /// How much more is needed.
    pub(crate) add: Amount,
    /// How much more besides would be welcome, where there is plenty.
    pub(crate) ahead: Nanos,
    /// Until when. Renewed by asking again.
    pub(crate) expires_at: Timestamp,
}

/// What came of asking for a part of a budget.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Shared {
    /// It was set aside, besides what was kept.
    Granted {
        /// How much.
        amount: Nanos,
        /// Whether there is so little left that nobody should keep what they do not need.
        scarce: bool,
    },
    /// A window leaves less than the least that was asked for. Of several the longest is told: waiting for a shorter one would
    /// be in vain.
    Exhausted {
        /// Which window.
        window: Window,
        /// What it allows.
        limit: Nanos,
        /// What it has left: neither spent, nor set aside by anybody, the asker among them.
        left: Nanos,
    },
}
