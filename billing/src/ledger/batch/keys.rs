//! Keys: made and revoked. Both go into the log, so that a key that was slipped into the file is found.

use super::{Books, Tracked};
use crate::error::LedgerError;
use crate::id::KeyId;
use crate::key::KeyRecord;
use crate::ledger::rows::KeyRow;

/// What the log says of a key.
pub(in crate::ledger) fn key_memo(key: &KeyRow) -> String {
    serde_json::json!([key.account, key.name, key.prefix, key.sha256]).to_string()
}

impl Books {
    pub(super) fn create_key(&mut self, key: KeyRow) -> Result<KeyRecord, LedgerError> {
        self.customer(&key.account)?;
        let key = KeyRow { created_at: self.now, ..key };
        self.post("key", key.id.clone(), key_memo(&key), &[], None)?;
        let record = key.to_record();
        self.keys.insert(key.id.clone(), Tracked::new(key));
        Ok(record)
    }

    /// Revoking a revoked key answers when it was revoked first.
    pub(super) fn revoke_key(&mut self, id: &KeyId) -> Result<KeyRecord, LedgerError> {
        let missing = || LedgerError::not_found("key", id);
        if self.keys.get(id.as_str()).ok_or_else(missing)?.row.revoked_at.is_none() {
            self.post("revoke", id.as_str().to_owned(), String::new(), &[], None)?;
            let now = self.now;
            self.keys.get_mut(id.as_str()).ok_or_else(missing)?.change().revoked_at = Some(now);
        }
        Ok(self.keys.get(id.as_str()).ok_or_else(missing)?.row.to_record())
    }
}
