//! Words from a conversation.
//!
//! Each is a space and one of the commonest English words, which the usual byte-pair tokenizers hold as one token, so
//! that a gateway that counts for itself comes to the same number.

use peerway_openapi::chat::Message;

const WORDS: [&str; 32] = [
    " the", " of", " and", " to", " in", " is", " that", " for", " it", " as", " was", " with", " be", " by", " on",
    " not", " he", " this", " are", " or", " his", " from", " at", " which", " but", " have", " an", " had", " they",
    " you", " were", " one",
];

/// A number that is the same for the same conversation, on every machine and in every version: FNV-1a.
pub(super) fn seed(messages: &[Message]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for message in messages {
        let text = message.joined_text();
        for byte in message.role.in_template().bytes().chain([0]).chain(text.bytes()).chain([0]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    hash
}

/// The word at a place of the answer: splitmix64 over seed and place.
pub(super) fn word(seed: u64, place: u32) -> &'static str {
    let mut mixed = seed.wrapping_add(u64::from(place).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^= mixed >> 31;
    let place = usize::try_from(mixed % 32).unwrap_or_default();
    WORDS[place]
}

/// Words of the conversation: what this engine calls prompt tokens.
pub(super) fn count(messages: &[Message]) -> u64 {
    let words: usize = messages.iter().map(|message| message.joined_text().split_whitespace().count()).sum();
    u64::try_from(words).unwrap_or(u64::MAX)
}
