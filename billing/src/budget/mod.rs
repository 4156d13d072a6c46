//! Budgets: what a key or a minted token may spend in a day, a week, a month, and ever.
//!
//! The problem: many requests of one key run at once, and what each will cost is known when it ends. So what a
//! request may cost is reserved before it begins, against every window at once, and exchanged for what it paid
//! when it ends. All of that is in memory; the ledger is asked once per key, for what was spent before.
//!
//! The ledger learns of captures some milliseconds after they were made, so it must not be asked about a key
//! that this process spends with: a charge under way would be missed, one that has arrived counted twice. It is
//! therefore asked before the first reservation, and from then on everything that the key spends here passes
//! through [`Reserved::spend`]. A key without limits is counted too, though nothing is asked for it: when it
//! gets a limit, the ledger is asked for what was spent before this process began to count.
//!
//! The keys of a chain of rotations have one budget between them, under the name of the first: by the key that is
//! shown, each rotation would empty every budget, and double it while old and new key both work.
//!
//! Exact within one process. Another process that spends the same key's money is seen when the key was idle
//! for ten minutes. Rejected: reserving in the ledger (a disk flush per request); counting only what is paid
//! (a burst overspends by all that is under way).
//!
//! | file | idea |
//! | --- | --- |
//! | `tally` | one scope's sums, per window |
//! | `scope` | whose budget: its tally, and how it learns of the past |
//! | `reserved` | one request's part: spent once, or given back |

mod reserved;
mod scope;
mod tally;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, RwLock};

pub use reserved::Reserved;
pub use scope::BudgetScope;

use crate::access::BudgetLimits;
use crate::calendar::Window;
use crate::clock::Timestamp;
use crate::ledger::{Amount, Ledger};
use crate::money::Nanos;
use scope::Scope;

/// How long a scope stays in memory after its last request. Much longer than a capture waits for the ledger, so
/// that the ledger knows all of them when it is asked again.
const IDLE: Duration = Duration::from_secs(10 * 60);
/// How often idle scopes are looked for, at most.
const SWEEP_EVERY: Duration = Duration::from_secs(60);

/// Why a budget gives nothing. Nothing was reserved.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BudgetError {
    /// A window's limit leaves less than the request needs. Of several such windows the longest is told:
    /// waiting for a shorter one would be in vain.
    #[error("the {window} budget of {limit} has {remaining} left")]
    Exhausted {
        /// Which window.
        window: Window,
        /// What it allows.
        limit: Nanos,
        /// What it has left: neither spent nor reserved.
        remaining: Nanos,
        /// When it begins anew; `None` for [`Window::Lifetime`].
        resets_at: Option<Timestamp>,
    },
    /// What was spent before is not known, because the ledger cannot be asked.
    #[error("the ledger cannot be asked at the moment: {0}")]
    Unavailable(String),
    /// The amount asked for makes no sense.
    #[error("{0}")]
    Invalid(String),
}

/// The budgets of one process. Clones share them.
#[derive(Debug, Clone)]
pub struct Budgets {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    ledger: Ledger,
    scopes: RwLock<HashMap<BudgetScope, Arc<Scope>>>,
    swept_at: Mutex<Timestamp>,
}

impl Budgets {
    /// Budgets over what this ledger knows was spent. One per process and ledger, and everything that is spent
    /// must pass through it.
    #[must_use]
    pub fn new(ledger: Ledger) -> Self {
        let swept_at = Mutex::new(ledger.clock().now());
        Self { shared: Arc::new(Shared { ledger, scopes: RwLock::default(), swept_at }) }
    }

    /// Reserves between `amount.least` and `amount.most` of what all windows leave; the tightest decides. The
    /// ledger is asked on the first use of a scope that has limits, and else nobody.
    ///
    /// `limits` are those of this moment: a change of a key's policy counts from the next request on.
    ///
    /// # Errors
    /// See [`BudgetError`].
    pub async fn reserve(
        &self,
        scope: BudgetScope,
        limits: &BudgetLimits,
        amount: Amount,
    ) -> Result<Reserved, BudgetError> {
        let amount = amount.check().map_err(|error| BudgetError::Invalid(error.to_string()))?;
        let clock = self.shared.ledger.clock();
        let scope = self.shared.scope(scope, clock.now());
        scope.ready(&self.shared.ledger, limits).await?;
        let granted = scope.tally().reserve(limits, amount, clock.now())?;
        Ok(Reserved::new(scope, clock.clone(), granted))
    }

    /// Keys and tokens in memory, for metrics.
    #[must_use]
    pub fn scopes(&self) -> usize {
        self.shared.scopes.read().len()
    }
}

impl Shared {
    fn scope(&self, name: BudgetScope, now: Timestamp) -> Arc<Scope> {
        if let Some(scope) = self.scopes.read().get(&name) {
            return Arc::clone(scope);
        }
        let mut scopes = self.scopes.write();
        self.sweep(&mut scopes, now);
        Arc::clone(scopes.entry(name.clone()).or_insert_with(|| Arc::new(Scope::new(name, now))))
    }

    /// Only a new scope makes the map grow, so that is when idle ones are looked for.
    fn sweep(&self, scopes: &mut HashMap<BudgetScope, Arc<Scope>>, now: Timestamp) {
        let mut swept_at = self.swept_at.lock();
        if now < swept_at.after(SWEEP_EVERY) {
            return;
        }
        *swept_at = now;
        // A scope that somebody else holds has something reserved, or is about to.
        scopes.retain(|_, scope| Arc::strong_count(scope) > 1 || now < scope.tally().used_at().after(IDLE));
    }
}
