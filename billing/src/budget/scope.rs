//! Whose budget it is, and how more of it is asked for.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::{Mutex, MutexGuard};
use peerway_billing_store::Spender;

use super::purse::{Purse, Terms};
use super::scarce::Scarce;
use super::{BudgetError, SHARE_TTL, SLICE};
use crate::access::BudgetLimits;
use crate::calendar::Window;
use crate::clock::Timestamp;
use crate::id::{KeyId, TokenId};
use crate::ledger::{Amount, NewShare, Shared};
use crate::money::Nanos;

/// How often a question is asked again because charges came to be in the ledger meanwhile, which it may have counted twice.
const ASKED_AGAIN: u32 = 8;

/// What has a budget.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum BudgetScope {
    /// A chain of rotations, by its first key ([`crate::KeyRecord::root`]): all its keys, and all tokens minted under
    /// them.
    Key(KeyId),
    /// One minted token.
    Token(TokenId),
}

impl BudgetScope {
    pub(crate) fn spender(&self) -> Spender {
        match self {
            Self::Key(key) => Spender::Key(key.as_str().to_owned()),
            Self::Token(token) => Spender::Token(token.as_str().to_owned()),
        }
    }
}

impl std::fmt::Display for BudgetScope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Key(key) => write!(f, "key:{key}"),
            Self::Token(token) => write!(f, "token:{token}"),
        }
    }
}

/// What the ledger refused last.
#[derive(Debug, Default)]
pub(super) struct LastCall {
    /// The question's number; 0 before the first.
    number: u64,
    refusal: Option<(BudgetLimits, Nanos, BudgetError)>,
}

#[derive(Debug)]
pub(super) struct Scope {
    name: BudgetScope,
    purse: Mutex<Purse>,
    /// Held while the ledger is asked or told, so that one thing is said of a scope at a time.
    pub(super) gate: Arc<tokio::sync::Mutex<LastCall>>,
    /// Questions begun so far.
    calls: AtomicU64,
    scarce: Arc<Scarce>,
}

impl Scope {
    pub(super) fn new(name: BudgetScope, now: Timestamp, scarce: Arc<Scarce>) -> Self {
        let gate = Arc::default();
        Self { name, purse: Mutex::new(Purse::new(now)), gate, calls: AtomicU64::new(0), scarce }
    }

    pub(super) const fn name(&self) -> &BudgetScope {
        &self.name
    }

    pub(super) fn purse(&self) -> MutexGuard<'_, Purse> {
        self.purse.lock()
    }

    pub(super) fn end(self: &Arc<Self>, amount: Nanos, paid: Nanos, limited: bool, now: Timestamp) {
        if self.purse().end(amount, paid, limited, now) {
            self.list();
        }
    }

    pub(super) fn posted(self: &Arc<Self>, paid: Nanos) {
        if self.purse().is_posted(paid) {
            self.list();
        }
    }

    /// The ledger is to hear of it.
    pub(super) fn list(self: &Arc<Self>) {
        self.scarce.list(Arc::clone(self));
    }

    /// Answers how much, and whether there is a limit.
    pub(super) async fn reserve(
        &self,
        shared: &super::Shared,
        limits: &BudgetLimits,
        amount: Amount,
    ) -> Result<(Nanos, bool), BudgetError> {
        if limits.is_unlimited() {
            return Ok((self.purse().reserve_unlimited(amount.most, shared.now()), false));
        }
        let calls_before = self.calls.load(Ordering::SeqCst);
        if let Some(granted) = self.purse().reserve_most(limits, amount, shared.now()) {
            return Ok((granted, true));
        }
        let mut last = self.gate.lock().await;
        if let Some(granted) = self.purse().reserve_most(limits, amount, shared.now()) {
            return Ok((granted, true));
        }
        // A question that began after this request came has its answer for this one too.
        if let Some((asked, left, refusal)) = &last.refusal
            && last.number > calls_before
            && asked == limits
            && *left < amount.least
        {
            return Err(refusal.clone());
        }
        let mut again = 0;
        loop {
            last.number = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
            last.refusal = None;
            let posted = self.purse().posted();
            match self.ask(shared, limits, amount).await? {
                Ok(granted) => return Ok((granted, true)),
                Err(_) if again < ASKED_AGAIN && self.purse().posted() != posted => again += 1,
                Err((left, refusal)) => {
                    last.refusal = Some((*limits, left, refusal.clone()));
                    return Err(refusal);
                }
            }
        }
    }

    /// Asks the ledger for a share. The inner error is what it refuses, and how much is left. A caller who leaves meanwhile
    /// leaves the ledger with a share that is too large, until it is told.
    async fn ask(
        &self,
        shared: &super::Shared,
        limits: &BudgetLimits,
        amount: Amount,
    ) -> Result<Result<Nanos, (Nanos, BudgetError)>, BudgetError> {
        let now = shared.now();
        let expires_at = now.after(SHARE_TTL);
        let (kept, free) = {
            let mut purse = self.purse();
            purse.untold();
            (purse.reserved(), Emptied { scope: self, free: purse.empty() })
        };
        let share = NewShare {
            scope: self.name.clone(),
            limits: *limits,
            owner: shared.owner.clone(),
            kept,
            add: amount,
            ahead: SLICE.minus_or_zero(amount.most),
            expires_at,
        };
        match shared.ledger.share(share).await {
            Ok(Shared::Granted { amount: granted, scarce }) => {
                std::mem::forget(free);
                let mut purse = self.purse();
                purse.granted(kept, granted, &Terms { limits: *limits, expires_at, scarce });
                let had = purse.reserve_any(limits, amount, now);
                had.map(Ok).ok_or_else(|| BudgetError::Unavailable("the answer came too late".to_owned()))
            }
            Ok(Shared::Exhausted { window, limit, left }) => Ok(Err((left, exhausted(window, limit, left, now)))),
            Err(error) => {
                drop(free);
                let had = self.purse().reserve_any(limits, amount, now);
                had.map(Ok).ok_or_else(|| BudgetError::Unavailable(error.to_string()))
            }
        }
    }
}

fn exhausted(window: Window, limit: Nanos, remaining: Nanos, now: Timestamp) -> BudgetError {
    BudgetError::Exhausted { window, limit, remaining, resets_at: window.end(now) }
}

/// What was free when the ledger was asked; it is free again when the ledger grants nothing, or its answer is not waited for.
struct Emptied<'a> {
    scope: &'a Scope,
    free: Nanos,
}

impl Drop for Emptied<'_> {
    fn drop(&mut self) {
        self.scope.purse().refill(self.free);
    }
}
