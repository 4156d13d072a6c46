//! What one request needs.

use peerway_billing::{FeeBps, Price};
use peerway_p2p::PeerId;

use super::{TYPICAL_COMPLETION, Wishes};

/// Something that a node must be able to do, beyond what every node does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Requirement {
    /// Its name in adverts.
    pub capability: &'static str,
    /// The field of the request that asks for it.
    pub field: &'static str,
}

/// A node that is expected to have a part of the prompt in its cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cached {
    /// The node.
    pub node: PeerId,
    /// Tokens of the prompt's beginning.
    pub tokens: u64,
}

/// What a request needs of a node, and what it is expected to take.
#[derive(Debug, Clone, Copy)]
pub struct Need<'a> {
    /// Tokens of the longest prompt, which must fit a context.
    pub prompt: u64,
    /// Tokens of all prompts, which are paid.
    pub paid_prompt: u64,
    /// The most generated tokens of one answer.
    pub completion: u64,
    /// Generated tokens that all answers together are likely to have.
    pub likely_completion: u64,
    /// What it must be able to do.
    pub requirements: &'a [Requirement],
    /// No node may ask more. None: any price.
    pub price_cap: Option<Price>,
    /// What comes on top of a node's price.
    pub fee: FeeBps,
    /// What the caller wishes.
    pub wishes: &'a Wishes,
    /// Who is expected to know the prompt's beginning.
    pub cached: Option<Cached>,
    /// Decides where one of several equally good nodes is to be drawn.
    pub seed: u64,
    /// Milliseconds on the clock that candidates' health is told on.
    pub now_ms: u64,
}

impl Need<'static> {
    /// A request of so many tokens of prompt and at most so many of answer, with no wishes.
    #[must_use]
    pub fn of(prompt: u64, completion: u64, now_ms: u64) -> Self {
        Self {
            prompt,
            paid_prompt: prompt,
            completion,
            likely_completion: completion.min(TYPICAL_COMPLETION),
            requirements: &[],
            price_cap: None,
            fee: FeeBps::ZERO,
            wishes: Wishes::none(),
            cached: None,
            seed: 0,
            now_ms,
        }
    }
}
