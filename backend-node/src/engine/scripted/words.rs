//! Words from a conversation.
//!
//! Each is a space and one of the commonest English words, which the usual byte-pair tokenizers hold as one token, so
//! that a gateway that counts for itself comes to the same number.

use std::fmt::Write;

use peerway_openapi::chat::{ContentPart, Message};

const WORDS: [&str; 32] = [
    " the", " of", " and", " to", " in", " is", " that", " for", " it", " as", " was", " with", " be", " by", " on",
    " not", " he", " this", " are", " or", " his", " from", " at", " which", " but", " have", " an", " had", " they",
    " you", " were", " one",
];

/// A number that is the same for the same conversation, on every machine and in every version: FNV-1a.
pub(super) fn seed(messages: &[Message]) -> u64 {
    messages.iter().fold(BEGIN, |hash, message| {
        let hash = hashed(hash, message.role.in_template());
        hashed(hash, &message.joined_text())
    })
}

/// The same of a text.
pub(super) fn seed_text(text: &str) -> u64 {
    hashed(BEGIN, text)
}

const BEGIN: u64 = 0xcbf2_9ce4_8422_2325;

fn hashed(hash: u64, text: &str) -> u64 {
    let bytes = text.bytes().chain([0]);
    bytes.fold(hash, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
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
    messages.iter().map(|message| count_text(&message.joined_text())).sum()
}

/// Words of a text.
pub(super) fn count_text(text: &str) -> u64 {
    u64::try_from(text.split_whitespace().count()).unwrap_or(u64::MAX)
}

/// What pictures and recordings a conversation has, and the bytes of each.
pub(super) fn media(messages: &[Message]) -> String {
    let mut told = String::new();
    for part in messages.iter().flat_map(Message::media) {
        let (kind, base64) = match part {
            ContentPart::ImageUrl { image_url } => {
                ("image", image_url.url.split_once(";base64,").map_or("", |(_, data)| data))
            }
            ContentPart::InputAudio { input_audio } => ("audio", input_audio.data.as_str()),
            _ => continue,
        };
        let letters = base64.trim_end_matches('=').len();
        let gap = if told.is_empty() { "" } else { ", " };
        // Writing to a String does not fail. Four letters are three bytes.
        let _written = write!(told, "{gap}{kind} of {} bytes", letters * 3 / 4);
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_told_with_their_bytes() {
        let message = r#"{"role":"user","content":[
            {"type":"image_url","image_url":{"url":"data:image/png;base64,AAECAw=="}},
            {"type":"text","text":"x"},
            {"type":"input_audio","input_audio":{"data":"AAEC","format":"wav"}}]}"#;
        assert_eq!(media(&[serde_json::from_str(message).unwrap()]), "image of 4 bytes, audio of 3 bytes");
    }
}
