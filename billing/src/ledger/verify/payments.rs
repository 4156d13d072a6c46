//! Payments, refunds and disputes: each moves what it says between the accounts that it may, and ends once.

use std::collections::HashMap;

use crate::ledger::export::Posting;
use crate::ledger::types::{DisputeEnd, Source, platform};

/// A refund or a dispute that has not ended.
struct Begun {
    account: String,
    source: Source,
    amount: i64,
}

/// What is open, as far as the log was read.
#[derive(Default)]
pub(super) struct Payments {
    refunds: HashMap<String, Begun>,
    disputes: HashMap<String, Begun>,
}

/// What a transfer does to a customer's account beside its balance.
pub(super) enum Effect {
    Nothing,
    Disputed(String),
    Settled(String, DisputeEnd),
}

impl Payments {
    /// Whether the transfer is one that the ledger would have posted; what is wrong is said in a few words.
    pub(super) fn follow(&mut self, posting: &Posting) -> Result<Effect, String> {
        let reference = &posting.transfer.reference;
        match posting.transfer.kind.as_str() {
            "credit" => arrived(posting, &[platform::GRANTS]),
            "deposit" => arrived(posting, &[platform::STRIPE, platform::CHAIN]),
            "refund" => {
                self.refunds.insert(reference.clone(), begun(posting, platform::REFUNDS)?);
                Ok(Effect::Nothing)
            }
            "refund_end" => {
                let refund = self.refunds.remove(reference).ok_or("no such refund was open")?;
                ended(posting, &refund, platform::REFUNDS)?;
                Ok(Effect::Nothing)
            }
            "dispute" => {
                let dispute = begun(posting, platform::DISPUTES)?;
                let account = dispute.account.clone();
                self.disputes.insert(reference.clone(), dispute);
                Ok(Effect::Disputed(account))
            }
            "dispute_end" => {
                let dispute = self.disputes.remove(reference).ok_or("no such dispute was open")?;
                let won = ended(posting, &dispute, platform::DISPUTES)?;
                Ok(Effect::Settled(dispute.account, if won { DisputeEnd::Won } else { DisputeEnd::Lost }))
            }
            _ => Ok(Effect::Nothing),
        }
    }
}

/// Money from one of `payers` onto a customer's account.
fn arrived(posting: &Posting, payers: &[&str]) -> Result<Effect, String> {
    let (payer, payee, _) = two_lines(posting)?;
    if payers.contains(&payer) && is_customer(payee) {
        return Ok(Effect::Nothing);
    }
    Err(format!("it moves money from {payer} to {payee}, and should from {} to a customer", payers.join(" or ")))
}

/// A refund or dispute, whose money goes from a customer to `between`.
fn begun(posting: &Posting, between: &str) -> Result<Begun, String> {
    let (payer, payee, amount) = two_lines(posting)?;
    if !is_customer(payer) || payee != between {
        return Err(format!("it moves money from {payer} to {payee}, and should from a customer to {between}"));
    }
    let (source, _): (Source, String) =
        serde_json::from_str(&posting.transfer.memo).map_err(|error| format!("its memo: {error}"))?;
    Ok(Begun { account: payer.to_owned(), source, amount })
}

/// Its end: whether the money went back to the customer, and not to the source.
fn ended(posting: &Posting, begun: &Begun, between: &str) -> Result<bool, String> {
    let (payer, payee, amount) = two_lines(posting)?;
    let (back, gone) = (payee == begun.account, payee == begun.source.clearing());
    if payer == between && amount == begun.amount && (back || gone) {
        return Ok(back);
    }
    Err(format!(
        "it moves {amount} from {payer} to {payee}, and should {} from {between} to {} or {}",
        begun.amount,
        begun.account,
        begun.source.clearing()
    ))
}

/// Payer, payee and amount.
fn two_lines(posting: &Posting) -> Result<(&str, &str, i64), String> {
    match posting.entries.as_slice() {
        [payer, payee] if payee.amount > 0 && i128::from(payer.amount) == -i128::from(payee.amount) => {
            Ok((&payer.account, &payee.account, payee.amount))
        }
        entries => Err(format!("it has {} entries, and should have one payer and one payee", entries.len())),
    }
}

fn is_customer(account: &str) -> bool {
    !account.starts_with("platform:") && !account.starts_with("operator:")
}
