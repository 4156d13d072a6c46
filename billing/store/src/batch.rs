//! What a batch of changes reads and writes.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;

use crate::error::StoreError;
use crate::questions::Sums;
use crate::rows::{
    AccountRow, AlertRow, ChargeRow, CheckpointRow, DayRow, EntryRow, HoldRow, HookRow, KeyRow, Link, MemberRow,
    NodeRow, OwnerRow, PartRow, PastCredit, PastMove, ShareRow, TransferRow,
};
use crate::statements::FirstDays;

/// Whose spending is wanted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Spender {
    /// A key's and all others' of its chain of rotations, of which it is the first. A key that is not in the books is a chain
    /// by itself.
    Key(String),
    /// A minted token's.
    Token(String),
}

/// The names of what a batch may touch.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// When the batch is decided: open holds past their expiry by then are wanted too.
    pub now: i64,
    /// Accounts; those of all holds that are found are wanted too.
    pub accounts: BTreeSet<String>,
    /// Holds.
    pub holds: BTreeSet<String>,
    /// Owners, of whom every open hold and every share is wanted.
    pub owners: BTreeSet<String>,
    /// Owners, of whom the row is wanted.
    pub epochs: BTreeSet<String>,
    /// Requests, of which the charges are wanted, with their parts.
    pub requests: BTreeSet<String>,
    /// References of credits.
    pub references: BTreeSet<String>,
    /// References of payments, refunds and disputes, with the accounts on either side.
    pub moves: BTreeSet<String>,
    /// Keys.
    pub keys: BTreeSet<String>,
    /// Accounts whose members are wanted, all of them.
    pub peopled: BTreeSet<String>,
    /// Accounts whose hooks for alerts are wanted.
    pub hooks: BTreeSet<String>,
    /// Alerts.
    pub alerts: BTreeSet<String>,
    /// Budgets of which all shares are wanted, by scope, and what was spent of them.
    pub budgets: BTreeMap<String, Spender>,
    /// Since which days.
    pub since: FirstDays,
}

impl Wanted {
    /// The accounts that are named, and those of these holds and moves.
    #[must_use]
    pub fn accounts_with<'a>(&'a self, holds: &'a [HoldRow], moves: &'a [PastMove]) -> BTreeSet<&'a str> {
        let of_holds = holds.iter().map(|hold| &hold.account);
        let of_moves = moves.iter().flat_map(|past| [&past.payer, &past.payee]);
        self.accounts.iter().chain(of_holds).chain(of_moves).map(String::as_str).collect()
    }
}

/// The rows that are there of what was wanted.
#[derive(Debug, Clone, Default)]
pub struct Loaded {
    /// The newest transfer; `None` in an empty log.
    pub head: Option<Link>,
    /// Accounts.
    pub accounts: Vec<AccountRow>,
    /// Holds; one may be there twice, where it is wanted for two reasons.
    pub holds: Vec<HoldRow>,
    /// Owners.
    pub owners: Vec<OwnerRow>,
    /// Charges.
    pub charges: Vec<ChargeRow>,
    /// Parts of those charges that have some, in order.
    pub parts: Vec<PartRow>,
    /// Credits.
    pub credits: Vec<PastCredit>,
    /// Payments, refunds and disputes.
    pub moves: Vec<PastMove>,
    /// Keys.
    pub keys: Vec<KeyRow>,
    /// Members.
    pub members: Vec<MemberRow>,
    /// Hooks for alerts.
    pub hooks: Vec<HookRow>,
    /// Alerts.
    pub alerts: Vec<AlertRow>,
    /// Shares; one may be there twice, where it is wanted for two reasons.
    pub shares: Vec<ShareRow>,
    /// What was spent of the budgets, by scope.
    pub spent: Vec<(String, Sums)>,
}

/// Rows to write: new ones, and those that replace what is there under the same name.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    /// New or changed accounts.
    pub accounts: Vec<AccountRow>,
    /// New or changed holds.
    pub holds: Vec<HoldRow>,
    /// New or changed owners.
    pub owners: Vec<OwnerRow>,
    /// New or changed keys.
    pub keys: Vec<KeyRow>,
    /// New or changed members.
    pub members: Vec<MemberRow>,
    /// Members who are gone, by account and subject. Who is not there need not be removed.
    pub gone: Vec<(String, String)>,
    /// New transfers, in order.
    pub transfers: Vec<TransferRow>,
    /// Their entries.
    pub entries: Vec<EntryRow>,
    /// Their charges.
    pub charges: Vec<ChargeRow>,
    /// Parts of those charges.
    pub parts: Vec<PartRow>,
    /// What is to be added to days; one row for each day, key and model at most. Sums stop at the largest number.
    pub days: Vec<DayRow>,
    /// New nodes of the tree; what is there already stays.
    pub nodes: Vec<NodeRow>,
    /// New checkpoints; what is there already stays.
    pub checkpoints: Vec<CheckpointRow>,
    /// New or changed hooks for alerts.
    pub hooks: Vec<HookRow>,
    /// Accounts whose hooks are gone.
    pub unhooked: Vec<String>,
    /// New or changed alerts.
    pub alerts: Vec<AlertRow>,
    /// New or changed shares.
    pub shares: Vec<ShareRow>,
    /// Shares that are gone, by scope and owner. What is not there need not be removed.
    pub unshared: Vec<(String, String)>,
    /// Shares that have expired by then are gone.
    pub shares_until: Option<i64>,
}

impl Changes {
    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let Self { accounts, holds, owners, keys, members, gone, transfers, entries, charges, parts, .. } = self;
        let Self { days, nodes, checkpoints, hooks, unhooked, alerts, .. } = self;
        let credit = accounts.is_empty() && holds.is_empty() && owners.is_empty();
        let state = credit && keys.is_empty() && members.is_empty() && gone.is_empty();
        let tree = nodes.is_empty() && checkpoints.is_empty();
        let Self { shares, unshared, shares_until, .. } = self;
        let shared = shares.is_empty() && unshared.is_empty() && shares_until.is_none();
        let told = days.is_empty() && hooks.is_empty() && unhooked.is_empty() && alerts.is_empty();
        state
            && tree
            && told
            && shared
            && transfers.is_empty()
            && entries.is_empty()
            && charges.is_empty()
            && parts.is_empty()
    }
}

/// The one transaction that may write. Dropped, it has changed nothing.
#[async_trait]
pub trait Transaction: Send {
    /// Writes `changes` and answers when they are on disk. Nothing to write is no commit.
    ///
    /// # Errors
    /// The database failed. Whether the changes are there is not known where it failed at the commit itself.
    async fn commit(self: Box<Self>, changes: &Changes) -> Result<(), StoreError>;
}
