//! Counting the tokens of a growing text.
//!
//! Encoding the whole text again with every piece would cost the square of its length; encoding each piece by itself
//! would count wrong, because a token may span two pieces. So text is settled up to a place that no token spans, and
//! only what comes after is counted anew: byte-level BPE first splits text into words, each with the space before it,
//! so a space that follows a letter is such a place.

use std::sync::Arc;

use tokenizers::Tokenizer;

/// Unsettled bytes at which settling is tried. Also how far a count between two settlings may lag behind.
const SETTLE_AT: usize = 256;

/// Unsettled bytes at which text is settled wherever it is.
const SETTLE_ANYWAY_AT: usize = 4096;

/// Counts the tokens of a text that comes in pieces.
#[derive(Debug, Clone)]
pub struct TokenCounter {
    /// None: bytes are counted, of which a token has at least one.
    tokenizer: Option<Arc<Tokenizer>>,
    settled: u64,
    open: String,
    /// The open text's tokens, None where it has grown since they were counted.
    open_tokens: Option<u64>,
}

impl TokenCounter {
    /// A counter of nothing yet. Without a tokenizer it counts bytes.
    #[must_use]
    pub fn new(tokenizer: Option<Arc<Tokenizer>>) -> Self {
        Self { tokenizer, settled: 0, open: String::new(), open_tokens: None }
    }

    /// Whether tokens are counted, and not bytes.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        self.tokenizer.is_some()
    }

    /// Adds a piece.
    pub fn push(&mut self, text: &str) {
        self.open.push_str(text);
        self.open_tokens = None;
        if self.open.len() < SETTLE_AT {
            return;
        }
        let place = boundary(&self.open).or_else(|| {
            // Text without such a place, as Chinese is, is settled all the same: a token more or less is nothing against
            // counting all of it again and again.
            (self.open.len() >= SETTLE_ANYWAY_AT).then(|| self.open.floor_char_boundary(SETTLE_ANYWAY_AT - 1))
        });
        if let Some(place) = place {
            self.settled += count(self.tokenizer.as_deref(), &self.open[..place]);
            self.open.drain(..place);
        }
    }

    /// The tokens so far.
    #[must_use]
    pub fn total(&mut self) -> u64 {
        let Self { tokenizer, open, open_tokens, .. } = self;
        self.settled + *open_tokens.get_or_insert_with(|| count(tokenizer.as_deref(), open))
    }

    /// A bound that the total does not pass, without counting: each open byte could be a token.
    #[must_use]
    pub fn at_most(&self) -> u64 {
        self.settled + self.open.len() as u64
    }
}

/// The tokens of a whole text: its bytes where there is no tokenizer.
#[must_use]
pub(super) fn count(tokenizer: Option<&Tokenizer>, text: &str) -> u64 {
    if text.is_empty() {
        return 0;
    }
    // The only error an encoder has is for text outside a vocabulary that knows no bytes; then bytes are the bound.
    match tokenizer.map(|tokenizer| tokenizer.encode_fast(text, false)) {
        Some(Ok(encoding)) => encoding.len() as u64,
        Some(Err(_)) | None => text.len() as u64,
    }
}

/// The last place at which a word begins: before a single space with a letter on either side.
fn boundary(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let is_boundary = |place: &usize| {
        bytes[*place] == b' ' && bytes[place - 1].is_ascii_alphabetic() && bytes[place + 1].is_ascii_alphabetic()
    };
    (1..bytes.len().checked_sub(1)?).rev().find(is_boundary)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A byte-level BPE of a few merges, enough for tokens that span pieces.
    fn tokenizer() -> Arc<Tokenizer> {
        let alphabet = tokenizers::pre_tokenizers::byte_level::ByteLevel::alphabet();
        let mut letters: Vec<char> = alphabet.into_iter().collect();
        letters.sort_unstable();
        let mut vocab: Vec<String> = letters.iter().map(char::to_string).collect();
        let merges = ["a b", "Ġ ab", "ab c", "Ġ Ġ"];
        vocab.extend(["ab", "Ġab", "abc", "ĠĠ"].map(str::to_owned));
        let vocab: serde_json::Map<_, _> = vocab.into_iter().enumerate().map(|(id, t)| (t, id.into())).collect();
        let json = serde_json::json!({
            "version": "1.0", "added_tokens": [], "normalizer": null, "post_processor": null, "decoder": null,
            "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
            "model": {"type": "BPE", "vocab": vocab, "merges": merges},
        });
        Arc::new(Tokenizer::from_bytes(json.to_string()).unwrap())
    }

    #[test]
    fn a_token_across_two_pieces_is_one() {
        let mut counter = TokenCounter::new(Some(tokenizer()));
        counter.push("a");
        counter.push("b");
        assert_eq!(counter.total(), 1);
        counter.push(" ab");
        assert_eq!(counter.total(), 2);
    }

    #[test]
    fn without_a_tokenizer_bytes_are_counted() {
        let mut counter = TokenCounter::new(None);
        counter.push("\u{e4}b");
        assert_eq!((counter.total(), counter.at_most()), (3, 3));
    }

    #[test]
    fn text_without_words_does_not_pile_up() {
        let tokenizer = tokenizer();
        let mut counter = TokenCounter::new(Some(Arc::clone(&tokenizer)));
        let text = "\u{4e00}".repeat(5000);
        for letter in text.chars() {
            counter.push(letter.encode_utf8(&mut [0; 4]));
            assert!(counter.open.len() < SETTLE_ANYWAY_AT + 4);
        }
        assert_eq!(counter.total(), count(Some(&tokenizer), &text));
    }

    proptest! {
        #[test]
        fn pieces_count_as_the_whole_does(words in prop::collection::vec("[abc ,.1\u{e4}']{1,9}", 0..200)) {
            let tokenizer = tokenizer();
            let mut counter = TokenCounter::new(Some(Arc::clone(&tokenizer)));
            for word in &words {
                counter.push(word);
                prop_assert!(counter.open.len() < SETTLE_AT + 64 || boundary(&counter.open).is_none());
            }
            prop_assert_eq!(counter.total(), count(Some(&tokenizer), &words.concat()));
            prop_assert!(counter.total() <= counter.at_most());
        }
    }
}
