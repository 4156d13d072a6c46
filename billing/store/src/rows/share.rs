//! Parts of budgets that gateways have set aside.

/// What one owner has set aside of one budget: for requests under way, for charges that are on their way to the log, and to
/// admit the next requests with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShareRow {
    /// Whose budget: `key:` and the first key of a chain of rotations, or `token:` and a minted token.
    pub scope: String,
    /// Who has set it aside.
    pub owner: String,
    /// How much.
    pub amount: i64,
    /// From when on it counts as given back.
    pub expires_at: i64,
    /// A checksum of the other columns.
    pub seal: String,
}
