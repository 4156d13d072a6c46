//! The people of an account.

use serde::{Deserialize, Serialize};

use super::scope::Role;
use crate::clock::Timestamp;
use crate::id::{AccountId, SubjectId};

/// One person's place on one account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// The account.
    pub account: AccountId,
    /// Who it is, by the name that proves it.
    pub subject: SubjectId,
    /// What they may do.
    pub role: Role,
    /// What people call them; may be empty.
    pub name: String,
    /// When they were added. A later change of role or name leaves it.
    pub created_at: Timestamp,
}
