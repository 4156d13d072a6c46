//! What a gateway and its nodes say to each other beyond OpenAI's API.
//!
//! An answer whose node dies is to go on at another node as if nothing had happened. Text alone does not say from where: a
//! tokenizer may cut the same text otherwise than the model wrote it, and the next token would then be another. So nodes
//! tell the token ids behind each piece, and a gateway hands them to the node that goes on.
//!
//! Callers have no part in this: [`ChatRequest::validate`](crate::chat::ChatRequest::validate) refuses a request that has
//! it, so whoever takes a gateway's word takes it out before.

use serde::{Deserialize, Serialize};

/// The field of a request that holds [`ForNode`].
pub const FIELD: &str = "peerway";

/// What a gateway adds to a request for a node.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForNode {
    /// Whether each piece is to tell the token ids that it came from.
    #[serde(default)]
    pub token_ids: bool,
    /// The answer to go on with. None: it begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resume: Option<Delivered>,
}

/// What the caller has of an answer that another node began.
///
/// The text is a beginning of what the tokens say: the node that told them may have held back the end of it, as where a
/// stop text or a character had only begun. Limits of the request count from the beginning of the answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivered {
    /// Its text.
    #[serde(default)]
    pub text: String,
    /// Its thoughts, which come before the text.
    #[serde(default)]
    pub thoughts: String,
    /// All tokens picked so far.
    #[serde(default)]
    pub token_ids: Vec<u32>,
}
