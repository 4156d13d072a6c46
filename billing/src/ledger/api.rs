//! What callers may ask of the ledger.

use std::sync::Arc;

use parking_lot::Mutex;
use peerway_billing_store::{PaymentRecords, ShareRow, Store};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::command::{Command, Reply};
use super::types::{
    Account, Capture, Captured, Credit, Credited, Extend, Granted, Hold, NewHold, NewShare, Shared, Tenure,
};
use super::writer::BATCH;
use crate::access::Actor;
use crate::clock::{Clock, Timestamp};
use crate::error::LedgerError;
use crate::id::{AccountId, HoldId, OwnerId};
use crate::money::Nanos;
use crate::text;

/// A ledger, open. Clones share it. Several processes may have the same one open.
///
/// Every method that changes something answers after the change is on disk. A caller who stops waiting does
/// not undo it.
#[derive(Clone, Debug)]
pub struct Ledger {
    pub(super) inner: Arc<Inner>,
    /// In whose name it is asked; `None` for nobody's.
    pub(super) tenure: Option<Tenure>,
}

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) store: Arc<dyn Store>,
    pub(super) clock: Clock,
    /// `None` once closed.
    pub(super) queue: Mutex<Option<mpsc::Sender<Command>>>,
    pub(super) writer: Mutex<Option<JoinHandle<()>>>,
}

impl Ledger {
    /// Where it is kept, for people: without a password.
    #[must_use]
    pub fn place(&self) -> &str {
        self.inner.store.place()
    }

    /// Where this ledger's "now" comes from.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.inner.clock
    }

    /// What the database keeps of payments. `None`: this one keeps nothing of them.
    pub(crate) fn payment_records(&self) -> Option<Arc<dyn PaymentRecords>> {
        Arc::clone(&self.inner.store).payments()
    }

    pub(super) fn store(&self) -> &dyn Store {
        &*self.inner.store
    }

    /// Does what is queued, then lets go of the database. Calls on any clone answer [`LedgerError::Closed`] from then on.
    pub async fn close(&self) {
        self.inner.queue.lock().take();
        let writer = self.inner.writer.lock().take();
        if let Some(writer) = writer
            && let Err(error) = writer.await
        {
            tracing::error!(%error, "the ledger's writer did not end cleanly");
        }
        self.inner.store.close().await;
    }

    pub(super) async fn ask<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Result<T, LedgerError> {
        let queue = self.inner.queue.lock().clone().ok_or(LedgerError::Closed)?;
        let (reply, answer) = oneshot::channel();
        let command = match self.tenure.clone() {
            Some(tenure) => Command::InTenure { tenure, command: Box::new(command(reply)) },
            None => command(reply),
        };
        queue.send(command).await.map_err(|_| LedgerError::Closed)?;
        drop(queue);
        answer.await.map_err(|_| LedgerError::Closed)?
    }

    /// Opens a customer's account. The name is for people: at most 200 bytes, no control characters.
    ///
    /// # Errors
    /// An impossible name, or the database's failure.
    pub async fn create_account(&self, name: &str, actor: &Actor) -> Result<Account, LedgerError> {
        let (id, name) = (AccountId::random(), text::checked("account name", name, text::NAME_BYTES)?);
        let actor = actor.clone();
        self.ask(|reply| Command::OpenAccount { id, name, actor, reply }).await
    }

    /// Stops an account from spending, or lets it again. Holds that are open stay; work done is still paid.
    ///
    /// # Errors
    /// No such customer account, or the database's failure.
    pub async fn set_frozen(&self, account: &AccountId, frozen: bool, actor: &Actor) -> Result<Account, LedgerError> {
        let (account, actor) = (account.clone(), actor.clone());
        self.ask(|reply| Command::Freeze { account, frozen, actor, reply }).await
    }

    /// Gives a customer credit, once per reference.
    ///
    /// # Errors
    /// No such customer account, an amount of nothing, the reference used with other terms, or the database's
    /// failure.
    pub async fn credit(&self, credit: Credit, actor: &Actor) -> Result<Credited, LedgerError> {
        text::checked("memo", &credit.memo, text::MEMO_BYTES)?;
        let actor = actor.clone();
        self.ask(|reply| Command::Credit { credit, actor, reply }).await
    }

    /// Takes over what is held in an owner's name: answers the ledger as that owner. What earlier processes ask in that
    /// name, through what they were answered here, is refused from now on, whatever they are still up to.
    ///
    /// # Errors
    /// The database's failure.
    pub async fn take_over(&self, owner: &OwnerId) -> Result<Self, LedgerError> {
        let nobody = Self { inner: Arc::clone(&self.inner), tenure: None };
        let owner = owner.clone();
        let tenure = nobody.ask(|reply| Command::TakeOver { owner, reply }).await?;
        Ok(Self { tenure: Some(tenure), ..nobody })
    }

    /// Sets credit aside.
    ///
    /// # Errors
    /// Not enough available, no such customer account, a frozen one, or the database's failure.
    pub async fn hold(&self, hold: NewHold) -> Result<Granted, LedgerError> {
        self.ask(|reply| Command::Hold { hold, reply }).await
    }

    /// Adds credit or time to an open hold.
    ///
    /// # Errors
    /// As [`Ledger::hold`], and for a hold that is unknown or has ended.
    pub async fn extend(&self, extend: Extend) -> Result<Granted, LedgerError> {
        self.ask(|reply| Command::Extend { extend, reply }).await
    }

    /// More time for many holds at once. Answers the ones that got none: unknown, ended, or of a frozen account.
    ///
    /// # Errors
    /// The database's failure.
    pub async fn renew(&self, holds: Vec<HoldId>, expires_at: Timestamp) -> Result<Vec<HoldId>, LedgerError> {
        let mut refused = Vec::new();
        for part in holds.chunks(BATCH) {
            let holds = part.to_vec();
            refused.extend(self.ask(|reply| Command::Renew { holds, expires_at, reply }).await?);
        }
        Ok(refused)
    }

    /// Gives back parts of open holds, which stay open; no more than a hold has left. What has ended is passed over.
    ///
    /// # Errors
    /// The database's failure: it is not known whether they were given back.
    pub async fn shrink(&self, parts: Vec<(HoldId, Nanos)>) -> Result<(), LedgerError> {
        for part in parts.chunks(BATCH) {
            let parts = part.to_vec();
            self.ask(|reply| Command::Shrink { parts, reply }).await?;
        }
        Ok(())
    }

    /// Posts a charge against a hold; see [`Capture`].
    ///
    /// # Errors
    /// An unknown hold, a balance that would not fit, or the database's failure.
    pub async fn capture(&self, capture: Capture) -> Result<Captured, LedgerError> {
        let mut answers = self.capture_all(vec![capture]).await?;
        answers.pop().unwrap_or(Err(LedgerError::Closed))
    }

    /// Posts many charges in one transaction. The answers are in the order of the captures.
    ///
    /// # Errors
    /// The database's failure, for all of them; everything else stands in the single answers.
    pub async fn capture_all(&self, captures: Vec<Capture>) -> Result<Vec<Result<Captured, LedgerError>>, LedgerError> {
        let answers = self.ask(|reply| Command::Capture { captures, reply }).await?;
        for captured in answers.iter().flatten().filter(|captured| !captured.repeated) {
            let receipt = &captured.receipt;
            if receipt.shortfall.as_i64() > 0 || receipt.late {
                tracing::warn!(
                    request = %receipt.request, account = %receipt.account, hold = %receipt.hold, late = receipt.late,
                    paid_nano_usd = receipt.paid.total.as_i64(), shortfall_nano_usd = receipt.shortfall.as_i64(),
                    "captured outside its hold"
                );
            }
        }
        Ok(answers)
    }

    /// Gives back what an open hold has not used, and ends it.
    ///
    /// # Errors
    /// An unknown hold, one that has ended, or the database's failure.
    pub async fn release(&self, hold: &HoldId) -> Result<Hold, LedgerError> {
        let hold = hold.clone();
        self.ask(|reply| Command::Release { hold, reply }).await
    }

    /// Releases every open hold of `owner`, and its shares of budgets; answers how many holds. For what a crashed process left behind.
    ///
    /// # Errors
    /// The database's failure.
    pub async fn release_owner(&self, owner: &OwnerId) -> Result<u64, LedgerError> {
        let owner = owner.clone();
        self.ask(|reply| Command::ReleaseOwner { owner, reply }).await
    }

    /// Sets aside a part of a budget.
    ///
    /// # Errors
    /// The database's failure: it is not known whether it was set aside. That a budget is used up is no error.
    pub(crate) async fn share(&self, share: NewShare) -> Result<Shared, LedgerError> {
        self.ask(|reply| Command::Share { share, reply }).await
    }

    /// Says what somebody still needs of shares that it has; those of nothing are given back.
    ///
    /// # Errors
    /// The database's failure: it is not known whether the ledger knows.
    pub(crate) async fn keep_shares(&self, shares: Vec<ShareRow>) -> Result<(), LedgerError> {
        for part in shares.chunks(BATCH) {
            let shares = part.to_vec();
            self.ask(|reply| Command::KeepShares { shares, reply }).await?;
        }
        Ok(())
    }

    /// Marks holds past their expiry as ended; answers how many. They count as released without it.
    ///
    /// # Errors
    /// The database's failure.
    pub async fn sweep(&self) -> Result<u64, LedgerError> {
        self.ask(|reply| Command::Sweep { reply }).await
    }
}
