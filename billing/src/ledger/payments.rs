//! What callers may ask about money that comes from outside, and goes back there.

use super::api::Ledger;
use super::command::Command;
use super::types::{Deposit, Dispute, DisputeEnd, Moved, Refund, RefundEnd};
use crate::access::Actor;
use crate::error::LedgerError;
use crate::id::Reference;
use crate::text;

impl Ledger {
    /// Posts a payment that has arrived, once per reference. Also onto a frozen account: what is owed can be paid.
    ///
    /// # Errors
    /// No such customer account, an amount of nothing, the reference used with other terms, or the database's failure.
    pub async fn deposit(&self, deposit: Deposit, actor: &Actor) -> Result<Moved, LedgerError> {
        text::checked("memo", &deposit.memo, text::MEMO_BYTES)?;
        let actor = actor.clone();
        self.ask(|reply| Command::Deposit { deposit, actor, reply }).await
    }

    /// Takes unused credit off an account, to be sent back to who had paid. Ask this before the payment provider, so that
    /// nobody spends meanwhile what is on its way back.
    ///
    /// # Errors
    /// No such customer account, a frozen one, more than it has available, an amount of nothing, the reference used with
    /// other terms, or the database's failure.
    pub async fn refund(&self, refund: Refund, actor: &Actor) -> Result<Moved, LedgerError> {
        text::checked("memo", &refund.memo, text::MEMO_BYTES)?;
        let actor = actor.clone();
        self.ask(|reply| Command::Refund { refund, actor, reply }).await
    }

    /// Ends a refund: it was paid, or failed and is credit again.
    ///
    /// # Errors
    /// No such refund, one that ended otherwise, or the database's failure.
    pub async fn end_refund(&self, refund: &Reference, end: RefundEnd, actor: &Actor) -> Result<Moved, LedgerError> {
        let (refund, actor) = (refund.clone(), actor.clone());
        self.ask(|reply| Command::EndRefund { refund, end, actor, reply }).await
    }

    /// Takes a disputed payment off an account, even below zero, and freezes it.
    ///
    /// # Errors
    /// No such customer account, an amount of nothing, the reference used with other terms, or the database's failure.
    pub async fn dispute(&self, dispute: Dispute, actor: &Actor) -> Result<Moved, LedgerError> {
        text::checked("memo", &dispute.memo, text::MEMO_BYTES)?;
        let actor = actor.clone();
        self.ask(|reply| Command::Dispute { dispute, actor, reply }).await
    }

    /// Ends a dispute: won, the money is back; lost, it is gone and the account stays frozen.
    ///
    /// # Errors
    /// No such dispute, one that ended otherwise, or the database's failure.
    pub async fn end_dispute(&self, dispute: &Reference, end: DisputeEnd, actor: &Actor) -> Result<Moved, LedgerError> {
        let (dispute, actor) = (dispute.clone(), actor.clone());
        self.ask(|reply| Command::EndDispute { dispute, end, actor, reply }).await
    }
}
