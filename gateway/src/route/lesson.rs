//! What an answer teaches about the next ones.

use std::sync::Arc;

use peerway_openapi::usage::Usage;
use peerway_p2p::Candidate;

use super::{Affinity, Cached, Conversation, Habits};

/// What was learnt from earlier answers.
#[derive(Debug, Default)]
pub struct Learnt {
    /// How long answers are.
    pub habits: Habits,
    /// Who holds which conversation.
    pub affinity: Affinity,
}

/// A request whose answer is to be learnt from.
#[derive(Debug)]
pub struct Lesson {
    /// Where it goes.
    pub learnt: Arc<Learnt>,
    /// The catalog's id of the model.
    pub model: String,
    /// Answers that were asked for.
    pub choices: u64,
    /// What was said. None where nothing can be cached of it.
    pub conversation: Option<Conversation>,
    /// Who was expected to know its beginning.
    pub cached: Option<Cached>,
}

impl Lesson {
    /// A whole answer came from this node.
    pub fn learn(&self, candidate: &Candidate, usage: &Usage) {
        self.learnt.habits.learn(&self.model, usage.completion_tokens / self.choices.max(1));
        let node = candidate.peer_id();
        if let Some(cached) = self.cached.filter(|cached| cached.node == node) {
            let expected = cached.tokens.min(usage.prompt_tokens);
            candidate.health().found_cached(expected, usage.cached_tokens());
        }
        if let Some(conversation) = &self.conversation {
            self.learnt.affinity.keep(conversation, node, usage.prompt_tokens);
        }
    }
}
