//! What the log says of a change that somebody asked for: whose, by whom, what, to what, and how.
//!
//! Each kind of change has its own type for the "how", so that the JSON has one spelling and nothing gets in
//! by accident: no secret, and no hash of one.

use serde::Serialize;

use crate::access::{Actor, BudgetLimits, KeyPolicy, Role};
use crate::clock::Timestamp;
use crate::error::LedgerError;
use crate::id::KeyId;
use crate::ledger::types::{Action, Source};
use crate::money::Nanos;

/// The two audit columns of a transfer.
pub(super) struct Note {
    pub(super) account: String,
    pub(super) json: String,
}

#[derive(Serialize)]
struct Said<'a, D> {
    actor: &'a Actor,
    action: Action,
    target: &'a str,
    detail: &'a D,
}

/// `account`: whose change it is. `target`: the account, credit, key or person that changed.
pub(super) fn note(
    account: &str,
    actor: &Actor,
    action: Action,
    target: &str,
    detail: &impl Serialize,
) -> Result<Note, LedgerError> {
    let json = serde_json::to_string(&Said { actor, action, target, detail })?;
    Ok(Note { account: account.to_owned(), json })
}

/// Nothing more to say: `{}`.
#[derive(Serialize)]
pub(super) struct Plain {}

#[derive(Serialize)]
pub(super) struct Opened<'a> {
    pub(super) name: &'a str,
}

#[derive(Serialize)]
pub(super) struct Granted<'a> {
    pub(super) amount_nano_usd: Nanos,
    pub(super) memo: &'a str,
}

#[derive(Serialize)]
pub(super) struct Money<'a> {
    pub(super) amount_nano_usd: Nanos,
    pub(super) source: Source,
    pub(super) memo: &'a str,
}

#[derive(Serialize)]
pub(super) struct Hooked<'a> {
    pub(super) url: &'a str,
    pub(super) budgets: &'a BudgetLimits,
}

#[derive(Serialize)]
pub(super) struct Ended {
    pub(super) end: &'static str,
}

#[derive(Serialize)]
pub(super) struct KeyMade<'a> {
    pub(super) name: &'a str,
    pub(super) prefix: &'a str,
    pub(super) policy: &'a KeyPolicy,
    /// The key whose rotation made this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) replaces: Option<&'a KeyId>,
}

#[derive(Serialize)]
pub(super) struct KeyChanged<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<Change<&'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) policy: Option<Change<&'a KeyPolicy>>,
}

#[derive(Serialize)]
pub(super) struct KeyRotated<'a> {
    pub(super) replaced_by: &'a KeyId,
    pub(super) expires_at: Option<Timestamp>,
}

#[derive(Serialize)]
pub(super) struct Person<'a> {
    pub(super) role: Role,
    pub(super) name: &'a str,
}

#[derive(Serialize)]
pub(super) struct PersonChanged<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) role: Option<Change<Role>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<Change<&'a str>>,
}

#[derive(Serialize)]
pub(super) struct Change<T> {
    from: T,
    to: T,
}

impl<T: PartialEq> Change<T> {
    /// `None` where nothing changes.
    pub(super) fn of(from: T, to: T) -> Option<Self> {
        (from != to).then_some(Self { from, to })
    }
}
