//! Idempotency keys: under one key Stripe does a call once, however often it is sent.
//!
//! A key is made of what the call *is*, never drawn by chance: a process that crashed between the call and its answer
//! finds the same key again, and the second call gets the first one's answer. Stripe remembers a key for at least 24 hours, and
//! remembers failures of its own (5xx) too, so after an outcome that is not known the object is looked for first.

use stripe::{IdempotencyKey, RequestStrategy};

use crate::error::CallError;

/// The name of one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallKey(IdempotencyKey);

impl CallKey {
    /// Of what is done, such as `refund`, and the name that we gave to the thing before the call.
    ///
    /// # Errors
    /// The two together are longer than Stripe's 255 bytes.
    pub fn new(what: &str, ours: &str) -> Result<Self, CallError> {
        IdempotencyKey::new(format!("peerway:{what}:{ours}"))
            .map(Self)
            .map_err(|error| CallError::Unsent(error.to_string()))
    }

    pub(crate) fn strategy(&self) -> RequestStrategy {
        RequestStrategy::Idempotent(self.0.clone())
    }
}
