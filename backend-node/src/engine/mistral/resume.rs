//! Going on with an answer that another node began.
//!
//! The model reads the prompt and, after it, the tokens that were picked before: then it stands where the other node stood.
//! mistral.rs takes such a prompt only as bare tokens, and does not look for calls and thoughts in what comes after it. So
//! answers that may have those are not gone on with; nor are those that a grammar holds to a shape, because mistral.rs
//! cannot bring a grammar to where the first answer was.

use peerway_openapi::chat::FinishReason;
use peerway_openapi::relay::Delivered;

use super::EngineError;
use super::vocabulary::Vocabulary;

/// The field at fault.
const FIELD: &str = "peerway.resume";

/// Where an answer is gone on from.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Seam {
    /// Tokens to read after the prompt.
    pub(super) tokens: Vec<u32>,
    /// What they say beyond what was delivered.
    pub(super) held: String,
    /// The model had said that it is done.
    pub(super) has_ended: bool,
}

impl Seam {
    /// Why nothing is left to generate, with so many tokens left of the limit. None: there is.
    pub(super) fn end(&self, left: usize) -> Option<FinishReason> {
        match (self.has_ended, left) {
            (true, _) => Some(FinishReason::Stop),
            (false, 0) => Some(FinishReason::Length),
            (false, _) => None,
        }
    }
}

pub(super) fn refused(why: &str) -> EngineError {
    EngineError::bad_param(FIELD, why)
}

/// Finds the seam. The delivered text is a beginning of what the tokens say. Tokens of a character that had only begun are
/// left out, to be picked again: what decodes the text afterwards begins with a whole character.
///
/// `is_chat`: white space at the beginning of the answer was not told.
pub(super) fn seam(delivered: &Delivered, vocabulary: &Vocabulary, is_chat: bool) -> Result<Seam, EngineError> {
    vocabulary.check(&delivered.token_ids, FIELD)?;
    let has_ended = delivered.token_ids.last().is_some_and(|&token| vocabulary.is_end(token));
    let mut tokens = delivered.token_ids.clone();
    if has_ended {
        tokens.pop();
    }
    cut(&delivered.text, tokens, has_ended, is_chat, |token| vocabulary.bytes(token))
}

fn cut(
    text: &str,
    mut tokens: Vec<u32>,
    has_ended: bool,
    is_chat: bool,
    bytes_of: impl Fn(u32) -> Vec<u8>,
) -> Result<Seam, EngineError> {
    let mut bytes: Vec<u8> = tokens.iter().flat_map(|&token| bytes_of(token)).collect();
    while std::str::from_utf8(&bytes).is_err() {
        let Some(last) = tokens.pop() else { break };
        bytes.truncate(bytes.len().saturating_sub(bytes_of(last).len()));
    }
    let said = String::from_utf8(bytes).unwrap_or_default();
    let said = if is_chat { said.trim_start() } else { said.as_str() };
    let Some(held) = said.strip_prefix(text) else { return Err(refused("This is not what its tokens say.")) };
    Ok(Seam { tokens, held: held.to_owned(), has_ended })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 0: a space and `a`, 1: `b`, 2 and 3: the two bytes of `ä`.
    fn bytes_of(token: u32) -> Vec<u8> {
        [b" a".as_slice(), b"b", &[0xc3], &[0xa4]][usize::try_from(token).unwrap()].to_vec()
    }

    fn cut_at(text: &str, tokens: &[u32], is_chat: bool) -> Option<(Vec<u32>, String)> {
        cut(text, tokens.to_vec(), false, is_chat, bytes_of).ok().map(|seam| (seam.tokens, seam.held))
    }

    #[test]
    fn what_was_held_back_comes_after_what_was_delivered() {
        assert_eq!(cut_at("a", &[0, 1], true), Some((vec![0, 1], "b".to_owned())));
        assert_eq!(cut_at(" a", &[0, 1], false), Some((vec![0, 1], "b".to_owned())));
        assert_eq!(cut_at("a", &[0, 1], false), None, "a text keeps its space");
        assert_eq!(cut_at("x", &[0], true), None);
    }

    #[test]
    fn a_character_that_had_only_begun_is_made_again() {
        assert_eq!(cut_at("a", &[0, 2], true), Some((vec![0], String::new())));
        assert_eq!(cut_at("a\u{e4}", &[0, 2, 3], true), Some((vec![0, 2, 3], String::new())));
    }
}
