//! Why a node is not picked.

use super::Requirement;

/// Why no node was picked. In this order: of several nodes the one that came closest gives the reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refusal {
    /// None offers the model.
    NotOffered,
    /// None that offers it can do this.
    Incapable(Requirement),
    /// None that can do it is as its caller wishes.
    Unwanted(Unwanted),
    /// All that could serve it ask more than the catalog's cap.
    TooDear,
    /// All that could serve it have a context that is too short.
    ContextTooShort,
    /// All that could serve it have failed lately or are draining.
    NoneHealthy,
}

/// Which wish of its caller a node does not meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unwanted {
    /// It is in `ignore`.
    Ignored,
    /// It is not in `only`.
    NotInOnly,
    /// It is not in `order`, and there is to be no other.
    NotInOrder,
    /// It does not promise to keep nothing.
    MayCollect,
    /// Its weights are stored otherwise.
    Quantization,
    /// Its prompt tokens cost more than `max_price.prompt`.
    PromptPrice,
    /// Its generated tokens cost more than `max_price.completion`.
    CompletionPrice,
}

impl Unwanted {
    /// The field of the request that says so.
    #[must_use]
    pub fn field(self) -> &'static str {
        match self {
            Self::Ignored => "provider.ignore",
            Self::NotInOnly => "provider.only",
            Self::NotInOrder => "provider.order",
            Self::MayCollect => "provider.data_collection",
            Self::Quantization => "provider.quantizations",
            Self::PromptPrice => "provider.max_price.prompt",
            Self::CompletionPrice => "provider.max_price.completion",
        }
    }
}

impl Refusal {
    /// In a word, for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotOffered => "not_offered",
            Self::Incapable(_) => "incapable",
            Self::Unwanted(_) => "unwanted",
            Self::TooDear => "over_price_cap",
            Self::ContextTooShort => "context_too_short",
            Self::NoneHealthy => "unhealthy",
        }
    }
}
