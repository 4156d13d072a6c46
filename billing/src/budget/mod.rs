//! Budgets: what a key or a minted token may spend in a day, a week, a month, and ever, whichever gateways it spends it at.
//!
//! The problem: many requests of one key run at once, at several gateways, and what each will cost is known when it ends. So
//! what a request may cost is reserved before it begins, and exchanged for what it paid when it ends. A gateway reserves out of
//! a share of the budget that it has set aside in the ledger, where nobody is granted more than the charges in the log and
//! the shares of all others leave in every window. Most requests are reserved in memory; the ledger is asked for another share
//! when one is used up.
//!
//! What was paid stays in the share until the charge is in the ledger, which learns of it some milliseconds later. So
//! nothing is ever missed; what was paid counts twice for that moment, and until the gateway says what it still needs.
//! Near the end of a budget that is said at once, and nothing is set aside ahead, so that the rest can be spent anywhere.
//!
//! The keys of a chain of rotations have one budget between them, under the name of the first: by the key that is
//! shown, each rotation would empty every budget, and double it while old and new key both work.
//!
//! Rejected: reserving in the ledger each time (a disk flush per request); counting only what is paid (a burst overspends
//! by all that is under way); gateways that tell each other what was spent (each overspends by what it has not heard).
//!
//! | file | idea |
//! | --- | --- |
//! | `purse` | a share in memory |
//! | `scope` | whose budget: its purse, and the gate through which one asks for more |
//! | `reserved` | one request's part: spent once, or given back |
//! | `scarce` | budgets of which the ledger is to hear at once |
//! | `keeper` | tells the ledger what is still needed |

mod keeper;
mod purse;
mod reserved;
mod scarce;
mod scope;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use tokio::task::AbortHandle;

pub use reserved::Reserved;
pub use scope::BudgetScope;

use crate::access::BudgetLimits;
use crate::calendar::Window;
use crate::clock::Timestamp;
use crate::id::OwnerId;
use crate::ledger::{Amount, Ledger};
use crate::money::Nanos;
use scarce::Scarce;
use scope::Scope;

/// How long a scope stays in memory after its last request.
const IDLE: Duration = Duration::from_secs(10 * 60);
/// How often idle scopes are looked for, at most.
const SWEEP_EVERY: Duration = Duration::from_secs(60);
/// How long a share lives without renewal: what a crashed gateway keeps of its customers' budgets at most.
const SHARE_TTL: Duration = Duration::from_secs(300);
/// How much is set aside ahead where a budget has plenty: $0.10.
const SLICE: Nanos = Nanos::new(100_000_000);

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
        /// What it has left: neither spent nor set aside.
        remaining: Nanos,
        /// When it begins anew; `None` for [`Window::Lifetime`].
        resets_at: Option<Timestamp>,
    },
    /// What is left is not known, because the ledger cannot be asked.
    #[error("the ledger cannot be asked at the moment: {0}")]
    Unavailable(String),
    /// The amount asked for makes no sense.
    #[error("{0}")]
    Invalid(String),
}

/// The budgets that one gateway spends of. Clones share them; the last one dropped stops their task.
#[derive(Debug, Clone)]
pub struct Budgets {
    shared: Arc<Shared>,
    _keeper: Arc<Keeper>,
}

#[derive(Debug)]
struct Shared {
    ledger: Ledger,
    owner: OwnerId,
    scopes: RwLock<HashMap<BudgetScope, Arc<Scope>>>,
    swept_at: Mutex<Timestamp>,
    scarce: Arc<Scarce>,
}

#[derive(Debug)]
struct Keeper(AbortHandle);

impl Drop for Keeper {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Budgets {
    /// The budgets of one gateway, by the name in which its till holds credit: what it has set aside is given back with
    /// the till's leases. Must be called inside a Tokio runtime.
    #[must_use]
    pub fn new(ledger: Ledger, owner: OwnerId) -> Self {
        let swept_at = Mutex::new(ledger.clock().now());
        let shared = Arc::new(Shared { ledger, owner, scopes: RwLock::default(), swept_at, scarce: Arc::default() });
        let keeper = tokio::spawn(keeper::run(Arc::clone(&shared)));
        Self { shared, _keeper: Arc::new(Keeper(keeper.abort_handle())) }
    }

    /// Reserves between `amount.least` and `amount.most` of what all windows leave; the tightest decides. No I/O while
    /// the share of the budget has room, and none for who has no limits.
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
        let scope = self.shared.scope(&scope);
        let granted = scope.reserve(&self.shared, limits, amount).await?;
        Ok(Reserved::new(scope, self.shared.ledger.clock().clone(), granted))
    }

    /// Tells the ledger what is still needed of every share, and gives back those that are idle. Done by itself every 30
    /// seconds.
    pub async fn maintain(&self) {
        keeper::round(&self.shared).await;
    }

    /// Keys and tokens in memory, for metrics.
    #[must_use]
    pub fn scopes(&self) -> usize {
        self.shared.scopes.read().len()
    }
}

impl Shared {
    fn now(&self) -> Timestamp {
        self.ledger.clock().now()
    }

    fn scope(&self, name: &BudgetScope) -> Arc<Scope> {
        if let Some(scope) = self.scopes.read().get(name) {
            return Arc::clone(scope);
        }
        let now = self.now();
        let mut scopes = self.scopes.write();
        self.sweep(&mut scopes, now);
        let new = || Arc::new(Scope::new(name.clone(), now, Arc::clone(&self.scarce)));
        Arc::clone(scopes.entry(name.clone()).or_insert_with(new))
    }

    /// Only a new scope makes the map grow, so that is when idle ones are looked for.
    fn sweep(&self, scopes: &mut HashMap<BudgetScope, Arc<Scope>>, now: Timestamp) {
        let mut swept_at = self.swept_at.lock();
        if now < swept_at.after(SWEEP_EVERY) {
            return;
        }
        *swept_at = now;
        // A scope that somebody else holds has something reserved, or is about to.
        scopes.retain(|_, scope| Arc::strong_count(scope) > 1 || now < scope.purse().used_at().after(IDLE));
    }
}
