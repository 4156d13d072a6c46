//! The bill of one request: who sells at which price, and the one capture.

use peerway_billing::{Admitted, Charge, ChargeTerms, FeeBps, KeyId, OperatorId, Outcome, Price, Split, TokenCount};
use peerway_openapi::usage::{CostDetails, Usage};
use tracing::{error, warn};

/// The node that serves a request, and what it asks.
#[derive(Debug, Clone)]
pub struct Seller {
    /// Its peer id.
    pub node: String,
    /// Who is paid for its work.
    pub operator: OperatorId,
    /// What it asks.
    pub price: Price,
}

/// The open bill of one request. It is settled once: by [`Bill::settle`], or unpaid when it is dropped.
#[derive(Debug)]
pub struct Bill {
    hold: Option<Admitted>,
    key: KeyId,
    model: String,
    fee: FeeBps,
    /// Prompt tokens as the gateway counts them.
    prompt: u64,
}

/// A node claims this much more than was counted before it is worth a word: tokenizers differ at the edges.
const OVERCLAIM_TOLERANCE: u64 = 8;

impl Bill {
    /// A bill to be paid out of a hold. `prompt` is the gateway's own count.
    #[must_use]
    pub fn new(hold: Admitted, key: KeyId, model: String, fee: FeeBps, prompt: u64) -> Self {
        Self { hold: Some(hold), key, model, fee, prompt }
    }

    /// The bill as it stands, to be settled by another answer; this one settles nothing any more.
    #[must_use]
    pub fn take(&mut self) -> Self {
        Self {
            hold: self.hold.take(),
            key: self.key.clone(),
            model: std::mem::take(&mut self.model),
            fee: self.fee,
            prompt: self.prompt,
        }
    }

    /// Takes the price of what was delivered out of the hold and gives the rest back.
    ///
    /// `claimed` is what the node says; None where it did not come to say. Nothing delivered costs nothing. Returns
    /// what the caller is told.
    pub fn settle(&mut self, seller: &Seller, counted: u64, claimed: Option<&Usage>, outcome: Outcome) -> Usage {
        let billed = billed_tokens(self.prompt, counted, claimed);
        let claimed = claimed.map_or(billed, |usage| {
            TokenCount::new(usage.prompt_tokens, usage.cached_tokens(), usage.completion_tokens)
        });
        if claimed.completion() > counted + counted / 8 + OVERCLAIM_TOLERANCE {
            metrics::counter!("peerway_overclaims_total").increment(1);
            warn!(node = %seller.node, claimed = claimed.completion(), counted, "node claims more tokens than it sent");
        }
        let mut usage = Usage::of_tokens(billed.prompt(), billed.cached(), billed.completion());
        let split = self.capture(seller, billed, claimed, outcome);
        usage.cost = Some(split.total.to_usd_f64());
        usage.cost_details = Some(CostDetails {
            upstream_inference_cost: split.operator.to_usd_f64(),
            gateway_fee: split.fee.to_usd_f64(),
        });
        usage
    }

    fn capture(&mut self, seller: &Seller, billed: TokenCount, claimed: TokenCount, outcome: Outcome) -> Split {
        let Some(hold) = self.hold.take() else { return Split::default() };
        if billed.completion() == 0 {
            return Split::default();
        }
        let terms = ChargeTerms {
            key: Some(self.key.clone()),
            node: seller.node.clone(),
            operator: seller.operator.clone(),
            model: std::mem::take(&mut self.model),
            price: seller.price,
            fee: self.fee,
            billed,
            claimed,
            outcome,
        };
        match Charge::new(terms) {
            Ok(charge) => hold.capture(charge),
            Err(overflow) => {
                error!(%overflow, "a charge does not fit the ledger: the request is free");
                Split::default()
            }
        }
    }
}

/// The smaller of what the node claims and what the gateway counts, for each kind of token.
fn billed_tokens(prompt: u64, counted: u64, claimed: Option<&Usage>) -> TokenCount {
    match claimed {
        None => TokenCount::new(prompt, 0, counted),
        Some(claimed) => TokenCount::new(
            claimed.prompt_tokens.min(prompt),
            claimed.cached_tokens(),
            claimed.completion_tokens.min(counted),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smaller_number_is_billed() {
        let claim = Usage::of_tokens(50, 20, 1000);
        assert_eq!(billed_tokens(40, 100, Some(&claim)), TokenCount::new(40, 20, 100));
        let modest = Usage::of_tokens(30, 0, 90);
        assert_eq!(billed_tokens(40, 100, Some(&modest)), TokenCount::new(30, 0, 90));
        assert_eq!(billed_tokens(40, 100, None), TokenCount::new(40, 0, 100));
    }
}
