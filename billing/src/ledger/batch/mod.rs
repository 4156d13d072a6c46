//! One batch: everything that was waiting, decided in order inside one transaction.
//!
//! 1. `load` names every row that a command of the batch can touch; the database reads them.
//! 2. `accounts`, `payments`, `holds`, `owners`, `captures`, `shares`, `keys`, `members` decide the commands one after another on those rows in
//!    memory, and `audit` words what somebody asked for.
//! 3. `store` tells the database what changed.
//!
//! A command checks everything before it changes anything, so one that fails leaves no trace.

mod accounts;
mod alerts;
mod audit;
mod captures;
mod holds;
mod keys;
mod load;
mod members;
mod owners;
mod payments;
mod shares;
mod store;

pub(super) use accounts::opening_memo;
pub(super) use alerts::{LoggedHook, secret_hash};
pub(super) use keys::{ChangedKey, made_key};
pub(super) use load::by_transfer;
pub(super) use members::LoggedMember;
pub(super) use owners::LoggedTakeOver;

use std::collections::{BTreeMap, HashMap};

use peerway_billing_store::{OwnerRow, PastCredit, PastMove, Store, Sums};

use audit::Note;
use payments::MoveName;

use super::chain;
use super::checkpoints::row_of;
use super::command::{Command, Settle, settle};
use super::rows::{
    AccountRow, AlertRow, ChargeRow, CheckpointRow, DayRow, EntryRow, HoldFields, HoldRow, HookRow, KeyRow, MemberRow,
    NodeRow, PartRow, ShareRow, TransferRow,
};
use super::statement::{DayFields, DayPlace, day_of};
use super::types::{Head, HoldState};
use crate::clock::Timestamp;
use crate::error::LedgerError;

/// A row in memory, and whether the file must learn of it.
struct Tracked<T> {
    row: T,
    dirty: bool,
}

impl<T> Tracked<T> {
    fn clean(row: T) -> Self {
        Self { row, dirty: false }
    }

    fn new(row: T) -> Self {
        Self { row, dirty: true }
    }

    fn change(&mut self) -> &mut T {
        self.dirty = true;
        &mut self.row
    }
}

/// A transfer to append. Its sums are zero; most changes of access have no lines at all.
#[derive(Default)]
struct Draft<'a> {
    kind: &'static str,
    /// What of that kind: the log takes each one once.
    reference: String,
    /// What `verify` needs to know of it.
    memo: String,
    lines: &'a [(&'a str, i64)],
    charge: Option<ChargeRow>,
    /// The parts of the charge, where several nodes delivered.
    parts: Vec<PartRow>,
    /// Who asked for it; `None` where nobody did.
    audit: Option<Note>,
}

/// The rows that a batch works on, and what it adds to the log.
struct Books {
    now: i64,
    head: Head,
    accounts: HashMap<String, Tracked<AccountRow>>,
    holds: HashMap<String, Tracked<HoldRow>>,
    owners: HashMap<String, Tracked<OwnerRow>>,
    keys: HashMap<String, Tracked<KeyRow>>,
    /// By account and subject, all members of the accounts that a command may change; `None` once removed.
    members: BTreeMap<(String, String), Tracked<Option<MemberRow>>>,
    /// By account; `None` once removed.
    hooks: HashMap<String, Tracked<Option<HookRow>>>,
    alerts: HashMap<String, Tracked<AlertRow>>,
    charges: HashMap<String, ChargeRow>,
    /// The parts of those charges that have some, by their transfer.
    parts: HashMap<i64, Vec<PartRow>>,
    credits: HashMap<String, PastCredit>,
    /// Payments, refunds and disputes that are in the log, by kind and reference.
    moves: HashMap<MoveName, PastMove>,
    /// By scope and owner; gone once it is of nothing.
    shares: HashMap<(String, String), Tracked<ShareRow>>,
    /// What was spent of the budgets that are asked for, by scope.
    spent: HashMap<String, Sums>,
    swept: u64,
    /// Whether what has expired is to be forgotten.
    sweeps: bool,
    new_transfers: Vec<TransferRow>,
    new_entries: Vec<EntryRow>,
    new_charges: Vec<ChargeRow>,
    new_parts: Vec<PartRow>,
    new_nodes: Vec<NodeRow>,
    new_checkpoints: Vec<CheckpointRow>,
    /// What those charges add to their days.
    new_days: BTreeMap<DayPlace, DayRow>,
}

/// Decides `commands` in order and commits. Emptied commands have their answer in `settles`; on an error the
/// transaction is rolled back, and neither vector may be answered with success.
pub(crate) async fn run(
    store: &dyn Store,
    now: Timestamp,
    commands: &mut Vec<Command>,
    settles: &mut Vec<Settle>,
) -> Result<(), LedgerError> {
    let wanted = load::wanted(now.as_millis(), commands);
    let (loaded, transaction) = store.begin(&wanted).await?;
    let mut books = Books::of(wanted.now, loaded);
    books.sweep();
    settles.extend(commands.drain(..).map(|command| books.decide(command)));
    Ok(transaction.commit(&books.into_changes()).await?)
}

impl Books {
    fn decide(&mut self, command: Command) -> Settle {
        match command {
            Command::OpenAccount { id, name, actor, reply } => settle(reply, self.open_account(&id, name, &actor)),
            Command::Freeze { account, frozen, actor, reply } => settle(reply, self.freeze(&account, frozen, &actor)),
            Command::Credit { credit, actor, reply } => settle(reply, self.credit(&credit, &actor)),
            Command::Deposit { deposit, actor, reply } => settle(reply, self.deposit(&deposit, &actor)),
            Command::Refund { refund, actor, reply } => settle(reply, self.refund(&refund, &actor)),
            Command::EndRefund { refund, end, actor, reply } => settle(reply, self.end_refund(&refund, end, &actor)),
            Command::Dispute { dispute, actor, reply } => settle(reply, self.dispute(&dispute, &actor)),
            Command::EndDispute { dispute, end, actor, reply } => {
                settle(reply, self.end_dispute(&dispute, end, &actor))
            }
            Command::Hold { hold, reply } => settle(reply, self.hold(&hold)),
            Command::Extend { extend, reply } => settle(reply, self.extend(&extend)),
            Command::Renew { holds, expires_at, reply } => settle(reply, Ok(self.renew(holds, expires_at))),
            Command::Shrink { parts, reply } => {
                self.shrink(&parts);
                settle(reply, Ok(()))
            }
            Command::Capture { captures, reply } => {
                let answers = captures.iter().map(|capture| self.capture(capture)).collect();
                settle(reply, Ok(answers))
            }
            Command::Release { hold, reply } => settle(reply, self.release(&hold)),
            Command::ReleaseOwner { owner, reply } => settle(reply, Ok(self.release_owner(&owner))),
            Command::TakeOver { owner, reply } => settle(reply, self.take_over(&owner)),
            Command::InTenure { tenure, command } => self.decide_for(&tenure, *command),
            Command::Share { share, reply } => settle(reply, Ok(self.share(&share))),
            Command::KeepShares { shares, reply } => {
                shares.into_iter().for_each(|share| self.keep_share(share));
                settle(reply, Ok(()))
            }
            Command::Sweep { reply } => {
                self.sweeps = true;
                settle(reply, Ok(self.swept))
            }
            Command::PutHook { hook, actor, reply } => settle(reply, self.put_hook(hook, &actor)),
            Command::RemoveHook { account, actor, reply } => settle(reply, self.remove_hook(&account, &actor)),
            Command::RaiseAlerts { alerts, reply } => settle(reply, Ok(self.raise(alerts))),
            Command::StepAlert { step, reply } => settle(reply, self.step_alert(&step)),
            Command::KeepNodes { nodes, reply } => {
                self.new_nodes.extend(nodes);
                settle(reply, Ok(()))
            }
            Command::KeepCheckpoint { checkpoint, reply } => {
                self.new_checkpoints.push(row_of(checkpoint));
                settle(reply, Ok(()))
            }
            Command::CreateKey { key, actor, reply } => settle(reply, self.create_key(key, &actor)),
            Command::UpdateKey { key, change, actor, reply } => settle(reply, self.update_key(&key, change, &actor)),
            Command::RotateKey { key, successor, overlap, actor, reply } => {
                settle(reply, self.rotate_key(&key, successor, overlap, &actor))
            }
            Command::RevokeKey { key, actor, reply } => settle(reply, self.revoke_key(&key, &actor)),
            Command::PutMember { member, actor, reply } => settle(reply, self.put_member(member, &actor)),
            Command::RemoveMember { account, subject, actor, reply } => {
                settle(reply, self.remove_member(&account, &subject, &actor))
            }
        }
    }

    /// Ends holds that are past their expiry. Done first in every batch, so that `held` is exact in memory.
    fn sweep(&mut self) {
        let overdue = |hold: &HoldRow| hold.is_open() && hold.expires_at <= self.now;
        let ids: Vec<String> =
            self.holds.values().filter(|hold| overdue(&hold.row)).map(|hold| hold.row.id.clone()).collect();
        for id in &ids {
            self.end_hold(id, HoldState::Expired);
            self.swept += 1;
        }
    }

    /// Appends one transfer to the log and moves the balances. Lines of zero are left out.
    fn post(&mut self, draft: Draft<'_>) -> Result<i64, LedgerError> {
        let Draft { kind, reference, memo, lines, charge, mut parts, audit } = draft;
        debug_assert_eq!(lines.iter().map(|(_, amount)| i128::from(*amount)).sum::<i128>(), 0);
        let mut balances = Vec::with_capacity(lines.len());
        for (account, amount) in lines {
            let row = &self.accounts.get(*account).ok_or_else(|| LedgerError::not_found("account", account))?.row;
            balances.push(row.balance.checked_add(*amount).ok_or(crate::money::Overflow)?);
        }
        let seq = self.head.seq + 1;
        let mut entries = Vec::with_capacity(lines.len());
        for ((account, amount), balance) in lines.iter().zip(balances).filter(|((_, amount), _)| *amount != 0) {
            let line = i64::try_from(entries.len()).unwrap_or(i64::MAX);
            entries.push(EntryRow { transfer: seq, line, account: (*account).to_owned(), amount: *amount });
            if let Some(row) = self.accounts.get_mut(*account) {
                row.change().balance = balance;
            }
        }
        let prev_hash = self.head.hash.clone();
        let (audit_account, audit) = audit.map(|note| (note.account, note.json)).unzip();
        let mut transfer = TransferRow {
            seq,
            kind: kind.to_owned(),
            reference,
            memo,
            created_at: self.now,
            prev_hash,
            hash: String::new(),
            audit_account,
            audit,
        };
        let charge = charge.map(|charge| ChargeRow { transfer: seq, ..charge });
        parts.iter_mut().for_each(|part| part.transfer = seq);
        transfer.hash = chain::link(&transfer, &entries, charge.as_ref(), &parts);
        self.head = Head { seq, hash: transfer.hash.clone() };
        self.new_transfers.push(transfer);
        self.new_entries.extend(entries);
        if let Some(charge) = charge {
            let day = day_of(&charge);
            self.new_days.entry(day.place()).and_modify(|sum| sum.add(&day)).or_insert(day);
            self.charges.insert(charge.request_id.clone(), charge.clone());
            self.new_charges.push(charge);
        }
        if !parts.is_empty() {
            self.new_parts.extend(parts.iter().cloned());
            self.parts.insert(seq, parts);
        }
        Ok(seq)
    }
}
