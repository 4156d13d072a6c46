//! Which rows a batch can touch, and the books made of those that are there.

use std::collections::{BTreeMap, HashMap};

use peerway_billing_store::{FirstDays, HookRow, Loaded, MemberRow, PartRow, Wanted};

use super::payments::name_of;
use super::{Books, Tracked};
use crate::calendar::{self, Window};
use crate::clock::Timestamp;
use crate::id::AccountId;
use crate::ledger::command::Command;
use crate::ledger::rows::head_of;
use crate::ledger::types::{Deposit, Dispute, Refund, platform};

/// What the commands of a batch name.
pub(super) fn wanted(now: i64, commands: &[Command]) -> Wanted {
    let mut wanted = Wanted { now, ..Wanted::default() };
    wanted.accounts.insert(AccountId::platform_fees().into());
    wanted.accounts.insert(AccountId::platform_grants().into());
    for command in commands {
        wanted.add(command);
    }
    if !wanted.budgets.is_empty() {
        let first = |window: Window| calendar::day(window.start(Timestamp::from_millis(now)));
        wanted.since = FirstDays { day: first(Window::Day), week: first(Window::Week), month: first(Window::Month) };
    }
    if !wanted.moves.is_empty() {
        wanted.accounts.extend(platform::PLATFORM.iter().map(|account| account.id.to_owned()));
    }
    wanted
}

/// Names of one kind of row.
trait Names {
    fn add(&mut self, command: &Command);
    fn account(&mut self, id: &str);
    fn hold(&mut self, id: &str);
}

impl Names for Wanted {
    fn add(&mut self, command: &Command) {
        match command {
            Command::OpenAccount { id: account, .. } | Command::Freeze { account, .. } => {
                self.account(account.as_str());
            }
            Command::Credit { credit, .. } => {
                self.account(credit.account.as_str());
                self.references.insert(credit.reference.as_str().to_owned());
            }
            Command::Deposit { deposit: Deposit { account, reference, .. }, .. }
            | Command::Refund { refund: Refund { account, reference, .. }, .. }
            | Command::Dispute { dispute: Dispute { account, reference, .. }, .. } => {
                self.account(account.as_str());
                self.moves.insert(reference.as_str().to_owned());
            }
            Command::EndRefund { refund: reference, .. } | Command::EndDispute { dispute: reference, .. } => {
                self.moves.insert(reference.as_str().to_owned());
            }
            Command::Hold { hold, .. } => {
                self.account(hold.account.as_str());
                self.hold(hold.id.as_str());
            }
            Command::Extend { extend, .. } => self.hold(extend.hold.as_str()),
            Command::Renew { holds, .. } => holds.iter().for_each(|hold| self.hold(hold.as_str())),
            Command::Capture { captures, .. } => {
                for capture in captures {
                    self.hold(capture.hold.as_str());
                    self.requests.insert(capture.request.as_str().to_owned());
                    for part in capture.charge.parts() {
                        self.accounts.insert(AccountId::of_operator(&part.operator).into());
                    }
                }
            }
            Command::Shrink { parts, .. } => parts.iter().for_each(|(hold, _)| self.hold(hold.as_str())),
            Command::Release { hold, .. } => self.hold(hold.as_str()),
            Command::ReleaseOwner { owner, .. } => drop(self.owners.insert(owner.as_str().to_owned())),
            Command::PutHook { hook: HookRow { account, .. }, .. } => {
                self.account(account);
                self.hooks.insert(account.clone());
            }
            Command::RemoveHook { account, .. } => {
                self.account(account.as_str());
                self.hooks.insert(account.as_str().to_owned());
            }
            Command::RaiseAlerts { alerts, .. } => self.alerts.extend(alerts.iter().map(|alert| alert.id.clone())),
            Command::StepAlert { step, .. } => drop(self.alerts.insert(step.id.clone())),
            Command::TakeOver { owner, .. } => drop(self.epochs.insert(owner.as_str().to_owned())),
            Command::InTenure { tenure, command } => {
                self.epochs.insert(tenure.owner.as_str().to_owned());
                self.add(command);
            }
            Command::Share { share, .. } => {
                self.budgets.insert(share.scope.to_string(), share.scope.spender());
            }
            Command::KeepShares { .. }
            | Command::Sweep { .. }
            | Command::KeepNodes { .. }
            | Command::KeepCheckpoint { .. } => {}
            Command::CreateKey { key, .. } => self.account(&key.account),
            Command::UpdateKey { key, .. } | Command::RotateKey { key, .. } | Command::RevokeKey { key, .. } => {
                self.keys.insert(key.as_str().to_owned());
            }
            Command::PutMember { member: MemberRow { account, .. }, .. } => {
                self.account(account);
                self.peopled.insert(account.clone());
            }
            Command::RemoveMember { account, .. } => {
                self.account(account.as_str());
                self.peopled.insert(account.as_str().to_owned());
            }
        }
    }

    fn account(&mut self, id: &str) {
        self.accounts.insert(id.to_owned());
    }

    fn hold(&mut self, id: &str) {
        self.holds.insert(id.to_owned());
    }
}

impl Books {
    /// The books of a batch that is decided at `now`.
    pub(super) fn of(now: i64, loaded: Loaded) -> Self {
        let Loaded { head, accounts, holds, owners, charges, parts, credits, moves, keys, members, hooks, .. } = loaded;
        let Loaded { alerts, shares, spent, .. } = loaded;
        Self {
            now,
            head: head_of(head),
            accounts: by(accounts, |row| row.id.clone()),
            holds: by(holds, |row| row.id.clone()),
            owners: by(owners, |row| row.owner.clone()),
            keys: by(keys, |row| row.id.clone()),
            members: members
                .into_iter()
                .map(|row| ((row.account.clone(), row.subject.clone()), Tracked::clean(Some(row))))
                .collect(),
            charges: charges.into_iter().map(|row| (row.request_id.clone(), row)).collect(),
            parts: by_transfer(parts),
            credits: credits.into_iter().map(|row| (row.reference.clone(), row)).collect(),
            moves: moves.into_iter().map(|past| (name_of(&past), past)).collect(),
            hooks: hooks.into_iter().map(|row| (row.account.clone(), Tracked::clean(Some(row)))).collect(),
            alerts: by(alerts, |row| row.id.clone()),
            shares: shares
                .into_iter()
                .map(|row| ((row.scope.clone(), row.owner.clone()), Tracked::clean(row)))
                .collect(),
            spent: spent.into_iter().collect(),
            swept: 0,
            sweeps: false,
            new_transfers: Vec::new(),
            new_entries: Vec::new(),
            new_charges: Vec::new(),
            new_parts: Vec::new(),
            new_nodes: Vec::new(),
            new_checkpoints: Vec::new(),
            new_days: BTreeMap::new(),
        }
    }
}

/// Parts of charges, by their transfer.
pub(in crate::ledger) fn by_transfer(rows: Vec<PartRow>) -> HashMap<i64, Vec<PartRow>> {
    let mut parts: HashMap<i64, Vec<PartRow>> = HashMap::new();
    for row in rows {
        parts.entry(row.transfer).or_default().push(row);
    }
    parts
}

fn by<T>(rows: Vec<T>, key: impl Fn(&T) -> String) -> HashMap<String, Tracked<T>> {
    rows.into_iter().map(|row| (key(&row), Tracked::clean(row))).collect()
}
