//! Who has money, and what of it is set aside.

/// An account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountRow {
    /// Its id.
    pub id: String,
    /// Whose it is: a customer's, an operator's, the platform's.
    pub kind: String,
    /// Its name, for people.
    pub name: String,
    /// Whether it may not spend.
    pub frozen: i64,
    /// When it was opened.
    pub created_at: i64,
    /// The sum of its entries.
    pub balance: i64,
    /// Remainders of open holds, expired ones among them until they are swept.
    pub held: i64,
    /// Disputes that have not ended.
    pub disputes: i64,
}

/// An account at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountNow {
    /// The account.
    pub account: AccountRow,
    /// What its expired but unswept holds still take of `held`.
    pub expired: i64,
}

/// Who takes holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnerRow {
    /// Its name, which lasts longer than a process.
    pub owner: String,
    /// How many processes have taken it over; only the last one's word counts.
    pub epoch: i64,
    /// When the last one did.
    pub taken_at: i64,
}

/// Credit that is set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HoldRow {
    /// Its id.
    pub id: String,
    /// Whose credit it is.
    pub account: String,
    /// How much was set aside in all.
    pub amount: i64,
    /// How much of it was captured.
    pub captured: i64,
    /// Open, or how it ended.
    pub state: String,
    /// When it ends by itself.
    pub expires_at: i64,
    /// Who took it.
    pub owner: String,
    /// When it was taken.
    pub created_at: i64,
    /// A checksum of the other columns.
    pub seal: String,
}
