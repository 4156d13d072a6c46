//! How much credit a request may need, before anything is spent on it.

use peerway_billing::{Amount, FeeBps, Nanos, Overflow, Price, TokenCount, charge};
use peerway_openapi::chat::ChatRequest;
use peerway_openapi::{ApiError, ErrorKind};

use crate::catalog::CatalogModel;

/// Prompts of more bytes are counted off the threads that serve connections: it takes milliseconds.
const INLINE_BYTES: usize = 32 << 10;

/// The size of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Estimate {
    /// Tokens of the rendered prompt, as the gateway counts them.
    pub prompt: u64,
    /// The most tokens that may be generated.
    pub completion: u64,
    /// Whether the caller set that limit. Then it is reserved in full or the request refused; otherwise as much of it
    /// as the credit affords.
    pub limit_is_callers: bool,
}

impl Estimate {
    /// Sizes a request.
    ///
    /// # Errors
    /// `ContextLengthExceeded` where the prompt leaves no room for an answer, `InvalidRequest` where the model's chat
    /// template refuses the messages.
    pub fn of(
        request: &ChatRequest,
        body_bytes: usize,
        model: &CatalogModel,
        default_max_tokens: u32,
    ) -> Result<Self, ApiError> {
        let count = || model.count_prompt(request);
        let counted = if body_bytes > INLINE_BYTES { tokio::task::block_in_place(count) } else { count() };
        let prompt = counted.map_err(|refusal| ApiError::invalid("messages", refusal.to_string()))?;
        let context = u64::from(model.card.context_length);
        let Some(room) = context.checked_sub(prompt).filter(|room| *room > 0) else {
            let message = format!("The messages have {prompt} tokens; with the answer, {context} fit this model.");
            return Err(ApiError::new(ErrorKind::ContextLengthExceeded, message).at("messages"));
        };
        let limit = request.max_generated().map(|limit| u64::from(limit.tokens));
        let completion = limit.unwrap_or(u64::from(default_max_tokens)).min(room);
        Ok(Self { prompt, completion, limit_is_callers: limit.is_some() })
    }

    /// What it may cost at this price.
    ///
    /// # Errors
    /// `Overflow` where no ledger holds such an amount.
    pub fn amount(&self, price: &Price, fee: FeeBps) -> Result<Amount, Overflow> {
        let cost =
            |completion| charge(price, TokenCount::new(self.prompt, 0, completion), fee).map(|split| split.total);
        let most = cost(self.completion)?;
        let least = if self.limit_is_callers { most } else { cost(1)? };
        Ok(Amount { least, most })
    }
}

/// The refusal of a request that the credit does not cover.
#[must_use]
pub fn insufficient_credit(needed: Nanos, available: Nanos) -> ApiError {
    let message = format!(
        "This request may cost {needed} and {available} of credit is available. Add credit, or lower max_tokens."
    );
    ApiError::new(ErrorKind::InsufficientCredit, message)
}
