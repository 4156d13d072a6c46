//! Captures: work that was delivered becomes money that has moved. Once per request, whatever happens.

use super::{Books, Draft};
use crate::error::LedgerError;
use crate::id::AccountId;
use crate::ledger::rows::{ChargeRow, HoldRow, column};
use crate::ledger::types::{Capture, Captured, HoldState};
use crate::money::{Nanos, Split};

impl Books {
    pub(super) fn capture(&mut self, capture: &Capture) -> Result<Captured, LedgerError> {
        if let Some(first) = self.charges.get(capture.request.as_str()) {
            return Ok(Captured { receipt: first.to_receipt()?, repeated: true });
        }
        let hold =
            &self.holds.get(capture.hold.as_str()).ok_or_else(|| LedgerError::not_found("hold", &capture.hold))?.row;
        let (open, customer) = (hold.is_open(), hold.account.clone());
        let cover = if open { Nanos::new(hold.remainder()) } else { Self::available(self.account(&customer)?) };
        let due = capture.charge.split();
        let paid = due.limited(cover.min(capture.at_most.unwrap_or(Nanos::MAX)));
        let charge = charge_row(capture, hold, paid, self.now);

        let terms = capture.charge.terms();
        let operator = AccountId::of_operator(&terms.operator);
        self.ensure_operator(&operator, terms.operator.as_str())?;
        let fees = AccountId::platform_fees();
        let (total, earned, fee) = (paid.total.as_i64(), paid.operator.as_i64(), paid.fee.as_i64());
        let lines = [(customer.as_str(), -total), (operator.as_str(), earned), (fees.as_str(), fee)];
        let reference = charge.request_id.clone();
        self.post(Draft { kind: "charge", reference, lines: &lines, charge: Some(charge), ..Draft::default() })?;
        if open {
            self.take_from_hold(capture, &customer, total);
        }
        let receipt = self
            .charges
            .get(capture.request.as_str())
            .ok_or_else(|| LedgerError::not_found("charge", &capture.request))?
            .to_receipt()?;
        Ok(Captured { receipt, repeated: false })
    }

    fn take_from_hold(&mut self, capture: &Capture, customer: &str, total: i64) {
        if let Some(hold) = self.holds.get_mut(capture.hold.as_str()) {
            hold.change().captured += total;
        }
        if let Some(account) = self.accounts.get_mut(customer) {
            account.change().held -= total;
        }
        if capture.close {
            self.end_hold(capture.hold.as_str(), HoldState::Closed);
        }
    }
}

/// The receipt's row; its place in the log is filled in when it is posted.
fn charge_row(capture: &Capture, hold: &HoldRow, paid: Split, now: i64) -> ChargeRow {
    let terms = capture.charge.terms();
    ChargeRow {
        request_id: capture.request.as_str().to_owned(),
        transfer: 0,
        hold: hold.id.clone(),
        late: i64::from(!hold.is_open()),
        account: hold.account.clone(),
        key_id: terms.key.as_ref().map(|key| key.as_str().to_owned()),
        node: terms.node.clone(),
        operator: terms.operator.as_str().to_owned(),
        model: terms.model.clone(),
        price_input: terms.price.input.as_i64(),
        price_cached: terms.price.cached_input.as_i64(),
        price_output: terms.price.output.as_i64(),
        fee_bps: i64::from(terms.fee.basis_points()),
        prompt: column(terms.billed.prompt()),
        cached: column(terms.billed.cached()),
        completion: column(terms.billed.completion()),
        claimed_prompt: column(terms.claimed.prompt()),
        claimed_cached: column(terms.claimed.cached()),
        claimed_completion: column(terms.claimed.completion()),
        total: paid.total.as_i64(),
        earned: paid.operator.as_i64(),
        fee: paid.fee.as_i64(),
        shortfall: capture.charge.split().total.minus_or_zero(paid.total).as_i64(),
        outcome: terms.outcome.as_str().to_owned(),
        created_at: now,
        token_id: terms.token.as_ref().map(|token| token.as_str().to_owned()),
    }
}
