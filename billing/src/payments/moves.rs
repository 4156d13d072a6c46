//! What of a credited payment went back, told to the ledger.

use peerway_billing_stripe::Cents;
use tracing::{error, info, warn};

use crate::access::Actor;
use crate::error::LedgerError;
use crate::id::{AccountId, Reference};
use crate::ledger::{Deposit, Dispute, DisputeEnd, Refund, RefundEnd, Source};

use super::Payments;
use super::amount::{credit_of, nanos};
use super::error::PaymentError;
use super::truth::{Move, Truth};
use peerway_billing_stripe::RefundStatus;

/// How long a refund that somebody made at Stripe waits for the account's unused credit: leases come back within a minute.
const LEASES_COME_BACK_S: i64 = 180;

const STRIPE: Actor = Actor::Payments(Source::Stripe);

impl Payments {
    /// Posts each move, and says how much of the credit went back by refunds.
    pub(super) async fn moves(&self, truth: &Truth, account: &AccountId, credit: Cents) -> Result<Cents, PaymentError> {
        for one in truth.moves(credit) {
            match one {
                // Ours are in the ledger since before Stripe was asked.
                Move::Refund { ours: true, .. } => {}
                Move::Refund { name, ours: false, credit, created } => {
                    self.taken_past_us(account, &name, credit, created).await?;
                }
                Move::EndRefund { name, end } => self.end_refund(account, &name, end, truth, credit).await?,
                Move::Dispute { name, credit, reason } => self.disputed(account, &name, credit, &reason).await?,
                Move::EndDispute { name, end } => self.end_dispute(account, &name, end).await?,
            }
        }
        let live = truth.refunds.iter().filter(|refund| refund.dollars && refund.status != RefundStatus::Failed);
        let back = live.fold(0, |sum, refund| sum + credit_of(refund.amount, truth.payment.received, credit).get());
        Ok(Cents::new(back).unwrap_or(Cents::ZERO).min(credit))
    }

    /// A refund from Stripe's dashboard. The money is gone already: what the account has not any more, it owes.
    async fn taken_past_us(
        &self,
        account: &AccountId,
        name: &str,
        credit: Cents,
        created: i64,
    ) -> Result<(), PaymentError> {
        if self.is_owed(name).await? {
            return Ok(());
        }
        let (amount, reference) = (nanos(credit)?, reference(name)?);
        let memo = "refund made at Stripe".to_owned();
        let (source, to) = (Source::Stripe, account.clone());
        let refund = Refund { account: to, amount, source, reference: reference.clone(), memo: memo.clone() };
        // Made by who runs the platform, and so also of a frozen account.
        match self.ledger().refund(refund, &Actor::Operator).await {
            Ok(_) => Ok(()),
            Err(LedgerError::Insufficient { needed, available, .. }) => {
                if self.now().as_secs() < created.saturating_add(LEASES_COME_BACK_S) {
                    return Err(PaymentError::Conflict(format!("a refund of {needed} waits for leases to come back")));
                }
                warn!(%account, refund = name, %needed, %available, "a refund made at Stripe was more than was left: the account owes it");
                let to = account.clone();
                let dispute = Dispute { account: to, amount, source, reference: reference.clone(), memo };
                self.ledger().dispute(dispute, &STRIPE).await?;
                self.ledger().end_dispute(&reference, DisputeEnd::Lost, &STRIPE).await?;
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Whether a refund was taken as what the account owes: asked of the ledger, since by now the account may have enough. One
    /// that was not ended as such is ended.
    async fn is_owed(&self, refund: &str) -> Result<bool, PaymentError> {
        match self.ledger().end_dispute(&reference(refund)?, DisputeEnd::Lost, &STRIPE).await {
            Ok(_) => Ok(true),
            Err(LedgerError::NotFound { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    async fn end_refund(
        &self,
        account: &AccountId,
        name: &str,
        end: RefundEnd,
        truth: &Truth,
        credit: Cents,
    ) -> Result<(), PaymentError> {
        let returned = match self.ledger().end_refund(&reference(name)?, end, &STRIPE).await {
            Ok(_) => false,
            // It failed before we heard of it and never was in the ledger, or was taken as what the account owes.
            Err(LedgerError::NotFound { .. }) => end == RefundEnd::Failed && self.is_owed(name).await?,
            // A bank may send back what it had taken.
            Err(LedgerError::Conflict { .. }) if end == RefundEnd::Failed => true,
            Err(error) => return Err(error.into()),
        };
        if !returned {
            return Ok(());
        }
        let is_it = |refund: &&peerway_billing_stripe::Refund| {
            refund.order.as_deref() == Some(name) || refund.id.as_str() == name
        };
        let Some(refund) = truth.refunds.iter().find(is_it) else { return Ok(()) };
        let deposit = Deposit {
            account: account.clone(),
            amount: nanos(credit_of(refund.amount, truth.payment.received, credit))?,
            source: Source::Stripe,
            reference: reference(&format!("{name}:returned"))?,
            memo: "a refund that the bank returned".to_owned(),
        };
        self.ledger().deposit(deposit, &STRIPE).await?;
        Ok(())
    }

    async fn disputed(&self, account: &AccountId, name: &str, credit: Cents, why: &str) -> Result<(), PaymentError> {
        let why: String = why.chars().filter(|letter| !letter.is_control()).take(100).collect();
        let memo = format!("dispute: {why}");
        let (amount, source, to) = (nanos(credit)?, Source::Stripe, account.clone());
        let dispute = Dispute { account: to, amount, source, reference: reference(name)?, memo };
        let moved = self.ledger().dispute(dispute, &STRIPE).await?;
        if !moved.repeated {
            warn!(%account, dispute = name, %amount, "a payment is disputed: the account is frozen");
        }
        Ok(())
    }

    async fn end_dispute(&self, account: &AccountId, name: &str, end: DisputeEnd) -> Result<(), PaymentError> {
        match self.ledger().end_dispute(&reference(name)?, end, &STRIPE).await {
            Ok(moved) => {
                if !moved.repeated {
                    info!(%account, dispute = name, %end, "a dispute has ended");
                }
                Ok(())
            }
            Err(LedgerError::NotFound { .. }) => Ok(()),
            Err(conflict @ LedgerError::Conflict { .. }) => {
                error!(%account, dispute = name, %conflict, "a dispute that had ended has ended otherwise: look at it");
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }
}

pub(super) fn reference(name: &str) -> Result<Reference, PaymentError> {
    Reference::new(name).map_err(|error| PaymentError::Conflict(error.to_string()))
}
