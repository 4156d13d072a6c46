//! What may be done, and the roles that bundle it.

use serde::{Deserialize, Serialize};

use crate::words::words;

/// One kind of thing that a caller may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Scope {
    /// Ask models, and pay for it.
    #[serde(rename = "inference")]
    Inference,
    /// See what was used, and what is left.
    #[serde(rename = "usage:read")]
    UsageRead,
    /// List the account's keys.
    #[serde(rename = "keys:read")]
    KeysRead,
    /// Make, change, rotate and revoke the account's keys.
    #[serde(rename = "keys:write")]
    KeysWrite,
    /// List the account's members.
    #[serde(rename = "members:read")]
    MembersRead,
    /// Add, change and remove members.
    #[serde(rename = "members:write")]
    MembersWrite,
    /// Read who changed what.
    #[serde(rename = "audit:read")]
    AuditRead,
    /// See payments, refunds and when credit is bought again.
    #[serde(rename = "billing:read")]
    BillingRead,
    /// Buy credit, send it back, and have a saved card charged when it runs low.
    #[serde(rename = "billing:write")]
    BillingWrite,
    /// All of the above, and what comes later.
    #[serde(rename = "admin")]
    Admin,
}
words!(Scope {
    Inference = "inference",
    UsageRead = "usage:read",
    KeysRead = "keys:read",
    KeysWrite = "keys:write",
    MembersRead = "members:read",
    MembersWrite = "members:write",
    AuditRead = "audit:read",
    BillingRead = "billing:read",
    BillingWrite = "billing:write",
    Admin = "admin",
});

impl Scope {
    /// Every scope there is.
    pub const ALL: [Self; 10] = [
        Self::Inference,
        Self::UsageRead,
        Self::KeysRead,
        Self::KeysWrite,
        Self::MembersRead,
        Self::MembersWrite,
        Self::AuditRead,
        Self::BillingRead,
        Self::BillingWrite,
        Self::Admin,
    ];

    /// Whether who has `granted` may do this; [`Scope::Admin`] grants everything.
    #[must_use]
    pub fn is_in(self, granted: &[Self]) -> bool {
        granted.iter().any(|&scope| scope == self || scope == Self::Admin)
    }
}

/// What a person is to an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// May do everything. An account's last owner can be neither removed nor made something else.
    Owner,
    /// Looks after the money: buys credit and sends it back, reads usage, audit log, keys and members.
    Billing,
    /// Asks models, and looks after the keys.
    Developer,
    /// Reads usage, keys and members.
    Viewer,
}
words!(Role { Owner = "owner", Billing = "billing", Developer = "developer", Viewer = "viewer" });

impl Role {
    /// What the role may do; an owner's scopes are all of them, by name.
    #[must_use]
    pub const fn scopes(self) -> &'static [Scope] {
        match self {
            Self::Owner => &Scope::ALL,
            Self::Billing => &[
                Scope::UsageRead,
                Scope::AuditRead,
                Scope::KeysRead,
                Scope::MembersRead,
                Scope::BillingRead,
                Scope::BillingWrite,
            ],
            Self::Developer => &[Scope::Inference, Scope::UsageRead, Scope::KeysRead, Scope::KeysWrite],
            Self::Viewer => &[Scope::UsageRead, Scope::KeysRead, Scope::MembersRead],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_the_same_word_in_json_and_in_text() {
        for scope in Scope::ALL {
            assert_eq!(serde_json::to_string(&scope).unwrap(), format!("\"{scope}\""));
            assert_eq!(Scope::from_word(scope.as_str()), Some(scope));
        }
    }

    #[test]
    fn admin_is_all_and_nothing_else_is() {
        assert!(Scope::ALL.iter().all(|scope| scope.is_in(&[Scope::Admin])));
        assert!(!Scope::KeysWrite.is_in(&[Scope::KeysRead, Scope::Inference]));
        assert!(!Scope::Admin.is_in(Role::Developer.scopes()));
        assert!(Scope::Admin.is_in(Role::Owner.scopes()));
    }
}
