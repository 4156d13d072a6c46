//! What was spent by day, and what is told of it.

/// What was charged to an account on one day, with one key, for one model. Written, it is added to what is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DayRow {
    /// The account.
    pub account: String,
    /// Days since 1970-01-01 UTC.
    pub day: i64,
    /// The key that was shown; empty for none.
    pub key: String,
    /// The model.
    pub model: String,
    /// Requests.
    pub requests: i64,
    /// Tokens billed, of prompts.
    pub prompt: i64,
    /// Of those, tokens that a node had cached.
    pub cached: i64,
    /// Tokens billed, of answers.
    pub completion: i64,
    /// What was paid.
    pub total: i64,
}

/// Where an account is told of its budgets.
#[derive(Clone, PartialEq, Eq)]
pub struct HookRow {
    /// The account.
    pub account: String,
    /// Where to.
    pub url: String,
    /// What signs what is told.
    pub secret: String,
    /// The account's own budgets, as JSON.
    pub budgets: String,
    /// When it was set.
    pub created_at: i64,
}

impl std::fmt::Debug for HookRow {
    /// Without the secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HookRow").field("account", &self.account).field("url", &self.url).finish_non_exhaustive()
    }
}

/// That a budget has reached a level, and whether its account knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertRow {
    /// Made of account, scope, span, beginning and level.
    pub id: String,
    /// The account.
    pub account: String,
    /// `account`, or `key:` and the first key of a chain of rotations.
    pub scope: String,
    /// Over which stretch of time.
    pub span: String,
    /// When that began.
    pub since: i64,
    /// Percent.
    pub level: i64,
    /// The budget.
    pub budget: i64,
    /// What was spent when it was noticed.
    pub spent: i64,
    /// When that was.
    pub created_at: i64,
    /// Due, or how it ended.
    pub state: String,
    /// How often it was tried.
    pub attempts: i64,
    /// When it is to be tried next; once it has ended, when it did.
    pub next_at: i64,
    /// A checksum of the other columns.
    pub seal: String,
}
