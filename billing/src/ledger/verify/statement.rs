//! Compares what was spent by day with the charges, hooks for alerts with the log, and alerts and shares of budgets with their
//! seals.

use peerway_billing_store::{Snapshot, StoreError};

use super::log::Totals;
use super::{Check, VerifyReport};
use crate::ledger::batch::secret_hash;
use crate::ledger::rows::ShareFields;
use crate::ledger::statement::{AlertFields, DayFields};

/// Rows read at a time.
const PAGE: i64 = 1000;

pub(super) async fn compare(
    snapshot: &mut dyn Snapshot,
    totals: &Totals,
    report: &mut VerifyReport,
) -> Result<(), StoreError> {
    days(snapshot, totals, report).await?;
    hooks(snapshot, totals, report).await?;
    alerts(snapshot, report).await?;
    shares(snapshot, report).await
}

async fn shares(snapshot: &mut dyn Snapshot, report: &mut VerifyReport) -> Result<(), StoreError> {
    for share in snapshot.shares().await?.iter().filter(|share| share.seal != share.computed_seal()) {
        let place = format!("share of {} in {}", share.owner, share.scope);
        report.find(Check::Shares, place, "was changed: its seal is not that of its fields");
    }
    Ok(())
}

async fn days(snapshot: &mut dyn Snapshot, totals: &Totals, report: &mut VerifyReport) -> Result<(), StoreError> {
    let rows = snapshot.days().await?;
    for row in rows.iter().filter(|row| totals.days.get(&row.place()) != Some(*row)) {
        let place = format!("day {} of {}, model {}", row.day, row.account, row.model);
        report.find(Check::Days, place, "is not the sum of its charges");
    }
    if rows.len() != totals.days.len() {
        let message = format!("{} days are there and the charges make {}", rows.len(), totals.days.len());
        report.find(Check::Days, "days", message);
    }
    Ok(())
}

async fn hooks(snapshot: &mut dyn Snapshot, totals: &Totals, report: &mut VerifyReport) -> Result<(), StoreError> {
    let rows = snapshot.hooks().await?;
    for row in &rows {
        let stands = ((row.url.clone(), row.budgets.clone(), secret_hash(&row.secret)), row.created_at);
        if totals.hooks.get(&row.account) != Some(&stands) {
            report.find(Check::Alerts, format!("alert hook of {}", row.account), "is not as the log set it");
        }
    }
    if rows.len() != totals.hooks.len() {
        let message = format!("{} hooks are there and the log set {}", rows.len(), totals.hooks.len());
        report.find(Check::Alerts, "alert hooks", message);
    }
    Ok(())
}

async fn alerts(snapshot: &mut dyn Snapshot, report: &mut VerifyReport) -> Result<(), StoreError> {
    let mut after = String::new();
    loop {
        let page = snapshot.alerts(&after, PAGE).await?;
        for alert in page.iter().filter(|alert| alert.seal != alert.computed_seal()) {
            let message = "was changed: its seal is not that of its fields";
            report.find(Check::Alerts, format!("alert {}", alert.id), message);
        }
        match page.last() {
            Some(last) if i64::try_from(page.len()) == Ok(PAGE) => after.clone_from(&last.id),
            _ => return Ok(()),
        }
    }
}
