//! Captures: work that was delivered becomes money that has moved. Once per request, whatever happens.

use super::{Books, Draft};
use crate::error::LedgerError;
use crate::id::AccountId;
use crate::ledger::rows::{ChargeFields, ChargeRow, HoldFields, HoldRow, PartRow, column};
use crate::ledger::types::{Capture, Captured, HoldState, Part, Receipt};
use crate::money::{Nanos, Split, limited_shares};

impl Books {
    pub(super) fn capture(&mut self, capture: &Capture) -> Result<Captured, LedgerError> {
        if let Some(first) = self.charges.get(capture.request.as_str()) {
            return Ok(Captured { receipt: self.receipt(first)?, repeated: true });
        }
        let hold =
            &self.holds.get(capture.hold.as_str()).ok_or_else(|| LedgerError::not_found("hold", &capture.hold))?.row;
        let (open, customer) = (hold.is_open(), hold.account.clone());
        let cover = if open { Nanos::new(hold.remainder()) } else { Self::available(self.account(&customer)?) };
        let due = capture.charge.split();
        let paid = due.limited(cover.min(capture.at_most.unwrap_or(Nanos::MAX)));
        let charge = charge_row(capture, hold, paid, self.now);

        let shares = limited_shares(capture.charge.earned(), paid.operator);
        let parts = capture.charge.parts();
        let mut lines = vec![(customer.clone(), -paid.total.as_i64())];
        for (part, share) in parts.iter().zip(&shares) {
            let operator = AccountId::of_operator(&part.operator);
            self.ensure_operator(&operator, part.operator.as_str())?;
            match lines.iter_mut().skip(1).find(|(account, _)| account == operator.as_str()) {
                // No more than what is paid in all.
                Some((_, earned)) => *earned += share.as_i64(),
                None => lines.push((operator.into(), share.as_i64())),
            }
        }
        lines.push((AccountId::platform_fees().into(), paid.fee.as_i64()));
        let lines: Vec<(&str, i64)> = lines.iter().map(|(account, amount)| (account.as_str(), *amount)).collect();
        let reference = charge.request_id.clone();
        let parts = if parts.len() > 1 { part_rows(&parts, &shares) } else { Vec::new() };
        self.post(Draft { kind: "charge", reference, lines: &lines, charge: Some(charge), parts, ..Draft::default() })?;
        if open {
            self.take_from_hold(capture, &customer, paid.total.as_i64());
        }
        let charge = self.charges.get(capture.request.as_str());
        let charge = charge.ok_or_else(|| LedgerError::not_found("charge", &capture.request))?;
        let receipt = self.receipt(charge)?;
        Ok(Captured { receipt, repeated: false })
    }

    fn receipt(&self, charge: &ChargeRow) -> Result<Receipt, LedgerError> {
        charge.to_receipt(self.parts.get(&charge.transfer).map_or(&[], Vec::as_slice))
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
    let earlier = capture.charge.earlier();
    // The whole answer's, whoever delivered what of it.
    let billed = earlier.iter().fold(terms.billed, |sum, part| sum.plus(part.billed));
    let claimed = earlier.iter().fold(terms.claimed, |sum, part| sum.plus(part.claimed));
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
        prompt: column(billed.prompt()),
        cached: column(billed.cached()),
        completion: column(billed.completion()),
        claimed_prompt: column(claimed.prompt()),
        claimed_cached: column(claimed.cached()),
        claimed_completion: column(claimed.completion()),
        total: paid.total.as_i64(),
        earned: paid.operator.as_i64(),
        fee: paid.fee.as_i64(),
        shortfall: capture.charge.split().total.minus_or_zero(paid.total).as_i64(),
        outcome: terms.outcome.as_str().to_owned(),
        created_at: now,
        token_id: terms.token.as_ref().map(|token| token.as_str().to_owned()),
    }
}

/// A row for each part, in their order.
fn part_rows(parts: &[Part], shares: &[Nanos]) -> Vec<PartRow> {
    let row = |(place, (part, share)): (i64, (&Part, &Nanos))| PartRow {
        transfer: 0,
        part: place,
        node: part.node.clone(),
        operator: part.operator.as_str().to_owned(),
        price_input: part.price.input.as_i64(),
        price_cached: part.price.cached_input.as_i64(),
        price_output: part.price.output.as_i64(),
        prompt: column(part.billed.prompt()),
        cached: column(part.billed.cached()),
        completion: column(part.billed.completion()),
        claimed_prompt: column(part.claimed.prompt()),
        claimed_cached: column(part.claimed.cached()),
        claimed_completion: column(part.claimed.completion()),
        earned: share.as_i64(),
    };
    (0..).zip(parts.iter().zip(shares)).map(row).collect()
}
