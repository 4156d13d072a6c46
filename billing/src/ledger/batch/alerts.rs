//! Hooks for alerts, and alerts: raised once, and told by one at a time.

use sha2::{Digest, Sha256};

use super::audit::{Hooked, Plain, note};
use super::{Books, Draft, Tracked};
use crate::access::Actor;
use crate::error::LedgerError;
use crate::id::AccountId;
use crate::ledger::command::AlertStep;
use crate::ledger::rows::{AlertRow, HookRow};
use crate::ledger::statement::HookFields;
use crate::ledger::types::{Action, AlertHook, AlertState};

/// What the log says of a hook, read: account, and unless it was removed url, budgets and the secret's hash.
pub(in crate::ledger) type LoggedHook = (String, Option<(String, String, String)>);

/// What the log has of a secret.
pub(in crate::ledger) fn secret_hash(secret: &str) -> String {
    hex::encode(Sha256::digest(secret))
}

impl Books {
    pub(super) fn put_hook(&mut self, new: HookRow, actor: &Actor) -> Result<AlertHook, LedgerError> {
        self.customer(&new.account)?;
        let row = HookRow { created_at: self.now, ..new };
        let hook = row.to_hook()?;
        let detail = Hooked { url: &row.url, budgets: &hook.budgets };
        let audit = note(&row.account, actor, Action::AlertsChanged, &row.account, &detail)?;
        let memo = serde_json::json!([row.account, [row.url, row.budgets, secret_hash(&row.secret)]]).to_string();
        let reference = format!("{}#{}", row.account, self.head.seq + 1);
        self.post(Draft { kind: "alert_hook", reference, memo, audit: Some(audit), ..Draft::default() })?;
        self.hooks.insert(row.account.clone(), Tracked::new(Some(row)));
        Ok(hook)
    }

    /// Answers the hook as it was.
    pub(super) fn remove_hook(&mut self, account: &AccountId, actor: &Actor) -> Result<AlertHook, LedgerError> {
        let hook = self.hooks.get(account.as_str()).and_then(|hook| hook.row.as_ref());
        let hook = hook.ok_or_else(|| LedgerError::not_found("alert hook", account))?.to_hook()?;
        let audit = note(account.as_str(), actor, Action::AlertsRemoved, account.as_str(), &Plain {})?;
        let memo = serde_json::json!([account, null]).to_string();
        let reference = format!("{account}#{}", self.head.seq + 1);
        self.post(Draft { kind: "alert_hook", reference, memo, audit: Some(audit), ..Draft::default() })?;
        self.hooks.insert(account.as_str().to_owned(), Tracked::new(None));
        Ok(hook)
    }

    /// Alerts that were raised before stay as they are. Answers how many are new.
    pub(super) fn raise(&mut self, alerts: Vec<AlertRow>) -> u64 {
        let mut raised = 0;
        for alert in alerts {
            if !self.alerts.contains_key(&alert.id) {
                self.alerts.insert(alert.id.clone(), Tracked::new(alert));
                raised += 1;
            }
        }
        raised
    }

    /// Moves an alert on, if it is still due since then; answers whether it was.
    pub(super) fn step_alert(&mut self, step: &AlertStep) -> Result<bool, LedgerError> {
        let alert = self.alerts.get_mut(&step.id).ok_or_else(|| LedgerError::not_found("alert", &step.id))?;
        if alert.row.state != AlertState::Due.as_str() || alert.row.next_at != step.due_at {
            return Ok(false);
        }
        let row = alert.change();
        row.state = step.state.as_str().to_owned();
        row.next_at = step.next_at;
        row.attempts = row.attempts.saturating_add(i64::from(step.counts));
        Ok(true)
    }
}
