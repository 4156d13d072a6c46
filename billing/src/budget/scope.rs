//! Whose budget it is, and how it learns of what was spent before.

use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::{Mutex, MutexGuard};

use super::BudgetError;
use super::tally::Tally;
use crate::access::BudgetLimits;
use crate::clock::Timestamp;
use crate::id::{KeyId, TokenId};
use crate::ledger::Ledger;

/// What has a budget.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum BudgetScope {
    /// A chain of rotations, by its first key ([`crate::KeyRecord::root`]): all its keys, and all tokens minted under
    /// them.
    Key(KeyId),
    /// One minted token.
    Token(TokenId),
}

/// What the tally knows of the time before this process counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Past {
    /// Nothing, and nothing was reserved yet.
    Untouched,
    /// Nothing, and requests without limits were let through.
    Unasked,
    /// Everything.
    Known,
}

#[derive(Debug)]
pub(super) struct Scope {
    name: BudgetScope,
    /// When this process began to count.
    since: Timestamp,
    tally: Mutex<Tally>,
    /// Held while the ledger is asked, so that it is asked once and nothing is reserved meanwhile.
    past: tokio::sync::Mutex<Past>,
    /// Whether `past` is [`Past::Known`], without waiting for it.
    known: AtomicBool,
}

impl Scope {
    pub(super) fn new(name: BudgetScope, now: Timestamp) -> Self {
        Self {
            name,
            since: now,
            tally: Mutex::new(Tally::new(now)),
            past: tokio::sync::Mutex::new(Past::Untouched),
            known: AtomicBool::new(false),
        }
    }

    pub(super) fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock()
    }

    /// Makes sure that the tally knows all that `limits` are held against. A caller who leaves meanwhile
    /// changes nothing.
    pub(super) async fn ready(&self, ledger: &Ledger, limits: &BudgetLimits) -> Result<(), BudgetError> {
        if self.known.load(Ordering::Acquire) {
            return Ok(());
        }
        let mut past = self.past.lock().await;
        if *past == Past::Known {
            return Ok(());
        }
        if limits.is_unlimited() {
            *past = Past::Unasked;
            return Ok(());
        }
        // Once something was let through, the ledger may have its charge or not; what it had before is certain.
        let before = (*past == Past::Unasked).then_some(self.since);
        let now = ledger.clock().now();
        let spent = ledger.usage_of(&self.name, now, before).await;
        let spent = spent.map_err(|error| BudgetError::Unavailable(error.to_string()))?;
        self.tally().add_past(&spent, now);
        *past = Past::Known;
        self.known.store(true, Ordering::Release);
        Ok(())
    }
}
