//! How much credit a request may need, before anything is spent on it.

use peerway_billing::{Amount, FeeBps, Overflow, Price, TokenCount, charge};
use peerway_openapi::models::Metering;
use peerway_openapi::{ApiError, ErrorKind};

use super::{Ask, Work};
use crate::catalog::CatalogModel;
use crate::route::TYPICAL_COMPLETION;

/// Prompts of more bytes are counted off the threads that serve connections: it takes milliseconds.
const INLINE_BYTES: usize = 32 << 10;

/// Counts a prompt of so many bytes.
pub(super) fn off_the_threads<T>(bytes: usize, count: impl FnOnce() -> T) -> T {
    if bytes > INLINE_BYTES { tokio::task::block_in_place(count) } else { count() }
}

/// The size of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Estimate {
    /// Tokens of the rendered prompt, as the gateway counts them.
    pub prompt: u64,
    /// Prompt tokens that are billed where the node does not say. The same, where they were counted with a tokenizer.
    pub likely_prompt: u64,
    /// Prompt tokens that a node may claim beyond them: of pictures and recordings only the model knows.
    pub uncounted: u64,
    /// The longest prompt, where there are several: it must fit a node's context.
    pub longest_prompt: u64,
    /// The most tokens of one answer.
    pub completion: u64,
    /// Answers.
    pub choices: u64,
    /// Whether the caller set the limit of an answer. Then it is reserved in full or the request refused; otherwise as
    /// much of it as the credit affords.
    pub limit_is_callers: bool,
}

impl Estimate {
    /// Sizes a request.
    ///
    /// # Errors
    /// `ContextLengthExceeded` where the prompt leaves no room for an answer, `InvalidRequest` where the model's chat
    /// template refuses the messages.
    pub fn of(ask: &Ask, model: &CatalogModel, default_max_tokens: u32) -> Result<Self, ApiError> {
        let counted = off_the_threads(ask.bytes, || ask.work.count_prompt(model))?;
        let context = u64::from(model.card.context_length);
        let Some(room) = context.checked_sub(counted.longest).filter(|room| *room > 0) else {
            let (what, field) = match ask.work {
                Work::Chat(_) => ("The messages have", "messages"),
                Work::Completion(_) => ("The prompt has", "prompt"),
            };
            let message = format!("{what} {} tokens; with the answer, {context} fit this model.", counted.longest);
            return Err(ApiError::new(ErrorKind::ContextLengthExceeded, message).at(field));
        };
        let limit = ask.work.limit();
        Ok(Self {
            prompt: counted.all,
            likely_prompt: if model.metering() == Metering::Tokenizer { counted.all } else { counted.all.div_ceil(4) },
            uncounted: ask.work.uncounted(),
            longest_prompt: counted.longest,
            completion: limit.unwrap_or(u64::from(default_max_tokens)).min(room),
            choices: ask.work.choices(),
            limit_is_callers: limit.is_some(),
        })
    }

    /// What a request for embeddings of this many tokens needs: there is no answer to pay.
    #[must_use]
    pub fn of_embeddings(tokens: u64, longest: u64) -> Self {
        Self {
            prompt: tokens,
            likely_prompt: tokens,
            uncounted: 0,
            longest_prompt: longest,
            completion: 0,
            choices: 1,
            limit_is_callers: true,
        }
    }

    /// The most prompt tokens that are billed.
    #[must_use]
    pub fn most_prompt(&self) -> u64 {
        self.prompt.saturating_add(self.uncounted)
    }

    /// Tokens that a minute's limit is asked for. An answer without a limit of the caller's counts as most answers are; if
    /// it turns out longer, the rest is owed.
    #[must_use]
    pub fn likely_tokens(&self) -> u64 {
        let each = if self.limit_is_callers { self.completion } else { self.completion.min(TYPICAL_COMPLETION) };
        self.most_prompt().saturating_add(each.saturating_mul(self.choices))
    }

    /// The most generated tokens of all answers.
    #[must_use]
    pub fn all_completions(&self) -> u64 {
        self.completion.saturating_mul(self.choices)
    }

    /// What it may cost at this price.
    ///
    /// # Errors
    /// `Overflow` where no ledger holds such an amount.
    pub fn amount(&self, price: &Price, fee: FeeBps) -> Result<Amount, Overflow> {
        let cost = |completion| {
            let tokens = TokenCount::new(self.most_prompt(), 0, completion);
            charge(price, tokens, fee).map(|split| split.total)
        };
        let most = cost(self.all_completions())?;
        let least = if self.limit_is_callers { most } else { cost(self.choices)? };
        Ok(Amount { least, most })
    }
}
