//! Budgets that are being used up: noticed, and told to their account.
//!
//! An alert is a row before it is told, so that a restart forgets none and tells none twice for having forgotten. It is
//! told at least once: who tells may die between telling and noting it.

use peerway_billing_store::{FirstDays, Sums};

use super::api::Ledger;
use super::command::{AlertStep, Command};
use super::rows::{AlertRow, HookRow, KeyFields};
use super::statement::{AlertFields, HookFields, alert_row};
use super::types::{ALERT_LEVELS, Alert, AlertHook, AlertScope, AlertState, DueAlert};
use crate::access::{Actor, BudgetLimits, KeyPolicy};
use crate::calendar::{self, Window};
use crate::clock::Timestamp;
use crate::error::LedgerError;
use crate::id::{AccountId, KeyId};
use crate::money::Nanos;
use crate::text;

/// Hooks that are looked at in one go.
const PAGE: i64 = 100;
/// Keys of one account whose budgets are watched.
const KEYS: i64 = 1000;
/// Bytes of a URL.
const URL_BYTES: usize = 2048;

/// Spent in each window, shortest first, as [`Window::ALL`].
type Spent = [i64; 4];

impl Ledger {
    /// Sets where an account is told of its budgets, instead of where it was told before. Whether the URL may be asked is
    /// for the caller to check. The secret signs what is told; it is kept as it is, because signing needs it.
    ///
    /// # Errors
    /// No such customer account, an impossible URL or budget, or the database's failure.
    pub async fn put_alert_hook(
        &self,
        account: &AccountId,
        url: &str,
        budgets: BudgetLimits,
        secret: &str,
        actor: &Actor,
    ) -> Result<AlertHook, LedgerError> {
        KeyPolicy { budgets, ..KeyPolicy::default() }.checked()?;
        let hook = HookRow {
            account: account.as_str().to_owned(),
            url: text::checked("url", url, URL_BYTES)?,
            secret: secret.to_owned(),
            budgets: serde_json::to_string(&budgets)?,
            created_at: 0,
        };
        let actor = actor.clone();
        self.ask(|reply| Command::PutHook { hook, actor, reply }).await
    }

    /// Ends telling; answers the hook as it was.
    ///
    /// # Errors
    /// No such hook, or the database's failure.
    pub async fn remove_alert_hook(&self, account: &AccountId, actor: &Actor) -> Result<AlertHook, LedgerError> {
        let (account, actor) = (account.clone(), actor.clone());
        self.ask(|reply| Command::RemoveHook { account, actor, reply }).await
    }

    /// Where an account is told; `None` for nowhere.
    ///
    /// # Errors
    /// The database's failure.
    pub async fn alert_hook(&self, account: &AccountId) -> Result<Option<AlertHook>, LedgerError> {
        let row = self.store().hook(account.as_str()).await?;
        row.map(|row| row.to_hook()).transpose()
    }

    /// Looks at the budgets of every account that wants to be told, and notes those that have reached another level. Of
    /// several levels at once the highest is told. Answers how many are new.
    ///
    /// # Errors
    /// The database's failure.
    pub async fn raise_alerts(&self) -> Result<u64, LedgerError> {
        let (mut after, mut raised) = (String::new(), 0);
        loop {
            let hooks = self.store().hooks(&after, PAGE).await?;
            let Some(last) = hooks.last() else { return Ok(raised) };
            after.clone_from(&last.account);
            let mut alerts = Vec::new();
            for hook in &hooks {
                alerts.extend(self.reached(hook).await?);
            }
            if !alerts.is_empty() {
                raised += self.ask(|reply| Command::RaiseAlerts { alerts, reply }).await?;
            }
        }
    }

    /// Alerts that are to be told by now, the oldest first.
    ///
    /// # Errors
    /// The database's failure.
    pub async fn due_alerts(&self, limit: u32) -> Result<Vec<DueAlert>, LedgerError> {
        let rows = self.store().due_alerts(self.clock().now().as_millis(), limit.into()).await?;
        let due = |(row, hook): (AlertRow, HookRow)| {
            let (attempts, due_at) =
                (u32::try_from(row.attempts).unwrap_or(u32::MAX), Timestamp::from_millis(row.next_at));
            Ok(DueAlert { alert: row.to_alert()?, url: hook.url, secret: hook.secret, attempts, due_at })
        };
        rows.into_iter().map(due).collect()
    }

    /// Takes an alert to tell it, until `until`: nobody else is given it before. Answers whether it was still to be had.
    ///
    /// # Errors
    /// No such alert, or the database's failure.
    pub async fn claim_alert(&self, due: &DueAlert, until: Timestamp) -> Result<bool, LedgerError> {
        self.step(&due.alert.id, due.due_at, AlertState::Due, until, true).await
    }

    /// Notes what became of an alert that was claimed until `claimed`: it ended, or is due again at `next`.
    ///
    /// # Errors
    /// No such alert, or the database's failure.
    pub async fn settle_alert(
        &self,
        id: &str,
        claimed: Timestamp,
        state: AlertState,
        next: Timestamp,
    ) -> Result<bool, LedgerError> {
        self.step(id, claimed, state, next, false).await
    }

    async fn step(
        &self,
        id: &str,
        due_at: Timestamp,
        state: AlertState,
        next: Timestamp,
        counts: bool,
    ) -> Result<bool, LedgerError> {
        let step =
            AlertStep { id: id.to_owned(), due_at: due_at.as_millis(), state, next_at: next.as_millis(), counts };
        self.ask(|reply| Command::StepAlert { step, reply }).await
    }

    /// The levels that an account's budgets have reached, told or not.
    async fn reached(&self, hook: &HookRow) -> Result<Vec<AlertRow>, LedgerError> {
        let now = self.clock().now();
        let account = hook.to_hook()?;
        let mut reached = Vec::new();
        if !account.budgets.is_unlimited() {
            let spent = self.spent_in(&account.account, None, now).await?;
            reached.extend(levels(&account.account, &AlertScope::Account, &account.budgets, spent, now));
        }
        for row in self.store().keys(Some(account.account.as_str()), KEYS).await? {
            let key = row.to_record()?;
            let is_watched =
                !key.policy.budgets.is_unlimited() && key.revoked_at.is_none() && key.replaced_by.is_none();
            if is_watched {
                let spent = self.spent_in(&account.account, Some(&key.root), now).await?;
                let scope = AlertScope::Key(key.root);
                reached.extend(levels(&account.account, &scope, &key.policy.budgets, spent, now));
            }
        }
        Ok(reached)
    }

    async fn spent_in(&self, account: &AccountId, chain: Option<&KeyId>, now: Timestamp) -> Result<Spent, LedgerError> {
        let first = |window: Window| calendar::day(window.start(now));
        let since = FirstDays { day: first(Window::Day), week: first(Window::Week), month: first(Window::Month) };
        let Sums { total, day, week, month, .. } =
            self.store().spent_by_days(account.as_str(), chain.map(KeyId::as_str), since).await?;
        Ok([day, week, month, total])
    }
}

/// The levels that one scope's budgets have reached. Below the highest of a window they count as passed.
fn levels(
    account: &AccountId,
    scope: &AlertScope,
    budgets: &BudgetLimits,
    spent: Spent,
    now: Timestamp,
) -> Vec<AlertRow> {
    let mut rows = Vec::new();
    for (window, spent) in Window::ALL.into_iter().zip(spent) {
        let Some(budget) = budgets.of(window) else { continue };
        let reached = |level: &u8| i128::from(spent) * 100 >= i128::from(budget.as_i64()) * i128::from(*level);
        for level in ALERT_LEVELS.into_iter().filter(reached) {
            let is_highest = ALERT_LEVELS.iter().rfind(|level| reached(level)) == Some(&level);
            let alert = Alert {
                id: String::new(),
                account: account.clone(),
                scope: scope.clone(),
                window,
                since: window.start(now),
                level,
                budget,
                spent: Nanos::new(spent),
                created_at: now,
            };
            let state = if is_highest { AlertState::Due } else { AlertState::Passed };
            rows.push(alert_row(&alert, state));
        }
    }
    rows
}
