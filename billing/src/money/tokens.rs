//! How much of a model one request used.

use serde::{Deserialize, Serialize};

/// The most tokens that the ledger's integer columns hold.
const MOST: u64 = i64::MAX.unsigned_abs();

/// Tokens of one request. Cached tokens are a part of the prompt, so never more than it.
///
/// Counts come from machines of strangers, so the type bends impossible numbers instead of failing: cached
/// tokens beyond the prompt are dropped, and counts beyond `i64::MAX` stop there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(from = "Wire")]
pub struct TokenCount {
    prompt: u64,
    cached: u64,
    completion: u64,
}

/// The same fields as they arrive, before they are bent into shape.
#[derive(Deserialize)]
struct Wire {
    prompt: u64,
    cached: u64,
    completion: u64,
}

impl From<Wire> for TokenCount {
    fn from(wire: Wire) -> Self {
        Self::new(wire.prompt, wire.cached, wire.completion)
    }
}

impl TokenCount {
    /// Prompt tokens, the cached ones among them, and generated tokens.
    #[must_use]
    pub fn new(prompt: u64, cached: u64, completion: u64) -> Self {
        let prompt = prompt.min(MOST);
        Self { prompt, cached: cached.min(prompt), completion: completion.min(MOST) }
    }

    /// All prompt tokens, cached or not.
    #[must_use]
    pub const fn prompt(self) -> u64 {
        self.prompt
    }

    /// Prompt tokens that the node found in its cache.
    #[must_use]
    pub const fn cached(self) -> u64 {
        self.cached
    }

    /// Generated tokens.
    #[must_use]
    pub const fn completion(self) -> u64 {
        self.completion
    }

    /// Both together, each kind stopping at the most that fits.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self::new(
            self.prompt.saturating_add(other.prompt),
            self.cached.saturating_add(other.cached),
            self.completion.saturating_add(other.completion),
        )
    }

    /// What may be billed when a node claims `self` and the gateway counted `counted`: the smaller number of
    /// prompt and completion tokens. Only the node can know what its cache held, so cached tokens are the
    /// node's, as far as the billed prompt goes.
    #[must_use]
    pub fn at_most(self, counted: Self) -> Self {
        Self::new(self.prompt.min(counted.prompt), self.cached, self.completion.min(counted.completion))
    }
}
