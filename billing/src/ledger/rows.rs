//! What rows mean: from words and numbers to the types of this room.

use peerway_billing_store::Link;
pub(crate) use peerway_billing_store::{
    AccountRow, AlertRow, ChargeRow, CheckpointRow, DayRow, EntryRow, HoldRow, HookRow, KeyRow, MemberRow, NodeRow,
    PartRow, ShareRow, TransferRow,
};
use sha2::{Digest, Sha256};

use super::chain::GENESIS;
use super::types::{Account, AccountKind, Balance, Head, Hold, HoldState, Outcome, Receipt, ReceiptPart};
use crate::access::{Member, Role};
use crate::clock::Timestamp;
use crate::error::LedgerError;
use crate::id::{AccountId, HoldId, KeyId, OperatorId, OwnerId, RequestId, SubjectId, TokenId};
use crate::key::KeyRecord;
use crate::money::{FeeBps, Nanos, PerMillion, Price, Split, TokenCount};

/// The newest place of the log: of an empty one, that before the first.
pub(super) fn head_of(newest: Option<Link>) -> Head {
    newest.map_or_else(|| Head { seq: 0, hash: GENESIS.to_owned() }, |Link { seq, hash }| Head { seq, hash })
}

pub(super) fn corrupt(what: &str, id: &str) -> LedgerError {
    LedgerError::Storage(format!("{what} `{id}` holds a value that this program never writes; run `ledger verify`"))
}

/// What an account's row says.
pub(crate) trait AccountFields {
    /// Whether it may not spend: a dispute freezes it whatever anybody else did.
    fn is_frozen(&self) -> bool;
    /// The account as callers see it. `expired`: how much of `held` belongs to holds past their expiry.
    fn to_account(&self, expired: i64) -> Result<Account, LedgerError>;
}

impl AccountFields for AccountRow {
    fn is_frozen(&self) -> bool {
        self.frozen != 0 || self.disputes > 0
    }

    fn to_account(&self, expired: i64) -> Result<Account, LedgerError> {
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

/// What a hold's row says.
pub(crate) trait HoldFields {
    /// What an open hold still sets aside.
    fn remainder(&self) -> i64;

    fn is_open(&self) -> bool;

    /// A checksum of the row. Holds change too often to be logged in the chain, so this is what shows that a
    /// row was not written by the ledger.
    fn computed_seal(&self) -> String;

    fn to_hold(&self) -> Result<Hold, LedgerError>;
}

impl HoldFields for HoldRow {
    fn remainder(&self) -> i64 {
        self.amount - self.captured
    }

    fn is_open(&self) -> bool {
        self.state == HoldState::Open.as_str()
    }

    fn computed_seal(&self) -> String {
        let Self { id, account, amount, captured, state, expires_at, owner, created_at, seal: _ } = self;
        let text = format!("{id}|{account}|{amount}|{captured}|{state}|{expires_at}|{owner}|{created_at}");
        hex::encode(&Sha256::digest(text)[..8])
    }

    fn to_hold(&self) -> Result<Hold, LedgerError> {
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

/// What a share's row says.
pub(crate) trait ShareFields {
    /// A checksum of the row, as [`HoldFields::computed_seal`].
    fn computed_seal(&self) -> String;
}

impl ShareFields for ShareRow {
    fn computed_seal(&self) -> String {
        let Self { scope, owner, amount, expires_at, seal: _ } = self;
        hex::encode(&Sha256::digest(format!("{scope}|{owner}|{amount}|{expires_at}"))[..8])
    }
}

/// What a key's row says.
pub(crate) trait KeyFields {
    fn to_record(&self) -> Result<KeyRecord, LedgerError>;
}

impl KeyFields for KeyRow {
    fn to_record(&self) -> Result<KeyRecord, LedgerError> {
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

/// What a member's row says.
pub(crate) trait MemberFields {
    fn is_owner(&self) -> bool;

    fn to_member(&self) -> Result<Member, LedgerError>;
}

impl MemberFields for MemberRow {
    fn is_owner(&self) -> bool {
        self.role == Role::Owner.as_str()
    }

    fn to_member(&self) -> Result<Member, LedgerError> {
        Ok(Member {
            account: AccountId::stored(self.account.clone()),
            subject: SubjectId::stored(self.subject.clone()),
            role: Role::from_word(&self.role).ok_or_else(|| corrupt("member", &self.subject))?,
            name: self.name.clone(),
            created_at: Timestamp::from_millis(self.created_at),
        })
    }
}

/// What a charge's row says.
pub(crate) trait ChargeFields {
    /// Price, fee and billed tokens, where they are possible ones.
    fn terms(&self) -> Option<(Price, FeeBps, TokenCount)>;

    fn to_receipt(&self, parts: &[PartRow]) -> Result<Receipt, LedgerError>;
}

impl ChargeFields for ChargeRow {
    fn terms(&self) -> Option<(Price, FeeBps, TokenCount)> {
        let price = price(self.price_input, self.price_cached, self.price_output)?;
        let fee = FeeBps::new(u32::try_from(self.fee_bps).ok()?).ok()?;
        Some((price, fee, tokens(self.prompt, self.cached, self.completion)?))
    }

    fn to_receipt(&self, parts: &[PartRow]) -> Result<Receipt, LedgerError> {
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

/// What the row of a charge's part says.
pub(crate) trait PartFields {
    /// Price and billed tokens, where they are possible ones.
    fn terms(&self) -> Option<(Price, TokenCount)>;

    fn to_receipt(&self) -> Option<ReceiptPart>;
}

impl PartFields for PartRow {
    fn terms(&self) -> Option<(Price, TokenCount)> {
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
