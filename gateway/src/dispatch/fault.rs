//! What a node did wrong, in words for callers and logs.

/// Characters of a node's own words that are passed on.
const MAX_QUOTED: usize = 300;

/// What a node did wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NodeFault {
    /// It sent nothing for too long.
    #[error("the node fell silent")]
    Silent,
    /// The connection broke.
    #[error("the connection to the node broke")]
    Disconnected,
    /// Its answer ended without saying that it is over.
    #[error("the node stopped in mid-answer")]
    EndedEarly,
    /// It sent what is no answer.
    #[error("the node sent something that is no answer ({0})")]
    Garbage(&'static str),
    /// It answers as another model than the one that was asked for.
    #[error("the node answered as another model (`{0}`)")]
    OtherModel(String),
    /// It says itself that it failed.
    #[error("the node reported: {0}")]
    Reported(String),
}

/// A node's own words, cut to a bound and freed of control characters: they go to callers and logs.
pub(super) fn quoted(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).take(MAX_QUOTED).collect()
}
