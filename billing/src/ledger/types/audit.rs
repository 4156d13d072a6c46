//! Who changed what, as it is read from the log.

use serde::{Deserialize, Serialize};

use crate::access::Actor;
use crate::clock::Timestamp;
use crate::id::AccountId;
use crate::words::words;

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Action {
    /// A customer's account was opened.
    #[serde(rename = "account.opened")]
    AccountOpened,
    /// It was stopped from spending.
    #[serde(rename = "account.frozen")]
    AccountFrozen,
    /// It may spend again.
    #[serde(rename = "account.unfrozen")]
    AccountUnfrozen,
    /// Credit was given.
    #[serde(rename = "credit.granted")]
    CreditGranted,
    /// A payment arrived.
    #[serde(rename = "deposit.posted")]
    DepositPosted,
    /// Unused credit left the account, to go back to who had paid.
    #[serde(rename = "refund.opened")]
    RefundOpened,
    /// It went back, or could not and is on the account again.
    #[serde(rename = "refund.ended")]
    RefundEnded,
    /// A payment was disputed: it left the account, which is frozen until that ends.
    #[serde(rename = "dispute.opened")]
    DisputeOpened,
    /// The dispute was won or lost.
    #[serde(rename = "dispute.ended")]
    DisputeEnded,
    /// Where the account is told of its budgets was set.
    #[serde(rename = "alerts.changed")]
    AlertsChanged,
    /// The account is no longer told of its budgets.
    #[serde(rename = "alerts.removed")]
    AlertsRemoved,
    /// A key was made.
    #[serde(rename = "key.created")]
    KeyCreated,
    /// A key's name or policy was changed.
    #[serde(rename = "key.changed")]
    KeyChanged,
    /// A key was replaced by a new one.
    #[serde(rename = "key.rotated")]
    KeyRotated,
    /// A key was ended for good.
    #[serde(rename = "key.revoked")]
    KeyRevoked,
    /// A person was added.
    #[serde(rename = "member.added")]
    MemberAdded,
    /// A person's role or name was changed.
    #[serde(rename = "member.changed")]
    MemberChanged,
    /// A person was removed.
    #[serde(rename = "member.removed")]
    MemberRemoved,
}
words!(Action {
    AccountOpened = "account.opened",
    AccountFrozen = "account.frozen",
    AccountUnfrozen = "account.unfrozen",
    CreditGranted = "credit.granted",
    DepositPosted = "deposit.posted",
    RefundOpened = "refund.opened",
    RefundEnded = "refund.ended",
    DisputeOpened = "dispute.opened",
    DisputeEnded = "dispute.ended",
    AlertsChanged = "alerts.changed",
    AlertsRemoved = "alerts.removed",
    KeyCreated = "key.created",
    KeyChanged = "key.changed",
    KeyRotated = "key.rotated",
    KeyRevoked = "key.revoked",
    MemberAdded = "member.added",
    MemberChanged = "member.changed",
    MemberRemoved = "member.removed",
});

/// One change that somebody made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// Its place in the log.
    pub seq: i64,
    /// Whose change it is.
    pub account: AccountId,
    /// When it was made.
    pub at: Timestamp,
    /// Who made it.
    pub actor: Actor,
    /// What was done.
    pub action: Action,
    /// To what: the id of an account or key, a credit's reference, a person's subject.
    pub target: String,
    /// How, as a JSON object; its fields depend on the action. Where something changed they say `from` and `to`.
    /// No secrets, and no hashes of secrets.
    pub detail: serde_json::Value,
}
