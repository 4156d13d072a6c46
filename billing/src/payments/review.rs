//! Payments that wait for a person, and warnings that one is fraud.

use peerway_billing_store::PaymentRow;
use peerway_billing_stripe::{CallError, Cents, FraudWarning, PaymentId, Refund, RefundStatus, WarningId};
use tracing::{info, warn};

use super::error::PaymentError;
use super::look::{account_of, credit_in};
use super::rules::WarningRule;
use super::truth::{Truth, Verdict};
use super::view::{self, Payment, PaymentState};
use super::{AskedBack, Payments};
use crate::access::Actor;
use crate::error::LedgerError;
use crate::id::AccountId;
use crate::ledger::Source;
use crate::money::Nanos;

/// The most payments of a list.
const MOST: i64 = 1000;

impl Payments {
    /// Payments that wait for a person, with the account of each; the longest waiting first.
    ///
    /// # Errors
    /// The ledger's database is away.
    pub async fn waiting(&self) -> Result<Vec<(String, Payment)>, PaymentError> {
        let rows = self.records().payments_in(PaymentState::Review.as_str(), i64::MAX, MOST).await?;
        Ok(rows.into_iter().map(|row| (row.account.clone(), view::payment(row))).collect())
    }

    /// A person has looked: it is credited.
    ///
    /// # Errors
    /// It does not wait, was not paid, or Stripe did not answer.
    pub async fn release(&self, payment: &str) -> Result<(), PaymentError> {
        let row = self.decide(payment, PaymentState::Paid).await?;
        let truth = self.truth_of(&row).await?;
        let owner = row.account.as_str();
        // What a person may overrule is how unusual it is. That the payer is the account's customer is not such a thing.
        let Verdict::Paid(credit) = truth.verdict(self.payer(&truth).await?.as_deref()) else {
            self.move_to(&row, PaymentState::Review).await?;
            let why = format!("the payment is not as account {owner} began it: send it back instead");
            return Err(PaymentError::Conflict(why));
        };
        self.credit(&truth, &row, credit).await
    }

    async fn payer(&self, truth: &Truth) -> Result<Option<String>, PaymentError> {
        match &truth.payment.customer {
            Some(customer) => Ok(self.records().customers_account(customer.as_str()).await?),
            None => Ok(None),
        }
    }

    /// A person has looked: it goes back whole, and never was credit.
    ///
    /// # Errors
    /// It does not wait, or Stripe did not answer: then ask again.
    pub async fn refuse(&self, payment: &str) -> Result<(), PaymentError> {
        let row = self.decide(payment, PaymentState::Refused).await?;
        self.return_whole(&row).await
    }

    /// Twice the same decision is one.
    async fn decide(&self, payment: &str, to: PaymentState) -> Result<PaymentRow, PaymentError> {
        let row = self.records().payment(payment).await?.ok_or(PaymentError::NotFound("payment"))?;
        if row.state == to.as_str() {
            return Ok(row);
        }
        if view::state(&row) != PaymentState::Review {
            let message = format!("the payment is `{}`: only one in `review` waits for a decision", row.state);
            return Err(PaymentError::Conflict(message));
        }
        self.move_to(&row, to).await
    }

    async fn move_to(&self, row: &PaymentRow, to: PaymentState) -> Result<PaymentRow, PaymentError> {
        let changed_at = self.now().as_millis();
        let next = PaymentRow { state: to.as_str().to_owned(), mark: None, changed_at, ..row.clone() };
        if !self.records().change_payment(&next, &row.state).await? {
            return Err(PaymentError::Conflict("somebody else decided meanwhile".to_owned()));
        }
        Ok(next)
    }

    /// The money of a payment that was never credited. What a bank has taken is gone already.
    pub(super) async fn return_whole(&self, row: &PaymentRow) -> Result<(), PaymentError> {
        let truth = self.truth_of(row).await?;
        if truth.waits_for_a_bank() {
            return Ok(());
        }
        let left = truth.left();
        if left == Cents::ZERO {
            let next = PaymentRow { mark: Some(Truth::mark(&truth.payment)), ..row.clone() };
            self.records().change_payment(&next, &row.state).await?;
            return Ok(());
        }
        // One that a bank could not send is sent anew, and so is one of which a part has left meanwhile: under its own name
        // Stripe would only say again what it said.
        let name = format!("{}:refused", row.id);
        let is_failed = |refund: &&Refund| refund.status == RefundStatus::Failed && is_named(refund, &name);
        let failed = truth.refunds.iter().filter(is_failed).count();
        let name = format!("{name}:{}:{failed}", left.get());
        self.stripe().refund(&truth.payment.id, left, &name).await?;
        info!(payment = %row.id, amount = %left, "a payment was refused and goes back");
        Ok(())
    }

    /// A card network thinks that a payment is fraud. Each of its warnings is acted on once, however often it is told: it becomes an
    /// event of our own under its name. So an operator who has looked may let the account go on.
    pub(super) async fn warned(&self, id: &PaymentId) -> Result<(), PaymentError> {
        for warning in self.stripe().fraud_warnings_of(id).await? {
            self.keep_warning(&warning.id).await?;
        }
        Ok(())
    }

    /// Does what follows from a warning.
    pub(super) async fn act_on(&self, id: &WarningId) -> Result<(), PaymentError> {
        let warning = self.stripe().fraud_warning(id).await?;
        let Some(payment) = &warning.payment else { return Ok(()) };
        let Some(row) = self.records().payment_by_intent(payment.as_str()).await? else { return Ok(()) };
        warn!(payment = %row.id, account = %row.account, kind = warning.kind, "a card network warns of fraud");
        match view::state(&row) {
            PaymentState::Review | PaymentState::Refused => self.refuse(&row.id).await,
            PaymentState::Paid => self.freeze(&row, &warning).await,
            PaymentState::Open | PaymentState::Disputed | PaymentState::Canceled => Ok(()),
        }
    }

    async fn freeze(&self, row: &PaymentRow, warning: &FraudWarning) -> Result<(), PaymentError> {
        let account = account_of(row)?;
        if !self.ledger().account(&account).await?.frozen {
            self.ledger().set_frozen(&account, true, &Actor::Payments(Source::Stripe)).await?;
        }
        if warning.actionable && self.inner.rules.warning == WarningRule::Refund {
            self.unused_back(&account, row, format!("warning:{}", warning.id)).await?;
        }
        Ok(())
    }

    /// What of a payment's credit nobody has used.
    async fn unused_back(&self, account: &AccountId, row: &PaymentRow, name: String) -> Result<(), PaymentError> {
        let available = self.ledger().account(account).await?.balance.available;
        let left = credit_in(row)?.get() - row.back_cents;
        let whole = Nanos::new(available.as_i64() - available.as_i64().rem_euclid(10_000_000));
        let amount = whole.min(super::amount::nanos(Cents::new(left).unwrap_or(Cents::ZERO))?);
        if amount.as_i64() <= 0 {
            return Ok(());
        }
        let (account, payment) = (account.clone(), row.id.clone());
        let asked = AskedBack { account, payment, amount: Some(amount), name: Some(name) };
        match self.send_back(&asked, &Actor::Operator).await {
            Ok(_) | Err(PaymentError::Stripe(CallError::Refused(_))) => Ok(()),
            Err(PaymentError::Ledger(LedgerError::Insufficient { .. })) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

fn is_named(refund: &Refund, name: &str) -> bool {
    refund.order.as_deref().is_some_and(|order| order.starts_with(name))
}
