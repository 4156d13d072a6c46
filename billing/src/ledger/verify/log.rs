//! Walks the log once, checks each transfer by itself, and adds up what all of them say.

use std::collections::{BTreeMap, HashMap};

use peerway_billing_store::{Snapshot, StoreError};

use super::payments::{Effect, Payments};
use super::tree::Tree;
use super::{Check, VerifyReport, charges};
use crate::ledger::batch::{ChangedKey, LoggedHook, LoggedMember, LoggedTakeOver, made_key};
use crate::ledger::chain;
use crate::ledger::export::{Posting, page};
use crate::ledger::rows::{ChargeRow, DayRow, EntryRow, KeyRow, MemberRow, PartRow, TransferRow};
use crate::ledger::statement::{DayFields, DayPlace, day_of};
use crate::ledger::types::{DisputeEnd, Head};

/// An account as the log tells it.
#[derive(Default)]
pub(super) struct LoggedAccount {
    /// Opening memo and time; `None` until it is opened.
    pub(super) opened: Option<(String, i64)>,
    pub(super) frozen: bool,
    /// Disputes that have not ended.
    pub(super) disputes: i64,
    pub(super) balance: i128,
}

/// What the whole log adds up to.
#[derive(Default)]
pub(super) struct Totals {
    pub(super) accounts: HashMap<String, LoggedAccount>,
    pub(super) keys: HashMap<String, KeyRow>,
    /// The epoch of each owner, and when it began.
    pub(super) owners: HashMap<String, (i64, i64)>,
    /// By account and subject.
    pub(super) members: BTreeMap<(String, String), MemberRow>,
    /// What charges took out of holds that were open.
    pub(super) captured: HashMap<String, i128>,
    payments: Payments,
    /// By account, what the log says of its hook, and when it was set.
    pub(super) hooks: BTreeMap<String, ((String, String, String), i64)>,
    /// What charges add up to by day.
    pub(super) days: BTreeMap<DayPlace, DayRow>,
}

pub(super) async fn walk(snapshot: &mut dyn Snapshot, report: &mut VerifyReport) -> Result<Totals, StoreError> {
    let mut totals = Totals::default();
    let mut tree = Tree::new(snapshot, report).await?;
    let mut after = i64::MIN;
    loop {
        let page = page(snapshot, after).await?;
        for posting in &page.postings {
            check_link(posting, report);
            check_sum(posting, report);
            check_charge(posting, report);
            totals.add(posting, report);
            tree.add(&posting.transfer, report);
            let TransferRow { seq, hash, .. } = &posting.transfer;
            report.head = Head { seq: *seq, hash: hash.clone() };
            report.transfers += 1;
        }
        if let Some(EntryRow { transfer, line, .. }) = page.stray_entries.first() {
            report.find(Check::Sums, format!("entry {transfer}/{line}"), "belongs to no transfer");
        }
        if let Some(ChargeRow { request_id, transfer, .. }) = page.stray_charges.first() {
            report.find(
                Check::Charges,
                format!("charge {request_id}"),
                format!("its transfer {transfer} does not exist"),
            );
        }
        if let Some(PartRow { transfer, part, .. }) = page.stray_parts.first() {
            report.find(Check::Charges, format!("part {transfer}/{part}"), "belongs to no transfer");
        }
        if !page.goes_on {
            tree.end(snapshot, report).await?;
            return Ok(totals);
        }
        after = report.head.seq;
    }
}

/// `report.head` is still the link before.
fn check_link(posting: &Posting, report: &mut VerifyReport) {
    let TransferRow { seq, prev_hash, hash, .. } = &posting.transfer;
    let place = format!("transfer {seq}");
    if *seq != report.head.seq + 1 {
        report.find(Check::Chain, place, format!("follows transfer {}: some are missing", report.head.seq));
    } else if *prev_hash != report.head.hash {
        report.find(Check::Chain, place, "is not chained to the transfer before it");
    } else if chain::link(&posting.transfer, &posting.entries, posting.charge.as_ref(), &posting.parts) != *hash {
        report.find(Check::Chain, place, "was changed: its hash is not that of its fields, entries, charge and parts");
    }
}

fn check_sum(posting: &Posting, report: &mut VerifyReport) {
    let sum: i128 = posting.entries.iter().map(|entry| i128::from(entry.amount)).sum();
    if sum != 0 {
        report.find(Check::Sums, format!("transfer {}", posting.transfer.seq), format!("its entries sum to {sum}"));
    }
}

fn check_charge(posting: &Posting, report: &mut VerifyReport) {
    let transfer = &posting.transfer;
    let place = format!("transfer {}", transfer.seq);
    match (&posting.charge, transfer.kind == "charge") {
        (None, false) => {}
        (None, true) => report.find(Check::Charges, place, format!("charge {} is missing", transfer.reference)),
        (Some(charge), _) => {
            if let Err(message) = charges::consistent(charge, posting) {
                report.find(Check::Charges, place, format!("charge {}: {message}", charge.request_id));
            }
        }
    }
}

impl Totals {
    fn add(&mut self, posting: &Posting, report: &mut VerifyReport) {
        let TransferRow { seq, kind, reference, memo, created_at, .. } = &posting.transfer;
        for entry in &posting.entries {
            self.accounts.entry(entry.account.clone()).or_default().balance += i128::from(entry.amount);
        }
        if let Some(day) = posting.charge.as_ref().map(day_of) {
            self.days.entry(day.place()).and_modify(|sum| sum.add(&day)).or_insert(day);
        }
        if let Some(charge) = posting.charge.as_ref().filter(|charge| charge.late == 0) {
            *self.captured.entry(charge.hold.clone()).or_default() += i128::from(charge.total);
        }
        match self.payments.follow(posting) {
            Ok(effect) => self.affect(effect),
            Err(message) => {
                report.find(Check::Payments, format!("transfer {seq}"), format!("{kind} {reference}: {message}"));
            }
        }
        let noted = match kind.as_str() {
            "account" => {
                self.accounts.entry(reference.clone()).or_default().opened = Some((memo.clone(), *created_at));
                Ok(())
            }
            "freeze" => serde_json::from_str(memo).map(|(account, frozen): (String, bool)| {
                self.accounts.entry(account).or_default().frozen = frozen;
            }),
            "key" => made_key(reference, memo, *created_at).map(|key| drop(self.keys.insert(reference.clone(), key))),
            "key_change" => serde_json::from_str(memo).map(|changed| self.change_key(changed)),
            "revoke" => {
                if let Some(key) = self.keys.get_mut(reference) {
                    key.revoked_at = Some(*created_at);
                }
                Ok(())
            }
            "alert_hook" => serde_json::from_str(memo).map(|(account, hook): LoggedHook| match hook {
                Some(hook) => drop(self.hooks.insert(account, (hook, *created_at))),
                None => drop(self.hooks.remove(&account)),
            }),
            "take_over" => serde_json::from_str(memo).map(|(owner, epoch): LoggedTakeOver| {
                self.owners.insert(owner, (epoch, *created_at));
            }),
            "member" => serde_json::from_str(memo).map(|member| self.put_member(member, *created_at)),
            _ => Ok(()),
        };
        if let Err(error) = noted {
            report.find(Check::Memos, format!("transfer {seq}"), format!("its memo: {error}"));
        }
    }

    fn affect(&mut self, effect: Effect) {
        match effect {
            Effect::Nothing => {}
            Effect::Disputed(account) => self.accounts.entry(account).or_default().disputes += 1,
            Effect::Settled(account, end) => {
                let account = self.accounts.entry(account).or_default();
                account.disputes -= 1;
                account.frozen |= end == DisputeEnd::Lost;
            }
        }
    }

    fn change_key(&mut self, (id, name, policy, replaced_by): ChangedKey) {
        if let Some(key) = self.keys.get_mut(&id) {
            *key = KeyRow { name, policy, replaced_by, ..key.clone() };
        }
    }

    fn put_member(&mut self, (account, subject, role, name): LoggedMember, at: i64) {
        let place = (account.clone(), subject.clone());
        let Some(role) = role else {
            self.members.remove(&place);
            return;
        };
        let created_at = self.members.get(&place).map_or(at, |member| member.created_at);
        self.members.insert(place, MemberRow { account, subject, role, name, created_at });
    }
}
