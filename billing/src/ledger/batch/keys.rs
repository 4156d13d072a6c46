//! Keys: made, changed, rotated, revoked. All of it goes into the log, so that a key that was slipped into the
//! file, or one that was given more than it had, is found.

use std::time::Duration;

use super::audit::{Change, KeyChanged, KeyMade, KeyRotated, Note, Plain, note};
use super::{Books, Draft, Tracked};
use crate::access::{Actor, KeyPolicy};
use crate::clock::Timestamp;
use crate::error::LedgerError;
use crate::id::KeyId;
use crate::key::{KeyChange, KeyRecord, KeyState};
use crate::ledger::rows::{KeyFields, KeyRow};
use crate::ledger::types::Action;

/// What the log says of a new key.
fn key_memo(key: &KeyRow) -> String {
    serde_json::json!([key.account, key.name, key.prefix, key.sha256, key.policy, key.root]).to_string()
}

/// The key that the log made. Keys of schema 1 had no policy, and got the default; they replaced none.
pub(in crate::ledger) fn made_key(id: &str, memo: &str, created_at: i64) -> Result<KeyRow, serde_json::Error> {
    type First = (String, String, String, String);
    type Present = (String, String, String, String, String, String);
    let (account, name, prefix, sha256, policy, root) = match serde_json::from_str::<Present>(memo) {
        Ok(made) => made,
        Err(_) => {
            let (account, name, prefix, sha256): First = serde_json::from_str(memo)?;
            (account, name, prefix, sha256, KeyPolicy::default().to_json()?, id.to_owned())
        }
    };
    let id = id.to_owned();
    Ok(KeyRow { id, account, name, prefix, sha256, created_at, revoked_at: None, policy, replaced_by: None, root })
}

/// What the log says of a changed or rotated key: all of it that can change.
fn change_memo(key: &KeyRow) -> String {
    serde_json::json!([key.id, key.name, key.policy, key.replaced_by]).to_string()
}

/// A [`change_memo`], read: the key's id, name, policy and successor.
pub(in crate::ledger) type ChangedKey = (String, String, String, Option<String>);

impl Books {
    fn key(&self, id: &KeyId) -> Result<&KeyRow, LedgerError> {
        self.keys.get(id.as_str()).map(|key| &key.row).ok_or_else(|| LedgerError::not_found("key", id))
    }

    pub(super) fn create_key(&mut self, key: KeyRow, actor: &Actor) -> Result<KeyRecord, LedgerError> {
        self.customer(&key.account)?;
        let key = KeyRow { created_at: self.now, ..key };
        let record = key.to_record()?;
        record.policy.expires_after(Timestamp::from_millis(self.now))?;
        let audit = made_note(&record, None, actor)?;
        self.add_key(key, audit)?;
        Ok(record)
    }

    /// A change that changes nothing is not written down.
    pub(super) fn update_key(
        &mut self,
        id: &KeyId,
        change: KeyChange,
        actor: &Actor,
    ) -> Result<KeyRecord, LedgerError> {
        let key = self.key(id)?;
        let before = key.to_record()?;
        if before.revoked_at.is_some() {
            return Err(LedgerError::KeyEnded { key: id.clone(), state: KeyState::Revoked });
        }
        let name = change.name.unwrap_or_else(|| before.name.clone());
        let policy = change.policy.unwrap_or_else(|| before.policy.clone());
        if let Some(by) = before.replaced_by.clone().filter(|_| ends_later(&policy, &before.policy)) {
            return Err(LedgerError::KeyReplaced { key: id.clone(), by });
        }
        if policy.expires_at != before.policy.expires_at {
            policy.expires_after(Timestamp::from_millis(self.now))?;
        }
        let detail = KeyChanged {
            name: Change::of(before.name.as_str(), name.as_str()),
            policy: Change::of(&before.policy, &policy),
        };
        if detail.name.is_none() && detail.policy.is_none() {
            return Ok(before);
        }
        let audit = note(before.account.as_str(), actor, Action::KeyChanged, id.as_str(), &detail)?;
        let changed = KeyRow { name, policy: policy.to_json()?, ..key.clone() };
        self.change_key(changed, audit)
    }

    /// Puts `successor`, of which only id, prefix and hash are looked at, in the place of a key that works.
    /// Answers the successor, whose root is that of the key it replaces.
    pub(super) fn rotate_key(
        &mut self,
        id: &KeyId,
        successor: KeyRow,
        overlap: Duration,
        actor: &Actor,
    ) -> Result<KeyRecord, LedgerError> {
        let now = Timestamp::from_millis(self.now);
        let old = self.key(id)?;
        let before = old.to_record()?;
        let state = before.state(now);
        if state != KeyState::Active {
            return Err(LedgerError::KeyEnded { key: id.clone(), state });
        }
        if let Some(by) = before.replaced_by {
            return Err(LedgerError::KeyReplaced { key: id.clone(), by });
        }
        let successor = KeyRow { id: successor.id, prefix: successor.prefix, sha256: successor.sha256, ..old.clone() };
        let successor = KeyRow { created_at: self.now, root: old.root.clone(), ..successor };
        let record = successor.to_record()?;

        let end = now.after(overlap);
        let expires_at = Some(before.policy.expires_at.map_or(end, |expires_at| expires_at.min(end)));
        let detail = KeyRotated { replaced_by: &record.id, expires_at };
        let rotated = note(before.account.as_str(), actor, Action::KeyRotated, id.as_str(), &detail)?;
        let policy = KeyPolicy { expires_at, ..before.policy }.to_json()?;
        let old = KeyRow { policy, replaced_by: Some(successor.id.clone()), ..old.clone() };

        let made = made_note(&record, Some(id), actor)?;
        self.add_key(successor, made)?;
        self.change_key(old, rotated)?;
        Ok(record)
    }

    /// Revoking a revoked key answers when it was revoked first.
    pub(super) fn revoke_key(&mut self, id: &KeyId, actor: &Actor) -> Result<KeyRecord, LedgerError> {
        let key = self.key(id)?;
        if key.revoked_at.is_some() {
            return key.to_record();
        }
        let audit = Some(note(&key.account, actor, Action::KeyRevoked, id.as_str(), &Plain {})?);
        let revoked = KeyRow { revoked_at: Some(self.now), ..key.clone() };
        self.post(Draft { kind: "revoke", reference: id.as_str().to_owned(), audit, ..Draft::default() })?;
        self.keep_key(revoked)
    }

    fn add_key(&mut self, key: KeyRow, audit: Note) -> Result<(), LedgerError> {
        let (reference, memo) = (key.id.clone(), key_memo(&key));
        self.post(Draft { kind: "key", reference, memo, audit: Some(audit), ..Draft::default() })?;
        self.keys.insert(key.id.clone(), Tracked::new(key));
        Ok(())
    }

    fn change_key(&mut self, key: KeyRow, audit: Note) -> Result<KeyRecord, LedgerError> {
        let (reference, memo) = (format!("{}#{}", key.id, self.head.seq + 1), change_memo(&key));
        self.post(Draft { kind: "key_change", reference, memo, audit: Some(audit), ..Draft::default() })?;
        self.keep_key(key)
    }

    fn keep_key(&mut self, key: KeyRow) -> Result<KeyRecord, LedgerError> {
        let record = key.to_record()?;
        self.keys.insert(key.id.clone(), Tracked::new(key));
        Ok(record)
    }
}

/// Whether a key lives longer with this policy than with that one.
fn ends_later(policy: &KeyPolicy, than: &KeyPolicy) -> bool {
    than.expires_at.is_some_and(|end| policy.expires_at.is_none_or(|expires_at| expires_at > end))
}

fn made_note(key: &KeyRecord, replaces: Option<&KeyId>, actor: &Actor) -> Result<Note, LedgerError> {
    let detail = KeyMade { name: &key.name, prefix: &key.prefix, policy: &key.policy, replaces };
    note(key.account.as_str(), actor, Action::KeyCreated, key.id.as_str(), &detail)
}
