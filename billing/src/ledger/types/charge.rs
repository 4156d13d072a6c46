//! Charges: what one request used, at which price, and who got what for it.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::id::{AccountId, HoldId, KeyId, OperatorId, RequestId, TokenId};
use crate::money::{self, FeeBps, Nanos, Overflow, Price, Split, TokenCount};
use crate::words::words;

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The answer is complete.
    Finished,
    /// Cut because the admitted credit was used up.
    CreditUsedUp,
    /// The caller left before the end.
    CallerLeft,
    /// The node failed after it had delivered something.
    NodeFailed,
    /// The node stopped sending.
    TimedOut,
    /// Nothing was delivered.
    Nothing,
}
words!(Outcome {
    Finished = "finished",
    CreditUsedUp = "credit_used_up",
    CallerLeft = "caller_left",
    NodeFailed = "node_failed",
    TimedOut = "timed_out",
    Nothing = "nothing",
});

/// What a charge is made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChargeTerms {
    /// The key that was used; `None` where another proof stood for the account.
    pub key: Option<KeyId>,
    /// The minted token that was shown in the key's place; `None` where it was the key itself.
    pub token: Option<TokenId>,
    /// The node that served, by peer id. Control characters become spaces, 200 bytes are kept.
    pub node: String,
    /// Who is paid. Their account is opened by their first charge.
    pub operator: OperatorId,
    /// The model, by the name the caller knows. Kept as the node is.
    pub model: String,
    /// The ask that this request was made at.
    pub price: Price,
    /// The platform's share on top.
    pub fee: FeeBps,
    /// What is billed.
    pub billed: TokenCount,
    /// What the node claims.
    pub claimed: TokenCount,
    /// How it ended.
    pub outcome: Outcome,
}

/// What one of several nodes delivered of an answer, one going on where another had died.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The node, as in [`ChargeTerms`].
    pub node: String,
    /// Who is paid.
    pub operator: OperatorId,
    /// What the node asked.
    pub price: Price,
    /// What is billed of its work.
    pub billed: TokenCount,
    /// What the node claims.
    pub claimed: TokenCount,
}

/// Terms whose sum is known to fit the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charge {
    terms: ChargeTerms,
    earlier: Vec<Part>,
    split: Split,
    /// What each part earns, the last one's last.
    earned: Vec<Nanos>,
}

impl Charge {
    /// Computes what the terms cost.
    ///
    /// # Errors
    /// When the sum does not fit.
    pub fn new(terms: ChargeTerms) -> Result<Self, Overflow> {
        Self::in_parts(terms, Vec::new())
    }

    /// Computes what an answer costs that several nodes delivered: the terms are those of the node that delivered last,
    /// with its own tokens alone, and the others come in their order. The prompt is billed once: in the terms.
    ///
    /// # Errors
    /// When the sum does not fit.
    pub fn in_parts(mut terms: ChargeTerms, mut earlier: Vec<Part>) -> Result<Self, Overflow> {
        let parts = earlier.iter().map(|part| (&part.price, part.billed)).chain([(&terms.price, terms.billed)]);
        let (split, earned) = money::charge_parts(parts, terms.fee)?;
        for name in earlier.iter_mut().map(|part| &mut part.node).chain([&mut terms.node, &mut terms.model]) {
            *name = crate::text::cleaned(name);
        }
        Ok(Self { terms, earlier, split, earned })
    }

    /// What it was made from: of several parts, the last.
    #[must_use]
    pub const fn terms(&self) -> &ChargeTerms {
        &self.terms
    }

    /// The parts before the last.
    #[must_use]
    pub fn earlier(&self) -> &[Part] {
        &self.earlier
    }

    /// All parts.
    pub(crate) fn parts(&self) -> Vec<Part> {
        let ChargeTerms { node, operator, price, billed, claimed, .. } = self.terms.clone();
        self.earlier.iter().cloned().chain([Part { node, operator, price, billed, claimed }]).collect()
    }

    /// What each part earns, before it is known what is paid.
    pub(crate) fn earned(&self) -> &[Nanos] {
        &self.earned
    }

    /// What it costs, and who gets what.
    #[must_use]
    pub const fn split(&self) -> Split {
        self.split
    }
}

/// Takes a charge out of a hold.
///
/// A capture says that work was delivered, so it is posted in any case: out of the hold while that is open,
/// and out of what the account has available once it has ended; never more than is there. What is missing is
/// the receipt's shortfall.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capture {
    /// The hold.
    pub hold: HoldId,
    /// The request. It is charged once: asking again answers the first result and changes nothing.
    pub request: RequestId,
    /// What it used.
    pub charge: Charge,
    /// Take no more than this, where the hold covers more than this request; `None` for all of the hold.
    pub at_most: Option<Nanos>,
    /// Whether this ends the hold and gives the rest back.
    pub close: bool,
}

/// A capture that is in the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Captured {
    /// What was posted.
    pub receipt: Receipt,
    /// Whether it was there before, and this call changed nothing.
    pub repeated: bool,
}

/// What one request consumed and cost. Named by the request's id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The request.
    pub request: RequestId,
    /// Its place in the log.
    pub seq: i64,
    /// The hold it was taken from.
    pub hold: HoldId,
    /// Whether the hold had already ended.
    pub late: bool,
    /// Who paid.
    pub account: AccountId,
    /// With which key.
    pub key: Option<KeyId>,
    /// By which minted token; `None` where the key itself was shown.
    #[serde(default)]
    pub token: Option<TokenId>,
    /// Who served.
    pub node: String,
    /// Who was paid.
    pub operator: OperatorId,
    /// Which model.
    pub model: String,
    /// At which ask.
    pub price: Price,
    /// With which share on top.
    pub fee: FeeBps,
    /// Tokens billed.
    pub billed: TokenCount,
    /// Tokens that the node claimed.
    pub claimed: TokenCount,
    /// What was paid, and who got what: the operators of all parts together.
    pub paid: Split,
    /// What the tokens cost beyond that, and nobody paid.
    pub shortfall: Nanos,
    /// How it ended.
    pub outcome: Outcome,
    /// When it was posted.
    pub created_at: Timestamp,
    /// What each node delivered, in their order, where several did; the fields above are then those of the last, with the
    /// tokens of all. Empty where one delivered everything.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<ReceiptPart>,
}

/// What one of several nodes delivered of an answer, and what it got for that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiptPart {
    /// Who served.
    pub node: String,
    /// Who was paid.
    pub operator: OperatorId,
    /// At which ask.
    pub price: Price,
    /// Tokens billed.
    pub billed: TokenCount,
    /// Tokens that the node claimed.
    pub claimed: TokenCount,
    /// What was paid for it, without the fee.
    pub earned: Nanos,
}
