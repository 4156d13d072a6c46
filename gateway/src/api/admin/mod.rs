//! `/v1/admin/…`: an account's keys, its people, and the log of changes.
//!
//! Everything is of the caller's own account: what belongs to another is not there. Nobody gives more than they have: not
//! to a new key, not by changing one, not by rotating one that may do more, and not by making somebody an owner. Bounds
//! (models, budgets, networks) are not part of that: whoever may make keys decides about the account's money.

pub mod alerts;
pub mod audit;
pub mod keys;
pub mod members;
mod policy;
mod view;

use peerway_billing::Scope;
use peerway_openapi::{ApiError, ErrorKind};
use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::{Error as WordError, StrDeserializer};

use crate::access::Principal;

/// That the caller has each of these scopes, and so may give it.
fn may_give(principal: &Principal, scopes: &[Scope]) -> Result<(), ApiError> {
    match scopes.iter().find(|scope| !principal.may(**scope)) {
        None => Ok(()),
        Some(scope) => {
            let message =
                format!("You do not have the scope `{scope}` yourself, and so cannot give it, nor change who has it.");
            Err(ApiError::new(ErrorKind::NotAllowed, message))
        }
    }
}

/// A value that is written as one of some words.
fn word<'de, T: Deserialize<'de>>(text: &'de str, field: &str, words: &[&str]) -> Result<T, ApiError> {
    let word: StrDeserializer<'_, WordError> = text.into_deserializer();
    T::deserialize(word).map_err(|_| {
        let shown: String = text.chars().take(64).collect();
        ApiError::invalid(field, format!("`{shown}` is none of {}.", words.join(", ")))
    })
}

/// How many entries a page has.
fn page_size(limit: Option<u32>, default: u32) -> Result<usize, ApiError> {
    match limit.unwrap_or(default) {
        limit @ 1..=1000 => Ok(usize::try_from(limit).unwrap_or(1000)),
        _ => Err(ApiError::invalid("limit", "`limit` must be between 1 and 1000.")),
    }
}
