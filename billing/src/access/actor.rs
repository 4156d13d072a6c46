//! Who did it, as the log says it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::id::{IdError, KeyId, SubjectId};
use crate::ledger::Source;

const OPERATOR: &str = "operator";
const KEY: &str = "key:";
const SUBJECT: &str = "subject:";
const PAYMENTS: &str = "payments:";

/// Who asked for a change. As text: `operator`, `key:key_…`, `subject:…`, `payments:stripe`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Actor {
    /// Who runs the gateway, at its command line.
    Operator,
    /// Who holds this key.
    Key(KeyId),
    /// A person who has signed in.
    Subject(SubjectId),
    /// What a payment provider or a chain told, and was asked again.
    Payments(Source),
}

impl Actor {
    /// Who runs the gateway, at its command line.
    #[must_use]
    pub const fn operator() -> Self {
        Self::Operator
    }

    /// Who holds this key.
    #[must_use]
    pub const fn key(key: KeyId) -> Self {
        Self::Key(key)
    }

    /// A person who has signed in.
    #[must_use]
    pub const fn subject(subject: SubjectId) -> Self {
        Self::Subject(subject)
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Operator => f.write_str(OPERATOR),
            Self::Key(key) => write!(f, "{KEY}{key}"),
            Self::Subject(subject) => write!(f, "{SUBJECT}{subject}"),
            Self::Payments(source) => write!(f, "{PAYMENTS}{source}"),
        }
    }
}

/// A text that is no actor.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ActorError {
    /// Not of the form `operator`, `key:…`, `subject:…`, `payments:…`.
    #[error("an actor is `operator`, `key:…`, `subject:…`, `payments:stripe` or `payments:chain`")]
    Unknown,
    /// What follows is no id.
    #[error(transparent)]
    Id(#[from] IdError),
}

impl FromStr for Actor {
    type Err = ActorError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == OPERATOR {
            return Ok(Self::Operator);
        }
        if let Some(key) = text.strip_prefix(KEY) {
            return Ok(Self::Key(KeyId::new(key)?));
        }
        if let Some(source) = text.strip_prefix(PAYMENTS) {
            return Source::from_word(source).map(Self::Payments).ok_or(ActorError::Unknown);
        }
        let subject = text.strip_prefix(SUBJECT).ok_or(ActorError::Unknown)?;
        Ok(Self::Subject(SubjectId::new(subject)?))
    }
}

impl TryFrom<String> for Actor {
    type Error = ActorError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Actor> for String {
    fn from(actor: Actor) -> Self {
        actor.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_actor_is_read_as_it_is_written() {
        for text in
            ["operator", "key:key_1", "subject:https://idp.example.com|user-17", "subject:operator", "payments:chain"]
        {
            assert_eq!(text.parse::<Actor>().unwrap().to_string(), text);
        }
        for nonsense in ["", "Operator", "key:", "subject:two words", "root", "payments:cash"] {
            assert!(nonsense.parse::<Actor>().is_err(), "{nonsense}");
        }
    }
}
