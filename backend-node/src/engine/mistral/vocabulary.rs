//! What each token says.

use mistralrs::llguidance::toktrie::{TokEnv, TokTrie};

use super::EngineError;

/// Token ids to bytes, and which of them end an answer.
pub(super) struct Vocabulary {
    tokens: TokEnv,
    ends: Vec<u32>,
}

impl Vocabulary {
    /// `ends`: those with which the model says that it is done. A grammar that is through says it with tokens of its own,
    /// which mistral.rs does not know for an end: it would write them until the limit.
    pub(super) fn new(tokens: TokEnv, mut ends: Vec<u32>) -> Self {
        ends.extend_from_slice(tokens.tok_trie().eos_tokens());
        ends.sort_unstable();
        ends.dedup();
        Self { tokens, ends }
    }

    /// All tokens that end an answer.
    pub(super) fn ends(&self) -> Vec<u32> {
        self.ends.clone()
    }

    /// The token's bytes. Not always whole characters.
    pub(super) fn bytes(&self, token: u32) -> Vec<u8> {
        let bytes = self.tokens.tok_trie().token(token);
        bytes.strip_prefix(&[TokTrie::SPECIAL_TOKEN_MARKER]).unwrap_or(bytes).to_vec()
    }

    /// Refuses a prompt with a token that the model does not have.
    pub(super) fn check(&self, tokens: &[u32], field: &str) -> Result<(), EngineError> {
        check(tokens, self.tokens.tok_trie().vocab_size(), field)
    }

    /// White space with which this token begins.
    pub(super) fn leading_space(&self, token: u32) -> String {
        let bytes = self.bytes(token);
        String::from_utf8_lossy(&bytes).chars().take_while(|letter| letter.is_whitespace()).collect()
    }

    /// Whether the model says with it that it is done.
    pub(super) fn is_end(&self, token: u32) -> bool {
        self.ends.contains(&token)
    }
}

/// Refuses what is not among so many tokens.
pub(super) fn check(tokens: &[u32], size: usize, field: &str) -> Result<(), EngineError> {
    let is_known = |token: u32| usize::try_from(token).is_ok_and(|token| token < size);
    match tokens.iter().find(|&&token| !is_known(token)) {
        None => Ok(()),
        Some(token) => {
            let message = format!("The model has no token {token}; its tokens are 0 to {}.", size.saturating_sub(1));
            Err(EngineError::bad_param(field, message))
        }
    }
}
