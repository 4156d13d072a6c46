//! Which node holds the beginning of a conversation in its cache.
//!
//! Engines keep what they computed of a prompt, and nodes ask less for it. A conversation grows at its end, so the whole
//! prompt of one turn is the beginning of the next. What is remembered here are hashes of such beginnings, each of a hash
//! of the one before, with the node that read them last; a place there makes a node cheaper for the request, by what it
//! asks for cached tokens, and nothing else: nobody is sent to a dearer node for it.
//!
//! Hashes are keyed by a secret of this process and begin with the account: one caller's requests must not be sent where
//! another's went, or the time to the first token would tell what others say.

use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::io;
use std::time::Duration;

use moka::sync::Cache;
use peerway_openapi::chat::{ChatRequest, Role};
use peerway_p2p::PeerId;
use serde::Serialize;

use super::Cached;

/// Beginnings that are remembered.
const MOST: u64 = 65_536;
/// A beginning that nobody asked for so long is forgotten: caches are small, and nodes have other callers.
const IDLE: Duration = Duration::from_secs(600);
/// Messages that may have come since the turn that is remembered: an answer, results of tools, a question.
const MOST_NEW: usize = 24;
/// Tokens below which a beginning is not worth a place.
const FEWEST_TOKENS: u64 = 64;

/// See the module.
#[derive(Debug)]
pub struct Affinity {
    holders: Cache<u64, Cached>,
    secret: RandomState,
}

impl Default for Affinity {
    fn default() -> Self {
        let holders = Cache::builder().max_capacity(MOST).time_to_idle(IDLE).build();
        Self { holders, secret: RandomState::new() }
    }
}

/// The beginnings of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conversation {
    /// Hash and size of what is said up to the end of each message.
    beginnings: Vec<(u64, u64)>,
    /// Messages of instructions, which many conversations begin with.
    instructions: usize,
}

impl Affinity {
    /// The beginnings of a request of this account to this model.
    #[must_use]
    pub fn conversation(&self, account: &str, model: &str, request: &ChatRequest) -> Conversation {
        let mut hash = Hashing { hasher: self.secret.build_hasher(), bytes: 0 };
        (account, model).hash(&mut hash.hasher);
        hash.add(&request.tools);
        let beginnings = request.messages.iter().map(|message| {
            hash.add(message);
            (hash.hasher.finish(), hash.bytes)
        });
        let beginnings = beginnings.collect();
        let instructs = |role: Role| matches!(role, Role::System | Role::Developer);
        let instructions = request.messages.iter().take_while(|message| instructs(message.role)).count();
        Conversation { beginnings, instructions }
    }

    /// Who holds the longest beginning of it.
    #[must_use]
    pub fn holder(&self, conversation: &Conversation) -> Option<Cached> {
        let latest = conversation.beginnings.iter().rev().take(MOST_NEW);
        let shared = conversation.instructions.checked_sub(1).and_then(|last| conversation.beginnings.get(last));
        latest.chain(shared).find_map(|(hash, _)| self.holders.get(hash))
    }

    /// A node has read the whole of it, which had so many tokens.
    pub fn keep(&self, conversation: &Conversation, node: PeerId, tokens: u64) {
        let Some(&(whole, size)) = conversation.beginnings.last() else { return };
        self.put(whole, node, tokens);
        let Some(last) = conversation.instructions.checked_sub(1) else { return };
        if let Some(&(hash, part)) = conversation.beginnings.get(last) {
            self.put(hash, node, tokens.saturating_mul(part) / size.max(1));
        }
    }

    fn put(&self, hash: u64, node: PeerId, tokens: u64) {
        if tokens >= FEWEST_TOKENS {
            self.holders.insert(hash, Cached { node, tokens });
        }
    }
}

/// Hashes what is written into it as JSON, which says itself where each value ends.
struct Hashing<H> {
    hasher: H,
    bytes: u64,
}

impl<H: Hasher> Hashing<H> {
    fn add(&mut self, value: &impl Serialize) {
        // Writing into a hash cannot fail, and a message that could not be written as JSON would not reach a node.
        let _ = serde_json::to_writer(&mut *self, value);
    }
}

impl<H: Hasher> io::Write for Hashing<H> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.hasher.write(bytes);
        self.bytes += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use peerway_openapi::chat::Message;
    use serde_json::json;

    use super::*;

    fn said(lines: &[&str]) -> ChatRequest {
        let role =
            |place: usize| [Role::System, Role::User, Role::Assistant][if place == 0 { 0 } else { 2 - place % 2 }];
        let messages = lines.iter().enumerate().map(|(place, line)| Message::text(role(place), (*line).to_owned()));
        ChatRequest::new("m", messages.collect())
    }

    fn holder(affinity: &Affinity, account: &str, lines: &[&str]) -> Option<Cached> {
        affinity.holder(&affinity.conversation(account, "m", &said(lines)))
    }

    #[test]
    fn the_next_turn_finds_the_node_of_the_last() {
        let (affinity, node) = (Affinity::default(), PeerId::random());
        let first = ["Be brief.", "Who are you?"];
        affinity.keep(&affinity.conversation("a", "m", &said(&first)), node, 500);
        let next = ["Be brief.", "Who are you?", "A model.", "Why?"];
        assert_eq!(holder(&affinity, "a", &next), Some(Cached { node, tokens: 500 }));
    }

    #[test]
    fn another_conversation_shares_its_instructions_alone() {
        let (affinity, node) = (Affinity::default(), PeerId::random());
        let long = "Be brief. ".repeat(100);
        affinity.keep(&affinity.conversation("a", "m", &said(&[&long, "Who are you?"])), node, 500);
        let other = holder(&affinity, "a", &[&long, "What is this?"]).unwrap();
        assert_eq!(other.node, node);
        assert!((400..500).contains(&other.tokens), "{}", other.tokens);
        let longer: Vec<&str> = [&*long].into_iter().chain(["Go on."; 2 * MOST_NEW]).collect();
        assert_eq!(holder(&affinity, "a", &longer).map(|held| held.node), Some(node), "however long it is");
        assert_eq!(holder(&affinity, "a", &["Be verbose.", "Who are you?", "A model.", "Why?"]), None);
    }

    #[test]
    fn nobody_is_sent_where_anothers_words_went() {
        let affinity = Affinity::default();
        let lines = ["Be brief.", "Who are you?"];
        affinity.keep(&affinity.conversation("a", "m", &said(&lines)), PeerId::random(), 500);
        assert!(holder(&affinity, "a", &lines).is_some());
        assert_eq!(holder(&affinity, "b", &lines), None);
        assert_eq!(affinity.holder(&affinity.conversation("a", "other", &said(&lines))), None);
    }

    #[test]
    fn other_tools_are_another_beginning() {
        let (affinity, mut request) = (Affinity::default(), said(&["Be brief.", "Who are you?"]));
        affinity.keep(&affinity.conversation("a", "m", &request), PeerId::random(), 500);
        assert!(affinity.holder(&affinity.conversation("a", "m", &request)).is_some());
        let tool = json!([{"type": "function", "function": {"name": "look_up"}}]);
        request.tools = serde_json::from_value(tool).unwrap();
        assert_eq!(affinity.holder(&affinity.conversation("a", "m", &request)), None);
    }

    #[test]
    fn a_short_beginning_is_not_worth_a_place() {
        for (tokens, is_kept) in [(FEWEST_TOKENS - 1, false), (FEWEST_TOKENS, true)] {
            let affinity = Affinity::default();
            affinity.keep(&affinity.conversation("a", "m", &said(&["", "Who?"])), PeerId::random(), tokens);
            assert_eq!(holder(&affinity, "a", &["", "Who?"]).is_some(), is_kept, "{tokens}");
        }
    }

    #[test]
    fn instructions_are_what_comes_before_the_first_question() {
        let long = "Be brief. ".repeat(100);
        let of = |roles: &[Role], question: &str| {
            let said = |(place, role): (usize, &Role)| {
                Message::text(*role, if place + 1 == roles.len() { question.to_owned() } else { long.clone() })
            };
            ChatRequest::new("m", roles.iter().enumerate().map(said).collect())
        };
        let shared = |roles: &[Role]| {
            let affinity = Affinity::default();
            affinity.keep(&affinity.conversation("a", "m", &of(roles, "Who?")), PeerId::random(), 500);
            affinity.holder(&affinity.conversation("a", "m", &of(roles, "What?"))).is_some()
        };
        assert!(shared(&[Role::Developer, Role::User]));
        assert!(shared(&[Role::System, Role::Developer, Role::User]));
        assert!(!shared(&[Role::User, Role::System, Role::User]), "nothing was instructed before the question");
    }

    #[test]
    fn a_turn_of_many_messages_finds_the_node_and_one_of_too_many_does_not() {
        let node = PeerId::random();
        for (new, is_found) in [(MOST_NEW - 1, true), (MOST_NEW, false)] {
            let affinity = Affinity::default();
            let user = |count| ChatRequest::new("m", vec![Message::text(Role::User, "Go on.".to_owned()); count]);
            affinity.keep(&affinity.conversation("a", "m", &user(3)), node, 500);
            let found = affinity.holder(&affinity.conversation("a", "m", &user(3 + new)));
            assert_eq!(found.is_some(), is_found, "{new}");
        }
    }

    #[test]
    fn where_a_message_ends_matters() {
        let affinity = Affinity::default();
        affinity.keep(&affinity.conversation("a", "m", &said(&["ab", "c"])), PeerId::random(), 500);
        assert_eq!(holder(&affinity, "a", &["a", "bc"]), None);
    }
}
