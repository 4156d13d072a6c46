//! The bill of one request: who sells at which price, and the one capture.

use peerway_billing::{
    Charge, ChargeTerms, FeeBps, KeyId, Nanos, OperatorId, Outcome, Part, Price, Split, TokenCount, TokenId,
    charge_parts,
};
use peerway_openapi::usage::{CostDetails, Usage};
use tracing::{error, warn};

use super::SetAside;
use crate::inference::Estimate;

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

/// Generated tokens that the gateway counted.
#[derive(Debug, Clone, Copy)]
pub struct Counted {
    /// No more than this: what a node may claim.
    pub most: u64,
    /// What is billed where the node does not claim. The same, where there is a tokenizer to count with.
    pub likely: u64,
}

/// What a node delivered before another went on.
#[derive(Debug, Clone)]
pub struct Sold {
    /// The node.
    pub seller: Seller,
    /// What it generated.
    pub counted: Counted,
}

/// How far what is set aside reaches for the rest of an answer.
#[derive(Debug, Clone)]
pub struct Cover {
    held: Nanos,
    fee: FeeBps,
    /// The most that the prompt may be billed.
    prompt: u64,
    /// Tokens sold so far, each at its price.
    sold: Vec<(Price, u64)>,
    /// Tokens that may still come.
    rest: u64,
}

impl Cover {
    /// Whether the whole answer is paid where a node that asks this much makes the rest, and so earns the prompt.
    #[must_use]
    pub fn reaches(&self, price: &Price) -> bool {
        let sold = self.sold.iter().map(|(price, tokens)| (price, TokenCount::new(0, 0, *tokens)));
        let rest = TokenCount::new(self.prompt, 0, self.rest);
        charge_parts(sold.chain([(price, rest)]), self.fee).is_ok_and(|(split, _)| split.total <= self.held)
    }
}

/// The open bill of one request. It is settled once: by [`Bill::settle`], or unpaid when it is dropped.
#[derive(Debug)]
pub struct Bill {
    /// None once it is settled.
    set_aside: Option<SetAside>,
    /// The key that spends, and the minted token that was shown in its place.
    spender: (Option<KeyId>, Option<TokenId>),
    model: String,
    fee: FeeBps,
    /// Prompt tokens as the gateway counts them.
    prompt: u64,
    /// Prompt tokens that are billed where the node does not claim.
    likely_prompt: u64,
    /// Prompt tokens that a node may claim beyond them.
    uncounted: u64,
}

/// A node claims this much more than was counted before it is worth a word: tokenizers differ at the edges.
const OVERCLAIM_TOLERANCE: u64 = 8;

impl Bill {
    /// A bill to be paid out of what is set aside.
    #[must_use]
    pub fn new(
        set_aside: SetAside,
        spender: (Option<KeyId>, Option<TokenId>),
        model: String,
        fee: FeeBps,
        estimate: &Estimate,
    ) -> Self {
        let (prompt, likely_prompt, uncounted) = (estimate.prompt, estimate.likely_prompt, estimate.uncounted);
        Self { set_aside: Some(set_aside), spender, model, fee, prompt, likely_prompt, uncounted }
    }

    /// What it may come to at most.
    #[must_use]
    pub fn held(&self) -> Nanos {
        self.set_aside.as_ref().map_or(Nanos::ZERO, SetAside::amount)
    }

    /// The bill as it stands, to be settled by another answer; this one settles nothing any more.
    #[must_use]
    pub fn take(&mut self) -> Self {
        Self {
            set_aside: self.set_aside.take(),
            spender: self.spender.clone(),
            model: std::mem::take(&mut self.model),
            fee: self.fee,
            prompt: self.prompt,
            likely_prompt: self.likely_prompt,
            uncounted: self.uncounted,
        }
    }

    /// How far what is set aside reaches after these, for so many further tokens.
    #[must_use]
    pub fn cover(&self, sold: &[Sold], rest: u64) -> Cover {
        Cover {
            held: self.held(),
            fee: self.fee,
            prompt: self.prompt.saturating_add(self.uncounted),
            sold: sold.iter().map(|sold| (sold.seller.price, sold.counted.likely)).collect(),
            rest,
        }
    }

    /// Takes the price of what was delivered out of what is set aside, and gives the rest back.
    ///
    /// `sold` is what others delivered before, and is billed as it was counted: who died did not come to claim. `claimed`
    /// is what the last node says; None where it did not come to say. Nothing delivered costs nothing. The prompt is paid
    /// once, to the last that delivered: a node that dies in mid-answer loses it, so that dying is no business. Returns what
    /// the caller is told.
    pub fn settle(&mut self, mut sold: Vec<Sold>, last: Sold, claimed: Option<&Usage>, outcome: Outcome) -> Usage {
        // A node that went on and delivered nothing is not the last that delivered.
        let (Sold { seller, counted }, claimed) = match sold.pop_if(|_| last.counted.most == 0) {
            Some(before) => (before, None),
            None => (last, claimed),
        };
        if counted.most == 0 {
            return self.give_back();
        }
        let billed = match claimed {
            None => TokenCount::new(self.likely_prompt, 0, counted.likely),
            Some(claimed) => billed_tokens(self.prompt, self.uncounted, counted.most, claimed),
        };
        let counted = counted.most;
        let claimed = claimed.map_or(billed, |usage| {
            TokenCount::new(usage.prompt_tokens, usage.cached_tokens(), usage.completion_tokens)
        });
        if claimed.completion() > counted + counted / 8 + OVERCLAIM_TOLERANCE {
            metrics::counter!("peerway_overclaims_total").increment(1);
            warn!(node = %seller.node, claimed = claimed.completion(), counted, "node claims more tokens than it sent");
        }
        self.pay(sold, &seller, billed, claimed, outcome)
    }

    /// As [`Self::settle`], for work whose answer has no tokens of its own: the prompt is what is paid.
    pub fn settle_prompt(&mut self, seller: &Seller, claimed: u64) -> Usage {
        let billed = TokenCount::new(claimed.min(self.prompt), 0, 0);
        self.pay(Vec::new(), seller, billed, TokenCount::new(claimed, 0, 0), Outcome::Finished)
    }

    /// Nothing was delivered.
    fn give_back(&mut self) -> Usage {
        self.set_aside = None;
        priced(Usage::of_tokens(self.prompt, 0, 0), &Split::default())
    }

    fn pay(
        &mut self,
        sold: Vec<Sold>,
        seller: &Seller,
        billed: TokenCount,
        claimed: TokenCount,
        outcome: Outcome,
    ) -> Usage {
        let before: u64 = sold.iter().map(|sold| sold.counted.likely).sum();
        let usage = Usage::of_tokens(billed.prompt(), billed.cached(), billed.completion().saturating_add(before));
        let split = self.capture(sold, seller, billed, claimed, outcome, usage.total_tokens);
        priced(usage, &split)
    }

    fn capture(
        &mut self,
        sold: Vec<Sold>,
        seller: &Seller,
        billed: TokenCount,
        claimed: TokenCount,
        outcome: Outcome,
        tokens: u64,
    ) -> Split {
        let Some(set_aside) = self.set_aside.take() else { return Split::default() };
        let earlier = sold.into_iter().map(|Sold { seller, counted }| {
            let tokens = TokenCount::new(0, 0, counted.likely);
            let Seller { node, operator, price } = seller;
            Part { node, operator, price, billed: tokens, claimed: tokens }
        });
        let earlier = earlier.collect();
        let (key, token) = self.spender.clone();
        let terms = ChargeTerms {
            key,
            token,
            node: seller.node.clone(),
            operator: seller.operator.clone(),
            model: std::mem::take(&mut self.model),
            price: seller.price,
            fee: self.fee,
            billed,
            claimed,
            outcome,
        };
        match Charge::in_parts(terms, earlier) {
            Ok(charge) => set_aside.pay(charge, tokens),
            Err(overflow) => {
                error!(%overflow, "a charge does not fit the ledger: the request is free");
                Split::default()
            }
        }
    }
}

/// The usage with what was paid for it, in USD.
fn priced(mut usage: Usage, split: &Split) -> Usage {
    usage.cost = Some(split.total.to_usd_f64());
    let (upstream_inference_cost, gateway_fee) = (split.operator.to_usd_f64(), split.fee.to_usd_f64());
    usage.cost_details = Some(CostDetails { upstream_inference_cost, gateway_fee });
    usage
}

/// The smaller of what the node claims and what the gateway counts, for each kind of token. Of pictures and recordings in
/// the prompt the gateway knows only a bound, `uncounted`.
fn billed_tokens(prompt: u64, uncounted: u64, counted: u64, claimed: &Usage) -> TokenCount {
    TokenCount::new(
        claimed.prompt_tokens.min(prompt.saturating_add(uncounted)),
        claimed.cached_tokens(),
        claimed.completion_tokens.min(counted),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smaller_number_is_billed() {
        let claim = Usage::of_tokens(50, 20, 1000);
        assert_eq!(billed_tokens(40, 0, 100, &claim), TokenCount::new(40, 20, 100));
        let modest = Usage::of_tokens(30, 0, 90);
        assert_eq!(billed_tokens(40, 0, 100, &modest), TokenCount::new(30, 0, 90));
        // A picture's tokens are believed up to a bound, and only where they are claimed.
        assert_eq!(billed_tokens(40, 5, 100, &claim), TokenCount::new(45, 20, 100));
    }
}
