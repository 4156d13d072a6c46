//! What callers may ask about keys and members.

use std::time::Duration;

use super::api::Ledger;
use super::command::Command;
use super::rows::{KeyFields, KeyRow, MemberFields, MemberRow};
use crate::access::{Actor, Member, Role};
use crate::error::LedgerError;
use crate::id::{AccountId, KeyId, SubjectId};
use crate::key::{KeyChange, KeyHash, KeyRecord, KeySecret, KeyTerms, NewKey};
use crate::text;

/// The longest that a rotated key may go on working beside its successor.
const LONGEST_OVERLAP: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// The most keys or members that one question answers.
const MOST: i64 = 10_000;

impl Ledger {
    /// Makes an API key. The secret is in the answer and nowhere else.
    ///
    /// # Errors
    /// An impossible name or policy, no such customer account, or the database's failure.
    pub async fn create_key(&self, terms: KeyTerms, actor: &Actor) -> Result<NewKey, LedgerError> {
        let secret = KeySecret::random();
        let key = KeyRow {
            account: terms.account.into(),
            name: text::checked("key name", &terms.name, text::NAME_BYTES)?,
            policy: terms.policy.checked()?.to_json()?,
            ..nameless(&secret)
        };
        let actor = actor.clone();
        let record = self.ask(|reply| Command::CreateKey { key, actor, reply }).await?;
        Ok(NewKey { record, secret })
    }

    /// Changes a key's name, policy or both. A key that has expired works again with a later expiry,
    /// unless it was replaced: a replaced key's expiry may only come nearer.
    ///
    /// # Errors
    /// No such key, one that was revoked, a later expiry for one that was replaced, an impossible name or policy, or
    /// the database's failure.
    pub async fn update_key(&self, key: &KeyId, change: KeyChange, actor: &Actor) -> Result<KeyRecord, LedgerError> {
        let name = change.name.map(|name| text::checked("key name", &name, text::NAME_BYTES)).transpose()?;
        let policy = change.policy.map(|policy| policy.checked()).transpose()?;
        let (key, change, actor) = (key.clone(), KeyChange { name, policy }, actor.clone());
        self.ask(|reply| Command::UpdateKey { key, change, actor, reply }).await
    }

    /// Puts a new key, with a new secret, in the place of one that works: same account, name and policy, and the
    /// same budgets, of which what was spent stays spent. The old key works for `overlap` more (30 days at most, nothing
    /// ends it at once), but not past its own expiry.
    ///
    /// # Errors
    /// No such key, one that has ended or was rotated before, too long an overlap, or the database's failure.
    pub async fn rotate_key(&self, key: &KeyId, overlap: Duration, actor: &Actor) -> Result<NewKey, LedgerError> {
        if overlap > LONGEST_OVERLAP {
            let message = format!("a rotated key may go on for {} days at most", LONGEST_OVERLAP.as_secs() / 86_400);
            return Err(LedgerError::invalid(message));
        }
        let secret = KeySecret::random();
        let (key, successor, actor) = (key.clone(), nameless(&secret), actor.clone());
        let record = self.ask(|reply| Command::RotateKey { key, successor, overlap, actor, reply }).await?;
        Ok(NewKey { record, secret })
    }

    /// Ends a key for good. Revoking it again answers when that was.
    ///
    /// # Errors
    /// No such key, or the database's failure.
    pub async fn revoke_key(&self, key: &KeyId, actor: &Actor) -> Result<KeyRecord, LedgerError> {
        let (key, actor) = (key.clone(), actor.clone());
        self.ask(|reply| Command::RevokeKey { key, actor, reply }).await
    }

    /// A key, ended or not.
    ///
    /// # Errors
    /// No such key, or the database's failure.
    pub async fn key(&self, key: &KeyId) -> Result<KeyRecord, LedgerError> {
        let row = self.store().key(key.as_str()).await?;
        row.ok_or_else(|| LedgerError::not_found("key", key))?.to_record()
    }

    /// The key whose secret has this hash, ended or not; `None` when nobody made it.
    ///
    /// # Errors
    /// The database's failure.
    pub async fn find_key(&self, hash: &KeyHash) -> Result<Option<KeyRecord>, LedgerError> {
        let row = self.store().key_by_hash(&hash.to_hex()).await?;
        row.as_ref().map(KeyFields::to_record).transpose()
    }

    /// The keys of an account, or with `None` of all accounts, oldest first, ended ones among them; 10 000 at
    /// most.
    ///
    /// # Errors
    /// The database's failure. An unknown account has no keys.
    pub async fn list_keys(&self, account: Option<&AccountId>) -> Result<Vec<KeyRecord>, LedgerError> {
        let rows = self.store().keys(account.map(AccountId::as_str), MOST).await?;
        rows.iter().map(KeyFields::to_record).collect()
    }

    /// Adds a person to a customer's account, or changes their role and name (at most 200 bytes, no control
    /// characters; may be empty).
    ///
    /// # Errors
    /// An impossible name, no such customer account, more than 1000 members, an account's last owner made
    /// something else, or the database's failure.
    pub async fn put_member(
        &self,
        account: &AccountId,
        subject: &SubjectId,
        role: Role,
        name: &str,
        actor: &Actor,
    ) -> Result<Member, LedgerError> {
        let member = MemberRow {
            account: account.as_str().to_owned(),
            subject: subject.as_str().to_owned(),
            role: role.as_str().to_owned(),
            name: text::checked("member's name", name, text::NAME_BYTES)?,
            created_at: 0, // the batch's time
        };
        let actor = actor.clone();
        self.ask(|reply| Command::PutMember { member, actor, reply }).await
    }

    /// Takes a person off an account; answers what they were.
    ///
    /// # Errors
    /// No such member, the account's last owner, or the database's failure.
    pub async fn remove_member(
        &self,
        account: &AccountId,
        subject: &SubjectId,
        actor: &Actor,
    ) -> Result<Member, LedgerError> {
        let (account, subject, actor) = (account.clone(), subject.clone(), actor.clone());
        self.ask(|reply| Command::RemoveMember { account, subject, actor, reply }).await
    }

    /// The members of an account, in the order of their subjects.
    ///
    /// # Errors
    /// The database's failure. An unknown account has no members.
    pub async fn members(&self, account: &AccountId) -> Result<Vec<Member>, LedgerError> {
        let rows = self.store().members(account.as_str(), MOST).await?;
        rows.iter().map(MemberFields::to_member).collect()
    }

    /// A person's place on every account, in the order of the accounts; 10 000 at most.
    ///
    /// # Errors
    /// The database's failure. An unknown person is nowhere a member.
    pub async fn memberships(&self, subject: &SubjectId) -> Result<Vec<Member>, LedgerError> {
        let rows = self.store().memberships(subject.as_str(), MOST).await?;
        rows.iter().map(MemberFields::to_member).collect()
    }
}

/// A new key's row as far as its secret goes; the rest is for the caller and the batch to fill in.
fn nameless(secret: &KeySecret) -> KeyRow {
    let id: String = KeyId::random().into();
    KeyRow {
        root: id.clone(),
        id,
        account: String::new(),
        name: String::new(),
        prefix: secret.shown_prefix(),
        sha256: KeyHash::of(secret.expose()).to_hex(),
        created_at: 0, // the batch's time
        revoked_at: None,
        policy: String::new(),
        replaced_by: None,
    }
}
