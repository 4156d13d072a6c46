//! From a request to credit set aside for it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::admitted::Admitted;
use super::lease::Lease;
use super::queue::NoRoom;
use super::slot::Slot;
use super::{Shared, Till};
use crate::error::LedgerError;
use crate::id::{AccountId, HoldId, RequestId};
use crate::ledger::{Amount, Extend, NewHold};
use crate::money::Nanos;

/// Why a request is not admitted. Nothing was set aside.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AdmitError {
    /// Not enough credit.
    #[error("this request needs {needed} and {available} is available")]
    Insufficient {
        /// The least that would have been enough.
        needed: Nanos,
        /// What is neither spent nor set aside for other requests.
        available: Nanos,
    },
    /// There is no such customer account.
    #[error("there is no account `{0}`")]
    AccountMissing(AccountId),
    /// The account may not spend.
    #[error("account {0} is frozen")]
    Frozen(AccountId),
    /// The ledger cannot be asked and the lease is used up, or the till is closed.
    #[error("the ledger cannot be asked at the moment: {0}")]
    Unavailable(String),
    /// Another process has taken over as this till's owner. Asking again here is of no use.
    #[error("another gateway has taken over from this one")]
    TakenOver,
    /// Captures cannot be made durable at the moment, so nothing is sold.
    #[error("captures cannot be written to the journal at the moment: {0}")]
    JournalFails(String),
    /// The amounts asked for make no sense.
    #[error("{0}")]
    Invalid(String),
}

impl Till {
    /// Sets credit aside for a request: `amount.most` where there is as much, and never less than
    /// `amount.least`. No I/O while the account's lease has room; else the ledger is asked for more, by one
    /// request at a time for all that wait. A request is refused for want of credit only on an answer of the
    /// ledger to a question that was asked after the request came.
    ///
    /// # Errors
    /// See [`AdmitError`].
    pub async fn admit(&self, request: RequestId, account: &AccountId, amount: Amount) -> Result<Admitted, AdmitError> {
        let shared = &self.shared;
        let amount = amount.check().map_err(|error| AdmitError::Invalid(error.to_string()))?;
        if shared.closed.load(Ordering::SeqCst) {
            return Err(AdmitError::Unavailable("the gateway is shutting down".to_owned()));
        }
        if shared.taken_over.load(Ordering::SeqCst) {
            return Err(AdmitError::TakenOver);
        }
        shared.queue.room(shared.config.patience).await.map_err(no_room)?;
        let slot = shared.slot(account);
        if let Some((lease, granted)) = at_once(shared, &slot, amount) {
            return Ok(Admitted::new(Arc::clone(shared), lease, request, granted));
        }
        // In a task of its own: a caller who leaves while the ledger answers must not lose the answer, which
        // may be a lease.
        let shared = Arc::clone(shared);
        let asked = tokio::spawn(async move {
            let (lease, granted) = ask(&shared, &slot, amount).await?;
            Ok(Admitted::new(shared, lease, request, granted))
        });
        asked.await.unwrap_or_else(|error| Err(AdmitError::Unavailable(error.to_string())))
    }
}

/// A lease, and what of it is now this request's.
type Admission = (Arc<Lease>, Nanos);

/// What came of a question: for the request that asked, and for those that wait behind it.
struct Answer {
    admission: Result<Admission, AdmitError>,
    left: Result<Nanos, AdmitError>,
}

impl Answer {
    /// An answer that is the same for all: no.
    fn refused(error: AdmitError) -> Self {
        let left = match &error {
            AdmitError::Insufficient { .. } => Ok(Nanos::ZERO),
            error => Err(error.clone()),
        };
        Self { admission: Err(error), left }
    }
}

impl Shared {
    fn slot(&self, account: &AccountId) -> Arc<Slot> {
        if let Some(slot) = self.slots.read().get(account) {
            return Arc::clone(slot);
        }
        let mut slots = self.slots.write();
        Arc::clone(slots.entry(account.clone()).or_insert_with(|| Arc::new(Slot::new(account.clone()))))
    }
}

/// The fast path: all that is wanted, out of the lease.
fn at_once(shared: &Shared, slot: &Slot, amount: Amount) -> Option<Admission> {
    let lease = slot.lease()?;
    let granted = lease.admit_most(amount, shared.ledger.clock().now())?;
    Some((lease, granted))
}

/// The slow path: through the gate, and to the ledger unless somebody else's question has helped.
async fn ask(shared: &Shared, slot: &Slot, amount: Amount) -> Result<Admission, AdmitError> {
    let calls_before = slot.calls();
    let _want = slot.want(amount.most);
    let mut last = slot.gate.lock().await;
    if let Some(admission) = at_once(shared, slot, amount) {
        return Ok(admission);
    }
    if last.number > calls_before
        && let Some(settled) = settled_by(&last.left, shared, slot, amount)
    {
        return settled;
    }
    last.number = slot.next_call();
    let answer = match live_lease(shared, slot) {
        Some(lease) => extend(shared, slot, lease, amount).await,
        None => open(shared, slot, amount).await,
    };
    last.left = answer.left;
    answer.admission
}

/// What an answer that came while this request waited means for it; `None` when the ledger may have more.
fn settled_by(
    left: &Result<Nanos, AdmitError>,
    shared: &Shared,
    slot: &Slot,
    amount: Amount,
) -> Option<Result<Admission, AdmitError>> {
    let lease = live_lease(shared, slot);
    let free = lease.as_ref().map_or(Nanos::ZERO, |lease| lease.free());
    let available = free.saturating_add(left.clone().unwrap_or(Nanos::ZERO));
    if available > free && amount.least <= available {
        return None;
    }
    let granted = lease.and_then(|lease| {
        let granted = lease.admit_any(amount, shared.ledger.clock().now())?;
        Some((lease, granted))
    });
    Some(granted.ok_or_else(|| match left {
        Err(error) => error.clone(),
        Ok(_) => AdmitError::Insufficient { needed: amount.least, available },
    }))
}

fn live_lease(shared: &Shared, slot: &Slot) -> Option<Arc<Lease>> {
    let lease = slot.lease()?;
    if lease.is_live(shared.ledger.clock().now()) {
        return Some(lease);
    }
    slot.drop_lease(&lease.hold);
    None
}

/// Adds to the lease. What it has free is reserved for this request meanwhile.
async fn extend(shared: &Shared, slot: &Slot, lease: Arc<Lease>, amount: Amount) -> Answer {
    let now = shared.ledger.clock().now();
    let reserved = Reserved::of(shared, &lease, amount.most);
    let least = amount.least.minus_or_zero(reserved.amount);
    let wanted = slot.wanted().minus_or_zero(reserved.amount);
    let add = Amount { least, most: wanted.max(least) };
    let ahead = shared.config.slice.minus_or_zero(add.most);
    let expires_at = now.after(shared.config.lease_ttl);
    let extended = shared.ledger.extend(Extend { hold: lease.hold.clone(), add, ahead, expires_at }).await;
    match extended {
        Ok(got) => {
            let pot = reserved.keep().saturating_add(got.granted);
            let granted = amount.most.min(pot);
            lease.scarce(got.granted < add.most.saturating_add(ahead));
            lease.admit_with(pot, granted, got.hold.expires_at, now);
            Answer { admission: Ok((lease, granted)), left: Ok(got.left) }
        }
        Err(LedgerError::HoldEnded { .. } | LedgerError::NotFound { what: "hold", .. }) => {
            drop(reserved);
            slot.drop_lease(&lease.hold);
            open(shared, slot, amount).await
        }
        Err(LedgerError::Insufficient { available, .. }) => {
            lease.scarce(true);
            let all = available.saturating_add(reserved.amount);
            let error = AdmitError::Insufficient { needed: amount.least, available: all };
            Answer { admission: Err(error), left: Ok(available) }
        }
        Err(error) if error.is_transient() && reserved.amount >= amount.least => {
            tracing::warn!(account = %slot.account, %error, "the ledger is away; admitting within the lease");
            let pot = reserved.keep();
            lease.admit_with(pot, pot, now, now);
            Answer { admission: Ok((lease, pot)), left: Err(refusal(error, amount)) }
        }
        Err(error) => {
            drop(reserved);
            shared.learn(&error);
            if matches!(error, LedgerError::Frozen(_)) {
                slot.drop_lease(&lease.hold);
            }
            Answer::refused(refusal(error, amount))
        }
    }
}

/// Takes a new lease.
async fn open(shared: &Shared, slot: &Slot, amount: Amount) -> Answer {
    let now = shared.ledger.clock().now();
    let most = slot.wanted().max(amount.most);
    let ahead = shared.config.slice.minus_or_zero(most);
    let hold = NewHold {
        id: HoldId::random(),
        account: slot.account.clone(),
        amount: Amount { least: amount.least, most },
        ahead,
        expires_at: now.after(shared.config.lease_ttl),
        owner: shared.config.owner.clone(),
    };
    match shared.ledger.hold(hold).await {
        Ok(got) => {
            let lease = Arc::new(Lease::new(got.hold.id, got.hold.expires_at, now));
            let granted = amount.most.min(got.granted);
            lease.scarce(got.granted < most.saturating_add(ahead));
            lease.admit_with(got.granted, granted, got.hold.expires_at, now);
            slot.set_lease(Arc::clone(&lease));
            Answer { admission: Ok((lease, granted)), left: Ok(got.left) }
        }
        Err(LedgerError::Insufficient { available, .. }) => {
            let error = AdmitError::Insufficient { needed: amount.least, available };
            Answer { admission: Err(error), left: Ok(available) }
        }
        Err(error) => {
            shared.learn(&error);
            Answer::refused(refusal(error, amount))
        }
    }
}

fn no_room(reason: NoRoom) -> AdmitError {
    match reason {
        NoRoom::Full(_) => AdmitError::Unavailable(reason.to_string()),
        NoRoom::Journal(error) => AdmitError::JournalFails(error.to_string()),
    }
}

fn refusal(error: LedgerError, amount: Amount) -> AdmitError {
    match error {
        LedgerError::Insufficient { available, .. } => AdmitError::Insufficient { needed: amount.least, available },
        LedgerError::NotFound { id, .. } => AdmitError::AccountMissing(AccountId::stored(id)),
        LedgerError::Frozen(account) => AdmitError::Frozen(account),
        LedgerError::Invalid(message) => AdmitError::Invalid(message),
        LedgerError::TakenOver { .. } => AdmitError::TakenOver,
        error => AdmitError::Unavailable(error.to_string()),
    }
}

/// Money taken out of a lease for a while; goes back when dropped, also when the caller stops waiting.
struct Reserved<'a> {
    shared: &'a Shared,
    lease: &'a Arc<Lease>,
    amount: Nanos,
}

impl<'a> Reserved<'a> {
    fn of(shared: &'a Shared, lease: &'a Arc<Lease>, most: Nanos) -> Self {
        Self { shared, lease, amount: lease.reserve(most) }
    }

    /// The money, not to go back by itself.
    fn keep(mut self) -> Nanos {
        std::mem::take(&mut self.amount)
    }
}

impl Drop for Reserved<'_> {
    fn drop(&mut self) {
        if self.lease.put_back(self.amount) {
            self.shared.scarce.list(self.lease);
        }
    }
}
