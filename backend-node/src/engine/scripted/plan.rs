//! The pieces of an answer, in order: thoughts, text, calls of tools.

use std::borrow::Cow;

use peerway_openapi::chat::{Delta, FunctionCallDelta, ToolCallDelta, ToolKind};
use peerway_openapi::relay::Delivered;
use uuid::Uuid;

use super::super::EngineError;
use super::directive::Script;
use super::words;

/// Words of an answer where neither the caller nor a directive says how many.
const WORDS: u32 = 16;
/// Characters of a piece of a call's arguments.
const ARGUMENTS_PIECE: usize = 8;

/// What is said at each place of an answer.
#[derive(Debug)]
pub(super) struct Plan {
    seed: u64,
    thoughts: u32,
    text: Text,
    calls: Vec<ToolCallDelta>,
}

#[derive(Debug)]
enum Text {
    Words(u32),
    Exactly(Vec<String>),
}

impl Plan {
    /// What a script says. `most_calls`: calls of tools that the caller allows.
    pub(super) fn new(script: &Script, seed: u64, most_calls: usize) -> Self {
        let text = match (&script.say, script.tokens) {
            (Some(text), _) => Text::Exactly(pieces(text)),
            (None, Some(words)) => Text::Words(words),
            (None, None) if script.tools.is_empty() => Text::Words(WORDS),
            (None, None) => Text::Words(0),
        };
        let calls = (0..).zip(script.tools.iter().take(most_calls));
        let calls = calls.flat_map(|(index, (name, arguments))| call(index, name, arguments)).collect();
        Self { seed, thoughts: script.think, text, calls }
    }

    /// Pieces in all.
    pub(super) fn length(&self) -> u32 {
        let text = match &self.text {
            Text::Words(count) => *count,
            Text::Exactly(pieces) => count(pieces.len()),
        };
        self.thoughts.saturating_add(text).saturating_add(count(self.calls.len()))
    }

    /// Whether it ends with a call.
    pub(super) fn calls(&self) -> bool {
        !self.calls.is_empty()
    }

    /// The place after what another node said, whose tokens are the places of its pieces.
    ///
    /// # Errors
    /// Where this plan does not begin so, or a call had begun.
    pub(super) fn place_after(&self, delivered: &Delivered) -> Result<u32, EngineError> {
        let refuse = |why: &str| Err(EngineError::bad_param("peerway.resume", why));
        let (mut text, mut thoughts) = (String::new(), String::new());
        for (place, token) in (0..).zip(&delivered.token_ids) {
            match self.piece(place) {
                Some(piece) if *token == place && piece.tool_calls.is_none() => {
                    text.push_str(piece.content.as_deref().unwrap_or_default());
                    thoughts.push_str(piece.reasoning_content.as_deref().unwrap_or_default());
                }
                Some(piece) if piece.tool_calls.is_some() => {
                    return refuse("A call that has begun cannot be gone on with.");
                }
                _ => return refuse("These are not the tokens of this answer."),
            }
        }
        if text != delivered.text || thoughts != delivered.thoughts {
            return refuse("This is not what its tokens say.");
        }
        Ok(count(delivered.token_ids.len()))
    }

    /// The piece at a place. None past the end.
    pub(super) fn piece(&self, place: u32) -> Option<Delta> {
        if place < self.thoughts {
            let thought = words::word(!self.seed, place).to_owned();
            return Some(Delta { reasoning_content: Some(thought), ..Delta::default() });
        }
        let place = place - self.thoughts;
        let (text, length): (Option<Cow<'_, str>>, u32) = match &self.text {
            Text::Words(count) => ((place < *count).then(|| words::word(self.seed, place).into()), *count),
            Text::Exactly(pieces) => (pieces.get(index(place)).map(Into::into), count(pieces.len())),
        };
        if let Some(text) = text {
            return Some(Delta::text(text));
        }
        let call = self.calls.get(index(place - length))?.clone();
        Some(Delta { tool_calls: Some(vec![call]), ..Delta::default() })
    }
}

fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

fn index(place: u32) -> usize {
    usize::try_from(place).unwrap_or(usize::MAX)
}

/// A text cut before each of its spaces, as tokens are.
fn pieces(text: &str) -> Vec<String> {
    let mut pieces = vec![String::new()];
    for letter in text.chars() {
        let last = pieces.last_mut().filter(|last| last.is_empty() || letter != ' ');
        match last {
            Some(last) => last.push(letter),
            None => pieces.push(letter.to_string()),
        }
    }
    pieces.retain(|piece| !piece.is_empty());
    pieces
}

/// A call in pieces: its name first, then its arguments some letters at a time.
fn call(index: u32, name: &str, arguments: &str) -> Vec<ToolCallDelta> {
    let opening = ToolCallDelta {
        index,
        id: Some(format!("call_{}", Uuid::new_v4().simple())),
        kind: Some(ToolKind::Function),
        function: Some(FunctionCallDelta { name: Some(name.to_owned()), arguments: Some(String::new()) }),
    };
    let letters: Vec<char> = arguments.chars().collect();
    let rest = letters.chunks(ARGUMENTS_PIECE).map(|piece| ToolCallDelta {
        index,
        function: Some(FunctionCallDelta { name: None, arguments: Some(piece.iter().collect()) }),
        ..ToolCallDelta::default()
    });
    std::iter::once(opening).chain(rest).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thoughts_come_before_text_and_text_before_calls() {
        let mut script = Script::default();
        script.read(r#"[[think=1]][[say=a bc  d]][[tool=f:{"city":"Oslo"}]]"#).unwrap();
        let plan = Plan::new(&script, 7, usize::MAX);
        let pieces: Vec<Delta> = (0..plan.length()).map(|place| plan.piece(place).unwrap()).collect();
        assert_eq!(plan.piece(plan.length()), None);
        assert!(pieces[0].reasoning_content.is_some());
        let text: Vec<_> = pieces.iter().filter_map(|piece| piece.content.as_deref()).collect();
        assert_eq!(text, ["a", " bc", " ", " d"]);
        let calls: Vec<_> = pieces.iter().filter_map(|piece| piece.tool_calls.clone()).flatten().collect();
        assert_eq!(calls[0].function.as_ref().unwrap().name.as_deref(), Some("f"));
        let arguments: String = calls.iter().filter_map(|call| call.function.clone()?.arguments).collect();
        assert_eq!((arguments.as_str(), calls.len()), (r#"{"city":"Oslo"}"#, 3));
    }

    #[test]
    fn a_script_that_only_calls_says_nothing_else() {
        let mut script = Script::default();
        script.read("[[tool=f:{}]][[tool=g:{}]]").unwrap();
        assert_eq!(Plan::new(&script, 7, usize::MAX).length(), 4);
        assert_eq!(Plan::new(&script, 7, 1).length(), 2);
        assert_eq!(Plan::new(&Script::default(), 7, 1).length(), 16);
    }
}
