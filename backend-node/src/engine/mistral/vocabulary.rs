//! What each token says.

use mistralrs::llguidance::toktrie::{TokEnv, TokTrie};

/// Token ids to bytes, and which of them end an answer.
pub(super) struct Vocabulary {
    tokens: TokEnv,
    ends: Vec<u32>,
}

impl Vocabulary {
    pub(super) fn new(tokens: TokEnv, ends: Vec<u32>) -> Self {
        Self { tokens, ends }
    }

    /// The token's bytes. Not always whole characters.
    pub(super) fn bytes(&self, token: u32) -> Vec<u8> {
        let bytes = self.tokens.tok_trie().token(token);
        bytes.strip_prefix(&[TokTrie::SPECIAL_TOKEN_MARKER]).unwrap_or(bytes).to_vec()
    }

    /// Whether the model says with it that it is done.
    pub(super) fn is_end(&self, token: u32) -> bool {
        self.ends.contains(&token)
    }
}
