//! Compares today's accounts, holds, keys and members with what the log adds up to.

use std::collections::HashMap;

use peerway_billing_store::{Snapshot, StoreError};

use super::log::{LoggedAccount, Totals};
use super::{Check, VerifyReport};
use crate::id::HoldId;
use crate::ledger::batch::opening_memo;
use crate::ledger::rows::{AccountFields, AccountRow, HoldFields};
use crate::ledger::types::{AccountKind, platform};

/// Rows read at a time.
const PAGE: i64 = 1000;

pub(super) async fn compare(
    snapshot: &mut dyn Snapshot,
    totals: &Totals,
    now: i64,
    report: &mut VerifyReport,
) -> Result<(), StoreError> {
    let held = holds(snapshot, totals, now, report).await?;
    owners(snapshot, totals, report).await?;
    accounts(snapshot, totals, &held, report).await?;
    keys(snapshot, totals, report).await?;
    members(snapshot, totals, report).await
}

/// Checks every hold; answers what open ones set aside, per account.
async fn holds(
    snapshot: &mut dyn Snapshot,
    totals: &Totals,
    now: i64,
    report: &mut VerifyReport,
) -> Result<HashMap<String, i128>, StoreError> {
    let mut held: HashMap<String, i128> = HashMap::new();
    let mut unseen = totals.captured.clone();
    let mut after = String::new();
    loop {
        let page = snapshot.holds(&after, PAGE).await?;
        for hold in &page {
            let place = format!("hold {}", hold.id);
            let captured = unseen.remove(&hold.id).unwrap_or(0);
            if hold.seal != hold.computed_seal() {
                report.find(Check::Holds, &place, "was changed: its seal is not that of its fields");
            }
            if captured != i128::from(hold.captured) || hold.captured < 0 || hold.captured > hold.amount {
                let message = format!("captured {} of {}, and its charges took {captured}", hold.captured, hold.amount);
                report.find(Check::Holds, &place, message);
            }
            if hold.is_open() {
                *held.entry(hold.account.clone()).or_default() += i128::from(hold.amount) - i128::from(hold.captured);
                if hold.expires_at <= now {
                    report.overdue_holds.push(HoldId::stored(hold.id.clone()));
                }
            }
            report.holds += 1;
        }
        match page.last() {
            Some(last) if i64::try_from(page.len()) == Ok(PAGE) => after.clone_from(&last.id),
            _ => break,
        }
    }
    if let Some((hold, taken)) = unseen.iter().filter(|(_, taken)| **taken != 0).min() {
        report.find(Check::Holds, format!("hold {hold}"), format!("is missing, and charges took {taken} from it"));
    }
    Ok(held)
}

async fn owners(snapshot: &mut dyn Snapshot, totals: &Totals, report: &mut VerifyReport) -> Result<(), StoreError> {
    let mut unseen = totals.owners.clone();
    for owner in snapshot.owners().await? {
        if unseen.remove(&owner.owner) != Some((owner.epoch, owner.taken_at)) {
            report.find(Check::Owners, format!("owner {}", owner.owner), "was not last taken over so in the log");
        }
    }
    if let Some(owner) = unseen.keys().min() {
        report.find(Check::Owners, format!("owner {owner}"), "is missing");
    }
    Ok(())
}

async fn accounts(
    snapshot: &mut dyn Snapshot,
    totals: &Totals,
    held: &HashMap<String, i128>,
    report: &mut VerifyReport,
) -> Result<(), StoreError> {
    let rows = snapshot.accounts().await?;
    let nothing = LoggedAccount::default();
    for row in &rows {
        let logged = totals.accounts.get(&row.id).unwrap_or(&nothing);
        check_account(row, logged, held.get(&row.id).copied().unwrap_or(0), report);
        report.accounts += 1;
    }
    let known: std::collections::HashSet<&String> = rows.iter().map(|row| &row.id).collect();
    if let Some(id) = totals.accounts.keys().chain(held.keys()).filter(|id| !known.contains(id)).min() {
        report.find(Check::Accounts, format!("account {id}"), "is missing, and the log or a hold names it");
    }
    for platform::PlatformAccount { id, .. } in &platform::PLATFORM {
        if !known.contains(&(*id).to_owned()) {
            report.find(Check::Accounts, format!("account {id}"), "is missing");
        }
    }
    Ok(())
}

fn check_account(row: &AccountRow, logged: &LoggedAccount, held: i128, report: &mut VerifyReport) {
    let place = format!("account {}", row.id);
    if i128::from(row.balance) != logged.balance {
        let message = format!("its balance is {} and its entries sum to {}", row.balance, logged.balance);
        report.find(Check::Balances, &place, message);
    }
    if i128::from(row.held) != held {
        report.find(Check::Held, &place, format!("it holds {} and its open holds set aside {held}", row.held));
    }
    let platform = platform::PLATFORM.iter().find(|account| account.id == row.id);
    let disputed = row.kind == AccountKind::Customer.as_str() && row.is_frozen();
    let may_owe = disputed || platform.is_some_and(|account| account.may_owe);
    if !may_owe && (row.balance < row.held || row.held < 0) {
        report.find(Check::BelowZero, &place, format!("it has {} and holds {}", row.balance, row.held));
    }
    let opened = match platform {
        Some(account) => Some((opening_memo(AccountKind::Platform.as_str(), account.name), 0)),
        None => logged.opened.clone(),
    };
    let stands = (opening_memo(&row.kind, &row.name), row.created_at);
    if opened.as_ref() != Some(&stands) {
        report.find(Check::Accounts, &place, format!("it is {stands:?}, and the log opened {opened:?}"));
    }
    if (row.frozen != 0) != logged.frozen {
        report.find(Check::Accounts, &place, "whether it is frozen is not what the log says");
    }
    if row.disputes != logged.disputes {
        let message = format!("it has {} open disputes, and the log {}", row.disputes, logged.disputes);
        report.find(Check::Accounts, &place, message);
    }
}

async fn keys(snapshot: &mut dyn Snapshot, totals: &Totals, report: &mut VerifyReport) -> Result<(), StoreError> {
    let rows = snapshot.keys().await?;
    for row in &rows {
        let place = format!("key {}", row.id);
        match totals.keys.get(&row.id) {
            None => report.find(Check::Keys, place, "was never made in the log"),
            Some(key) if key.revoked_at != row.revoked_at => {
                report.find(Check::Keys, place, "whether and when it was revoked is not what the log says");
            }
            Some(key) if key != row => {
                report.find(Check::Keys, place, "was changed: it is not as the log made, changed or rotated it");
            }
            Some(_) => {}
        }
    }
    if rows.len() != totals.keys.len() {
        let message = format!("{} keys are there and the log made {}", rows.len(), totals.keys.len());
        report.find(Check::Keys, "keys", message);
    }
    Ok(())
}

async fn members(snapshot: &mut dyn Snapshot, totals: &Totals, report: &mut VerifyReport) -> Result<(), StoreError> {
    let rows = snapshot.members().await?;
    for row in &rows {
        let place = format!("member {} of {}", row.subject, row.account);
        match totals.members.get(&(row.account.clone(), row.subject.clone())) {
            None => report.find(Check::Members, place, "was never added in the log, or was removed in it"),
            Some(member) if member != row => {
                report.find(Check::Members, place, "was changed: they are not as the log put them");
            }
            Some(_) => {}
        }
    }
    if rows.len() != totals.members.len() {
        let message = format!("{} members are there and the log put {}", rows.len(), totals.members.len());
        report.find(Check::Members, "members", message);
    }
    Ok(())
}
