//! Rows as they lie in the file: one struct per table, used for reading, writing and hashing alike.
//!
//! Field names are column names, here and in `batch/store.rs`.

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::types::{Account, AccountKind, Balance, Hold, HoldState, Outcome, Receipt, ReceiptPart};
use crate::access::{Member, Role};
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

#[derive(Debug, Clone, Serialize, sqlx::FromRow)]
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

#[derive(Debug, Clone, Serialize, sqlx::FromRow)]
pub(crate) struct EntryRow {
    pub(crate) transfer: i64,
    pub(crate) line: i64,
    pub(crate) account: String,
    pub(crate) amount: i64,
}

#[derive(Debug, Clone, PartialEq, Serialize, sqlx::FromRow)]
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

/// One node's part of a charge, where several delivered.
#[derive(Debug, Clone, PartialEq, Serialize, sqlx::FromRow)]
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

impl ChargeRow {
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
