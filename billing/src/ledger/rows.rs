//! Rows as they lie in the file: one struct per table, used for reading, writing and hashing alike.
//!
//! Field names are column names, here and in `batch/store.rs`.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::proof::Checkpoint;
use super::types::{
    Account, AccountKind, Alert, AlertHook, AlertScope, AlertState, Balance, Hold, HoldState, Outcome, Receipt,
    ReceiptPart,
};
use crate::access::{Member, Role};
use crate::calendar::{self, Window};
use crate::clock::Timestamp;
use crate::error::LedgerError;
use crate::id::{AccountId, HoldId, KeyId, OperatorId, OwnerId, RequestId, SubjectId, TokenId};
use crate::key::KeyRecord;
use crate::money::{FeeBps, Nanos, PerMillion, Price, Split, TokenCount};

#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct AccountRow {
    pub(crate) id: String,
    pub(crate) kind: String,
    pub(crate) name: String,
    pub(crate) frozen: i64,
    pub(crate) created_at: i64,
    pub(crate) balance: i64,
    /// Remainders of open holds, expired ones among them until they are swept.
    pub(crate) held: i64,
    /// Disputes that have not ended.
    pub(crate) disputes: i64,
}

#[derive(Debug, Clone, Serialize, Deserialize, sqlx::FromRow)]
pub(crate) struct TransferRow {
    pub(crate) seq: i64,
    pub(crate) kind: String,
    pub(crate) reference: String,
    pub(crate) memo: String,
    pub(crate) created_at: i64,
    pub(crate) prev_hash: String,
    pub(crate) hash: String,
    /// Whose change it is; `NULL` where nobody asked for it, as for a charge.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) audit_account: Option<String>,
    /// Who did what to what, as JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) audit: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize, sqlx::FromRow)]
pub(crate) struct EntryRow {
    pub(crate) transfer: i64,
    pub(crate) line: i64,
    pub(crate) account: String,
    pub(crate) amount: i64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, sqlx::FromRow)]
pub(crate) struct ChargeRow {
    pub(crate) request_id: String,
    pub(crate) transfer: i64,
    pub(crate) hold: String,
    pub(crate) late: i64,
    pub(crate) account: String,
    pub(crate) key_id: Option<String>,
    pub(crate) node: String,
    pub(crate) operator: String,
    pub(crate) model: String,
    pub(crate) price_input: i64,
    pub(crate) price_cached: i64,
    pub(crate) price_output: i64,
    pub(crate) fee_bps: i64,
    pub(crate) prompt: i64,
    pub(crate) cached: i64,
    pub(crate) completion: i64,
    pub(crate) claimed_prompt: i64,
    pub(crate) claimed_cached: i64,
    pub(crate) claimed_completion: i64,
    pub(crate) total: i64,
    pub(crate) earned: i64,
    pub(crate) fee: i64,
    pub(crate) shortfall: i64,
    pub(crate) outcome: String,
    pub(crate) created_at: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) token_id: Option<String>,
}

/// What was charged to an account on one day, with one key, for one model.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct DayRow {
    pub(crate) account: String,
    /// Days since 1970-01-01 UTC.
    pub(crate) day: i64,
    /// The key that was shown; empty for none.
    pub(crate) key: String,
    pub(crate) model: String,
    pub(crate) requests: i64,
    pub(crate) prompt: i64,
    pub(crate) cached: i64,
    pub(crate) completion: i64,
    pub(crate) total: i64,
}

/// The root of a full subtree of the Merkle tree over the log, of a level that is kept.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct NodeRow {
    /// A subtree of this level has 2^level leaves.
    pub(crate) level: i64,
    /// How many subtrees of this level are to its left.
    pub(crate) place: i64,
    pub(crate) hash: String,
}

/// How far the log had come, signed.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct CheckpointRow {
    pub(crate) seq: i64,
    pub(crate) hash: String,
    pub(crate) root: String,
    pub(crate) at: i64,
    pub(crate) key: String,
    pub(crate) signature: String,
}

impl From<CheckpointRow> for Checkpoint {
    fn from(row: CheckpointRow) -> Self {
        let CheckpointRow { seq, hash, root, at, key, signature } = row;
        Self { seq, hash, root, at: Timestamp::from_millis(at), key, signature }
    }
}

impl From<Checkpoint> for CheckpointRow {
    fn from(checkpoint: Checkpoint) -> Self {
        let Checkpoint { seq, hash, root, at, key, signature } = checkpoint;
        Self { seq, hash, root, at: at.as_millis(), key, signature }
    }
}

/// Where an account is told of its budgets.
#[derive(Clone, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct HookRow {
    pub(crate) account: String,
    pub(crate) url: String,
    pub(crate) secret: String,
    /// [`crate::access::BudgetLimits`] as canonical JSON.
    pub(crate) budgets: String,
    pub(crate) created_at: i64,
}

impl HookRow {
    pub(crate) fn to_hook(&self) -> Result<AlertHook, LedgerError> {
        Ok(AlertHook {
            account: AccountId::stored(self.account.clone()),
            url: self.url.clone(),
            budgets: serde_json::from_str(&self.budgets).map_err(|_| corrupt("alert hook", &self.account))?,
            created_at: Timestamp::from_millis(self.created_at),
        })
    }
}

/// That a budget has reached a level, and whether its account knows.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct AlertRow {
    pub(crate) id: String,
    pub(crate) account: String,
    /// `account`, or `key:` and the first key of a chain of rotations.
    pub(crate) scope: String,
    pub(crate) span: String,
    pub(crate) since: i64,
    pub(crate) level: i64,
    pub(crate) budget: i64,
    pub(crate) spent: i64,
    pub(crate) created_at: i64,
    pub(crate) state: String,
    pub(crate) attempts: i64,
    /// When it is to be tried next; once it has ended, when it did.
    pub(crate) next_at: i64,
    pub(crate) seal: String,
}

impl AlertRow {
    /// A new one, named by what it says: whoever notices it again makes the same name.
    pub(crate) fn new(alert: &Alert, state: AlertState) -> Self {
        let scope = match &alert.scope {
            AlertScope::Account => "account".to_owned(),
            AlertScope::Key(root) => format!("key:{root}"),
        };
        let Alert { account, window, since, level, .. } = alert;
        let name = format!("{account}|{scope}|{window}|{}|{level}", since.as_millis());
        Self {
            id: format!("alert_{}", hex::encode(&Sha256::digest(name)[..16])),
            account: account.as_str().to_owned(),
            scope,
            span: window.as_str().to_owned(),
            since: since.as_millis(),
            level: i64::from(*level),
            budget: alert.budget.as_i64(),
            spent: alert.spent.as_i64(),
            created_at: alert.created_at.as_millis(),
            state: state.as_str().to_owned(),
            attempts: 0,
            next_at: alert.created_at.as_millis(),
            seal: String::new(),
        }
    }

    /// As that of a hold: what shows that the row was not written by the ledger.
    pub(crate) fn computed_seal(&self) -> String {
        let Self {
            id,
            account,
            scope,
            span,
            since,
            level,
            budget,
            spent,
            created_at,
            state,
            attempts,
            next_at,
            seal: _,
        } = self;
        let text = format!(
            "{id}|{account}|{scope}|{span}|{since}|{level}|{budget}|{spent}|{created_at}|{state}|{attempts}|{next_at}"
        );
        hex::encode(&Sha256::digest(text)[..8])
    }

    pub(crate) fn to_alert(&self) -> Result<Alert, LedgerError> {
        let bad = || corrupt("alert", &self.id);
        let scope = match self.scope.strip_prefix("key:") {
            Some(root) => AlertScope::Key(KeyId::stored(root.to_owned())),
            None => AlertScope::Account,
        };
        Ok(Alert {
            id: self.id.clone(),
            account: AccountId::stored(self.account.clone()),
            scope,
            window: Window::from_word(&self.span).ok_or_else(bad)?,
            since: Timestamp::from_millis(self.since),
            level: u8::try_from(self.level).map_err(|_| bad())?,
            budget: Nanos::new(self.budget),
            spent: Nanos::new(self.spent),
            created_at: Timestamp::from_millis(self.created_at),
        })
    }
}

/// One node's part of a charge, where several delivered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, sqlx::FromRow)]
pub(crate) struct PartRow {
    pub(crate) transfer: i64,
    pub(crate) part: i64,
    pub(crate) node: String,
    pub(crate) operator: String,
    pub(crate) price_input: i64,
    pub(crate) price_cached: i64,
    pub(crate) price_output: i64,
    pub(crate) prompt: i64,
    pub(crate) cached: i64,
    pub(crate) completion: i64,
    pub(crate) claimed_prompt: i64,
    pub(crate) claimed_cached: i64,
    pub(crate) claimed_completion: i64,
    pub(crate) earned: i64,
}

#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct HoldRow {
    pub(crate) id: String,
    pub(crate) account: String,
    pub(crate) amount: i64,
    pub(crate) captured: i64,
    pub(crate) state: String,
    pub(crate) expires_at: i64,
    pub(crate) owner: String,
    pub(crate) created_at: i64,
    pub(crate) seal: String,
}

#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub(crate) struct KeyRow {
    pub(crate) id: String,
    pub(crate) account: String,
    pub(crate) name: String,
    pub(crate) prefix: String,
    pub(crate) sha256: String,
    pub(crate) created_at: i64,
    pub(crate) revoked_at: Option<i64>,
    /// [`crate::access::KeyPolicy`] as canonical JSON.
    pub(crate) policy: String,
    pub(crate) replaced_by: Option<String>,
    /// The first key of its chain of rotations.
    pub(crate) root: String,
}

#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub(crate) struct MemberRow {
    pub(crate) account: String,
    pub(crate) subject: String,
    pub(crate) role: String,
    pub(crate) name: String,
    pub(crate) created_at: i64,
}

pub(super) fn corrupt(what: &str, id: &str) -> LedgerError {
    LedgerError::Storage(format!("{what} `{id}` holds a value that this program never writes; run `ledger verify`"))
}

impl AccountRow {
    /// Whether it may not spend: a dispute freezes it whatever anybody else did.
    pub(crate) fn is_frozen(&self) -> bool {
        self.frozen != 0 || self.disputes > 0
    }

    /// The account as callers see it. `expired`: how much of `held` belongs to holds past their expiry.
    pub(crate) fn to_account(&self, expired: i64) -> Result<Account, LedgerError> {
        let held = self.held.saturating_sub(expired);
        Ok(Account {
            id: AccountId::stored(self.id.clone()),
            kind: AccountKind::from_word(&self.kind).ok_or_else(|| corrupt("account", &self.id))?,
            name: self.name.clone(),
            frozen: self.is_frozen(),
            disputes: u32::try_from(self.disputes).unwrap_or(u32::MAX),
            created_at: Timestamp::from_millis(self.created_at),
            balance: Balance {
                posted: Nanos::new(self.balance),
                held: Nanos::new(held),
                available: Nanos::new(self.balance).minus_or_zero(Nanos::new(held)),
            },
        })
    }
}

impl HoldRow {
    /// What an open hold still sets aside.
    pub(crate) fn remainder(&self) -> i64 {
        self.amount - self.captured
    }

    pub(crate) fn is_open(&self) -> bool {
        self.state == HoldState::Open.as_str()
    }

    /// A checksum of the row. Holds change too often to be logged in the chain, so this is what shows that a
    /// row was not written by the ledger.
    pub(crate) fn computed_seal(&self) -> String {
        let Self { id, account, amount, captured, state, expires_at, owner, created_at, seal: _ } = self;
        let text = format!("{id}|{account}|{amount}|{captured}|{state}|{expires_at}|{owner}|{created_at}");
        hex::encode(&Sha256::digest(text)[..8])
    }

    pub(crate) fn to_hold(&self) -> Result<Hold, LedgerError> {
        Ok(Hold {
            id: HoldId::stored(self.id.clone()),
            account: AccountId::stored(self.account.clone()),
            amount: Nanos::new(self.amount),
            captured: Nanos::new(self.captured),
            state: HoldState::from_word(&self.state).ok_or_else(|| corrupt("hold", &self.id))?,
            expires_at: Timestamp::from_millis(self.expires_at),
            owner: OwnerId::stored(self.owner.clone()),
            created_at: Timestamp::from_millis(self.created_at),
        })
    }
}

impl KeyRow {
    pub(crate) fn to_record(&self) -> Result<KeyRecord, LedgerError> {
        Ok(KeyRecord {
            id: KeyId::stored(self.id.clone()),
            account: AccountId::stored(self.account.clone()),
            name: self.name.clone(),
            prefix: self.prefix.clone(),
            created_at: Timestamp::from_millis(self.created_at),
            policy: serde_json::from_str(&self.policy).map_err(|_| corrupt("key", &self.id))?,
            replaced_by: self.replaced_by.clone().map(KeyId::stored),
            root: KeyId::stored(self.root.clone()),
            revoked_at: self.revoked_at.map(Timestamp::from_millis),
        })
    }
}

impl MemberRow {
    pub(crate) fn is_owner(&self) -> bool {
        self.role == Role::Owner.as_str()
    }

    pub(crate) fn to_member(&self) -> Result<Member, LedgerError> {
        Ok(Member {
            account: AccountId::stored(self.account.clone()),
            subject: SubjectId::stored(self.subject.clone()),
            role: Role::from_word(&self.role).ok_or_else(|| corrupt("member", &self.subject))?,
            name: self.name.clone(),
            created_at: Timestamp::from_millis(self.created_at),
        })
    }
}

impl DayRow {
    /// Account, day, key and model.
    pub(crate) fn place(&self) -> DayPlace {
        (self.account.clone(), self.day, self.key.clone(), self.model.clone())
    }

    /// Adds what another row of the same place says. Sums stop at the largest number.
    pub(crate) fn add(&mut self, other: &Self) {
        for (sum, more) in [
            (&mut self.requests, other.requests),
            (&mut self.prompt, other.prompt),
            (&mut self.cached, other.cached),
            (&mut self.completion, other.completion),
            (&mut self.total, other.total),
        ] {
            *sum = sum.saturating_add(more);
        }
    }
}

/// Account, day, key and model: each has one [`DayRow`].
pub(crate) type DayPlace = (String, i64, String, String);

impl ChargeRow {
    /// What it adds to its day.
    pub(crate) fn day(&self) -> DayRow {
        DayRow {
            account: self.account.clone(),
            day: calendar::day(Timestamp::from_millis(self.created_at)),
            key: self.key_id.clone().unwrap_or_default(),
            model: self.model.clone(),
            requests: 1,
            prompt: self.prompt,
            cached: self.cached,
            completion: self.completion,
            total: self.total,
        }
    }

    /// Price, fee and billed tokens, where they are possible ones.
    pub(crate) fn terms(&self) -> Option<(Price, FeeBps, TokenCount)> {
        let price = price(self.price_input, self.price_cached, self.price_output)?;
        let fee = FeeBps::new(u32::try_from(self.fee_bps).ok()?).ok()?;
        Some((price, fee, tokens(self.prompt, self.cached, self.completion)?))
    }

    pub(crate) fn to_receipt(&self, parts: &[PartRow]) -> Result<Receipt, LedgerError> {
        let bad = || corrupt("charge", &self.request_id);
        let parts = parts.iter().map(|part| part.to_receipt().ok_or_else(bad)).collect::<Result<_, _>>()?;
        let (price, fee, billed) = self.terms().ok_or_else(bad)?;
        Ok(Receipt {
            request: RequestId::stored(self.request_id.clone()),
            seq: self.transfer,
            hold: HoldId::stored(self.hold.clone()),
            late: self.late != 0,
            account: AccountId::stored(self.account.clone()),
            key: self.key_id.clone().map(KeyId::stored),
            token: self.token_id.clone().map(TokenId::stored),
            node: self.node.clone(),
            operator: OperatorId::stored(self.operator.clone()),
            model: self.model.clone(),
            price,
            fee,
            billed,
            claimed: tokens(self.claimed_prompt, self.claimed_cached, self.claimed_completion).ok_or_else(bad)?,
            paid: Split { total: Nanos::new(self.total), operator: Nanos::new(self.earned), fee: Nanos::new(self.fee) },
            shortfall: Nanos::new(self.shortfall),
            outcome: Outcome::from_word(&self.outcome).ok_or_else(bad)?,
            created_at: Timestamp::from_millis(self.created_at),
            parts,
        })
    }
}

impl PartRow {
    /// Price and billed tokens, where they are possible ones.
    pub(crate) fn terms(&self) -> Option<(Price, TokenCount)> {
        let price = price(self.price_input, self.price_cached, self.price_output)?;
        Some((price, tokens(self.prompt, self.cached, self.completion)?))
    }

    fn to_receipt(&self) -> Option<ReceiptPart> {
        let (price, billed) = self.terms()?;
        Some(ReceiptPart {
            node: self.node.clone(),
            operator: OperatorId::stored(self.operator.clone()),
            price,
            billed,
            claimed: tokens(self.claimed_prompt, self.claimed_cached, self.claimed_completion)?,
            earned: Nanos::new(self.earned),
        })
    }
}

fn price(input: i64, cached_input: i64, output: i64) -> Option<Price> {
    let part = PerMillion::new;
    Some(Price { input: part(input)?, cached_input: part(cached_input)?, output: part(output)? })
}

fn tokens(prompt: i64, cached: i64, completion: i64) -> Option<TokenCount> {
    let count = |value: i64| u64::try_from(value).ok();
    Some(TokenCount::new(count(prompt)?, count(cached)?, count(completion)?))
}

/// A token count as a column: it fits, because [`TokenCount`] stops at `i64::MAX`.
pub(crate) fn column(tokens: u64) -> i64 {
    i64::try_from(tokens).unwrap_or(i64::MAX)
}
