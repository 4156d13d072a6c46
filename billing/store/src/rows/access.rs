//! Who may call.

/// An API key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRow {
    /// Its id.
    pub id: String,
    /// Whose it is.
    pub account: String,
    /// Its name, for people.
    pub name: String,
    /// The beginning of its secret, for people.
    pub prefix: String,
    /// The hash of its secret.
    pub sha256: String,
    /// When it was made.
    pub created_at: i64,
    /// When it was revoked; `None` while it is not.
    pub revoked_at: Option<i64>,
    /// What it may do, as canonical JSON.
    pub policy: String,
    /// The key that took its place.
    pub replaced_by: Option<String>,
    /// The first key of its chain of rotations.
    pub root: String,
}

/// A person's place on an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberRow {
    /// The account.
    pub account: String,
    /// The person.
    pub subject: String,
    /// What they are there.
    pub role: String,
    /// Their name, for people.
    pub name: String,
    /// When they came.
    pub created_at: i64,
}
