//! Charging a saved card when credit runs low: at most once at a time, within the month's cap, less and less often when declined.

use std::time::Duration;

use peerway_billing_store::{PaymentRow, TopUpRow};
use peerway_billing_stripe::{CallError, Cents, NewPayment, PaymentStatus};
use tracing::{info, warn};

use super::amount::cents;
use super::error::PaymentError;
use super::look::{HISTORY, credit_in, new_row};
use super::top_up::{Not, PATIENCE, Standing};
use super::trust::Record;
use super::view::{self, PaymentState, TopUp};
use super::{Payments, new_name};
use crate::calendar::Window;
use crate::clock::Timestamp;
use crate::id::AccountId;
use crate::money::Nanos;

const KIND: &str = "top_up";

/// Accounts that are looked at in a tick.
const SOME: i64 = 100;

/// How long an account rests whose card could not be asked.
const AGAIN: Duration = Duration::from_secs(60);

/// After so long a charge that Stripe does not have will not come any more.
const GIVE_UP: Duration = Duration::from_secs(3600);

/// What a customer sets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopUpSettings {
    /// Whether it is on.
    pub enabled: bool,
    /// Below so much the card is charged.
    pub threshold: Nanos,
    /// So much each time, in whole cents.
    pub amount: Nanos,
    /// So much at most in a calendar month, in UTC, in whole cents.
    pub monthly: Nanos,
}

impl Payments {
    /// An account's top-up; `None` where it was never set.
    ///
    /// # Errors
    /// The ledger's database is away.
    pub async fn top_up(&self, account: &AccountId) -> Result<Option<TopUp>, PaymentError> {
        Ok(self.records().top_up(account.as_str()).await?.map(view::top_up))
    }

    /// Sets an account's top-up, and lets a card that was declined be tried again.
    ///
    /// # Errors
    /// An amount makes no sense, or it is to be on and no card is saved.
    pub async fn set_top_up(&self, account: &AccountId, set: &TopUpSettings) -> Result<TopUp, PaymentError> {
        let amount = self.buyable(set.amount)?;
        let monthly = cents(set.monthly).filter(|monthly| *monthly >= amount).ok_or_else(|| {
            PaymentError::invalid("monthly_limit", "`monthly_limit` must be whole cents, and no less than `amount`.")
        })?;
        if set.threshold.as_i64() < 0 {
            return Err(PaymentError::invalid("threshold", "`threshold` must not be below nothing."));
        }
        if set.enabled && self.stripe().saved_card(&self.customer(account).await?).await?.is_none() {
            let message = "No card is saved. Pay once with `save_card`, or save one in the portal, and try again.";
            return Err(PaymentError::invalid("enabled", message));
        }
        let row = TopUpRow {
            account: account.as_str().to_owned(),
            enabled: i64::from(set.enabled),
            threshold: set.threshold.as_i64(),
            cents: amount.get(),
            monthly_cents: monthly.get(),
            declines: 0,
            not_before: 0,
            under_way: None,
            problem: None,
            changed_at: self.now().as_millis(),
        };
        self.records().set_top_up(&row).await?;
        Ok(view::top_up(row))
    }

    /// Charges the cards whose time has come, every so often, until it is dropped.
    pub async fn follow_credit(self, every: Duration) {
        let mut ticks = tokio::time::interval(every);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if let Err(error) = self.recharge().await {
                warn!(%error, "top-ups could not be looked at");
            }
        }
    }

    /// Charges the cards whose time has come.
    ///
    /// # Errors
    /// The ledger's database is away.
    pub async fn recharge(&self) -> Result<(), PaymentError> {
        for row in self.records().top_ups_due(self.now().as_millis(), SOME).await? {
            if let Err(error) = self.recharge_one(&row).await {
                warn!(account = %row.account, %error, "a top-up failed");
            }
        }
        Ok(())
    }

    async fn recharge_one(&self, row: &TopUpRow) -> Result<(), PaymentError> {
        let now = self.now();
        let account =
            AccountId::new(row.account.as_str()).map_err(|error| PaymentError::Conflict(error.to_string()))?;
        let known = self.ledger().account(&account).await?;
        let history = self.records().payments(&row.account, HISTORY).await?;
        let amount = match standing(row).due(known.balance.posted, of_month(&history, now), now) {
            Ok(amount) => amount,
            Err(Not::MonthFull) => return self.rest(row, now, "the month's limit is reached").await,
            Err(_) => return Ok(()),
        };
        let record = Record { opened: Some(known.created_at), payments: history.iter().map(view::past).collect() };
        if let Err(denied) = record.allows(amount, self.inner.rules.new_account_daily, now) {
            return self.rest(row, now, &PaymentError::from(denied).to_string()).await;
        }
        let order = new_name("top");
        // Of two gateways that come here at once one goes on.
        if !self.records().claim_top_up(&row.account, &order, now.as_millis()).await? {
            return Ok(());
        }
        let payment = new_row(order, &account, KIND, amount, now.as_millis());
        self.records().open_payment(&payment).await?;
        self.charge(row, &payment).await
    }

    /// Asks for the charge, or what became of it: the same name is the same charge.
    async fn charge(&self, row: &TopUpRow, payment: &PaymentRow) -> Result<(), PaymentError> {
        let account =
            AccountId::new(row.account.as_str()).map_err(|error| PaymentError::Conflict(error.to_string()))?;
        let customer = self.customer(&account).await?;
        let Some(card) = self.stripe().saved_card(&customer).await? else {
            return self.over(row, payment, true, "no card is saved any more").await;
        };
        let new = NewPayment {
            order: payment.id.clone(),
            account: payment.account.clone(),
            customer,
            card,
            credit: credit_in(payment)?,
            title: "Credit, bought as it ran low".to_owned(),
        };
        match self.stripe().charge_saved_card(&new).await {
            Ok(charged) => {
                self.look(&charged.id).await?;
                if charged.status == PaymentStatus::Paid {
                    info!(account = %row.account, payment = %payment.id, amount = %new.credit, "credit ran low: a card was charged");
                    return self.was_paid(row, payment).await;
                }
                self.over(row, payment, true, "the bank wants to ask the card's holder").await
            }
            Err(CallError::Refused(refusal)) => {
                let holder = refusal.code.as_deref() == Some("authentication_required") || !refusal.is_decline();
                if let Some(declined) = &refusal.payment {
                    self.look(declined).await?;
                }
                self.over(row, payment, holder, &refusal.message).await
            }
            Err(error @ (CallError::Barred(_) | CallError::Busy | CallError::Unsent(_))) => {
                self.cancel(payment).await?;
                let row = TopUpRow { not_before: self.now().after(AGAIN).as_millis(), ..row.clone() };
                self.end(&row, &payment.id, Some(error.to_string())).await
            }
            Err(error @ CallError::Unknown(_)) => Err(error.into()),
        }
    }

    /// Charges of which nobody knows what became: Stripe is asked for its payments, then for the same charge again.
    pub(super) async fn settle_top_ups(&self) -> Result<(), PaymentError> {
        for row in self.records().top_ups_under_way(self.before(PATIENCE), SOME).await? {
            if let Err(error) = self.settle_top_up(&row).await {
                warn!(account = %row.account, %error, "a top-up could not be settled");
            }
        }
        Ok(())
    }

    async fn settle_top_up(&self, row: &TopUpRow) -> Result<(), PaymentError> {
        let Some(order) = &row.under_way else { return Ok(()) };
        let Some(payment) = self.records().payment(order).await? else {
            // A crash before anything was asked.
            return self.end(row, order, None).await;
        };
        let account =
            AccountId::new(row.account.as_str()).map_err(|error| PaymentError::Conflict(error.to_string()))?;
        let customer = self.customer(&account).await?;
        let since = payment.created_at.div_euclid(1000) - 300;
        let listed = self.stripe().payments_since(since, Some(&customer)).await?;
        match listed.found.iter().find(|found| found.order.as_ref() == Some(order)) {
            Some(found) => {
                self.look(&found.id).await?;
                match found.status {
                    PaymentStatus::Paid => self.was_paid(row, &payment).await,
                    _ => self.over(row, &payment, false, "the card was declined").await,
                }
            }
            None if payment.created_at < self.before(GIVE_UP) => {
                self.over(row, &payment, false, "Stripe did not answer").await
            }
            None => self.charge(row, &payment).await,
        }
    }

    async fn was_paid(&self, row: &TopUpRow, payment: &PaymentRow) -> Result<(), PaymentError> {
        let mut standing = standing(row);
        standing.paid();
        self.end(&with(row, &standing), &payment.id, None).await
    }

    async fn over(&self, row: &TopUpRow, payment: &PaymentRow, holder: bool, why: &str) -> Result<(), PaymentError> {
        warn!(account = %row.account, payment = %payment.id, why, "credit ran low, and the card was not charged");
        self.cancel(payment).await?;
        let mut standing = standing(row);
        standing.declined(holder, self.now());
        self.end(&with(row, &standing), &payment.id, Some(why.to_owned())).await
    }

    /// Nothing will come of it, as far as is known. Should it be paid all the same, it is credited all the same.
    async fn cancel(&self, payment: &PaymentRow) -> Result<(), PaymentError> {
        let Some(row) = self.records().payment(&payment.id).await? else { return Ok(()) };
        let open = PaymentState::Open.as_str();
        if row.state == open {
            let state = PaymentState::Canceled.as_str().to_owned();
            let next = PaymentRow { state, changed_at: self.now().as_millis(), ..row };
            self.records().change_payment(&next, open).await?;
        }
        Ok(())
    }

    /// Nothing of the name `order` is under way any more.
    async fn end(&self, row: &TopUpRow, order: &str, problem: Option<String>) -> Result<(), PaymentError> {
        let row = TopUpRow { problem, changed_at: self.now().as_millis(), ..row.clone() };
        self.records().end_top_up(&row, order).await?;
        Ok(())
    }

    /// Nothing is charged for a while, and the customer sees why.
    async fn rest(&self, row: &TopUpRow, now: Timestamp, why: &str) -> Result<(), PaymentError> {
        let order = new_name("rest");
        if self.records().claim_top_up(&row.account, &order, now.as_millis()).await? {
            let not_before = now.after(GIVE_UP).as_millis();
            let row = TopUpRow { not_before, ..row.clone() };
            self.end(&row, &order, Some(why.to_owned())).await?;
        }
        Ok(())
    }
}

fn standing(row: &TopUpRow) -> Standing {
    let cents = |cents| Cents::new(cents).unwrap_or(Cents::ZERO);
    Standing {
        enabled: row.enabled == 1,
        threshold: Nanos::new(row.threshold),
        amount: cents(row.cents),
        monthly: cents(row.monthly_cents),
        declines: u32::try_from(row.declines).unwrap_or(u32::MAX),
        not_before: Timestamp::from_millis(row.not_before),
        under_way: row.under_way.is_some(),
    }
}

fn with(row: &TopUpRow, standing: &Standing) -> TopUpRow {
    TopUpRow {
        enabled: i64::from(standing.enabled),
        declines: standing.declines.into(),
        not_before: standing.not_before.as_millis(),
        ..row.clone()
    }
}

/// What top-ups have cost this month, or may yet.
fn of_month(history: &[PaymentRow], now: Timestamp) -> Cents {
    let start = Window::Month.start(now).as_millis();
    let counts = |row: &&PaymentRow| {
        let nothing = [PaymentState::Canceled, PaymentState::Refused].iter().any(|state| row.state == state.as_str());
        row.kind == KIND && row.created_at >= start && !nothing
    };
    let sum = history.iter().filter(counts).fold(0_i64, |sum, row| sum.saturating_add(row.cents));
    Cents::new(sum).unwrap_or(Cents::ZERO)
}
