//! What the caller has of an answer: from there another node may go on.

use peerway_openapi::chat::ChunkChoice;
use peerway_openapi::relay::Delivered;

/// Token ids that may be told beyond the limit of an answer: some nodes count the end.
const SPARE_IDS: u64 = 64;

/// What was delivered, and whether that is enough to go on from.
#[derive(Debug)]
pub struct Transcript {
    delivered: Delivered,
    /// Token ids that an answer has at most.
    most_ids: usize,
    /// Anything that the caller would see twice, were the answer begun anew.
    has_begun: bool,
    /// What was delivered can be told to another node exactly.
    is_exact: bool,
    /// Answers whose caller was told who speaks.
    spoken: Vec<u32>,
}

/// From where an answer can be continued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Nothing was delivered: any node may begin anew.
    Nothing,
    /// From here, by a node with the same weights.
    Exactly(Delivered),
    /// It cannot: the call of a tool has begun, there are several answers, or the node did not tell its tokens.
    Nowhere,
}

impl Transcript {
    /// Of so many answers of so many tokens.
    #[must_use]
    pub fn new(answers: u64, tokens: u64) -> Self {
        let most_ids = usize::try_from(tokens.saturating_add(SPARE_IDS)).unwrap_or(usize::MAX);
        let delivered = Delivered::default();
        Self { delivered, most_ids, has_begun: false, is_exact: answers == 1, spoken: Vec::new() }
    }

    /// Notes a piece that the caller gets, and takes out of it what is between node and gateway, and what the caller was
    /// told before by a node that died. False where nothing is left of it.
    pub fn add(&mut self, piece: &mut ChunkChoice) -> bool {
        let ids = piece.token_ids.take().unwrap_or_default();
        let delta = &mut piece.delta;
        let is_repeated = delta.role.is_some() && self.spoken.contains(&piece.index);
        match delta.role {
            Some(_) if is_repeated => delta.role = None,
            Some(_) => self.spoken.push(piece.index),
            None => {}
        }
        let (text, thoughts) = (delta.content.as_deref(), delta.reasoning_content.as_deref());
        let (text, thoughts) = (text.unwrap_or_default(), thoughts.unwrap_or_default());
        let calls = delta.tool_calls.is_some();
        let says = !text.is_empty() || !thoughts.is_empty() || calls || piece.logprobs.is_some();
        self.has_begun |= says;
        self.is_exact &= !calls && self.delivered.token_ids.len() + ids.len() <= self.most_ids;
        if self.is_exact {
            self.delivered.text.push_str(text);
            self.delivered.thoughts.push_str(thoughts);
            self.delivered.token_ids.extend(ids);
        } else {
            // It is of no more use, and need not be kept.
            self.delivered = Delivered::default();
        }
        says || !is_repeated || piece.finish_reason.is_some()
    }

    /// From where another node can go on.
    #[must_use]
    pub fn standing(&self) -> Standing {
        match (self.has_begun, self.is_exact && !self.delivered.token_ids.is_empty()) {
            (false, _) => Standing::Nothing,
            (true, true) => Standing::Exactly(self.delivered.clone()),
            (true, false) => Standing::Nowhere,
        }
    }
}

#[cfg(test)]
mod tests {
    use peerway_openapi::chat::{Delta, Role};

    use super::*;

    fn piece(json: serde_json::Value) -> ChunkChoice {
        serde_json::from_value(json).unwrap()
    }

    fn said(text: &str, ids: &[u32]) -> ChunkChoice {
        piece(serde_json::json!({"index": 0, "delta": {"content": text}, "token_ids": ids}))
    }

    #[test]
    fn what_was_delivered_can_be_gone_on_from_where_its_tokens_are_known() {
        let mut told = Transcript::new(1, 10);
        assert_eq!(told.standing(), Standing::Nothing);
        let mut first = piece(serde_json::json!({"index": 0, "delta": {"role": "assistant", "content": ""}}));
        assert!(told.add(&mut first));
        assert_eq!((told.standing(), first.delta.role), (Standing::Nothing, Some(Role::Assistant)));
        let mut word = said("a", &[7, 8]);
        assert!(told.add(&mut word) && told.add(&mut said(" b", &[])));
        assert_eq!(word.token_ids, None, "callers are not told");
        let delivered = Delivered { text: "a b".into(), thoughts: String::new(), token_ids: vec![7, 8] };
        assert_eq!(told.standing(), Standing::Exactly(delivered));
    }

    #[test]
    fn what_cannot_be_told_exactly_cannot_be_gone_on_from() {
        let standing = |answers, pieces: Vec<ChunkChoice>| {
            let mut told = Transcript::new(answers, 10);
            for mut piece in pieces {
                told.add(&mut piece);
            }
            told.standing()
        };
        assert_eq!(standing(1, vec![said("a", &[])]), Standing::Nowhere, "no tokens");
        assert_eq!(standing(2, vec![said("a", &[1])]), Standing::Nowhere, "several answers");
        assert_eq!(standing(1, vec![said("a", &[1; 75])]), Standing::Nowhere, "more tokens than there can be");
        let call = serde_json::json!({"index": 0, "delta": {"tool_calls": [{"index": 0}]}, "token_ids": [2]});
        assert_eq!(standing(1, vec![said("a", &[1]), piece(call)]), Standing::Nowhere, "a call");
    }

    #[test]
    fn who_speaks_is_told_once() {
        let mut told = Transcript::new(1, 10);
        let opening = || ChunkChoice { delta: Delta::opening(), ..said("", &[]) };
        assert!(told.add(&mut opening()));
        let mut again = opening();
        assert!(!told.add(&mut again));
        assert_eq!(again.delta.role, None);
    }
}
