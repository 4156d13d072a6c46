//! One model of a node, as the directory keeps it.

use std::sync::Arc;

use super::intern::Interner;
use crate::offer::{Ask, ModelOffer};

/// As [`ModelOffer`], with every text shared by all that say the same. What is read of every node for every request comes
/// first.
#[derive(Debug, Clone, PartialEq, Eq)]
#[repr(C)]
pub struct Listing {
    /// What its tokens cost.
    pub ask: Ask,
    /// Tokens of prompt and answer together.
    pub context_length: u32,
    /// Those of the node, beside the ask because both are read at once.
    pub(super) slots: u32,
    /// What the model can do beyond text, such as `tools`.
    pub capabilities: Arc<[Arc<str>]>,
    /// The name under which callers ask for it.
    pub id: Arc<str>,
    /// How the weights are stored, such as `Q8_0`. Empty: not told.
    pub quantization: Arc<str>,
    /// A hash of the weights. Empty: not told.
    pub weights_hash: Arc<str>,
}

impl Listing {
    pub(super) fn of(offer: &ModelOffer, slots: u32, interner: &mut Interner) -> Self {
        Self {
            ask: offer.ask,
            context_length: offer.context_length,
            slots,
            capabilities: interner.list(&offer.capabilities),
            id: interner.text(&offer.id),
            quantization: interner.text(&offer.quantization),
            weights_hash: interner.text(&offer.weights_hash),
        }
    }

    pub(super) fn is(&self, offer: &ModelOffer) -> bool {
        let capabilities = self.capabilities.iter().map(|name| &**name);
        *self.id == *offer.id
            && self.ask == offer.ask
            && self.context_length == offer.context_length
            && *self.quantization == *offer.quantization
            && *self.weights_hash == *offer.weights_hash
            && capabilities.eq(offer.capabilities.iter().map(String::as_str))
    }
}
