//! The task that tells the ledger what is still needed of shares: at once where a budget has little left, else now and then.

use std::sync::Arc;
use std::time::Duration;

use super::scope::Scope;
use super::{SHARE_TTL, Shared};
use crate::ledger::ShareRow;

/// How often every share is renewed or given back; well below [`SHARE_TTL`].
const RENEW_EVERY: Duration = Duration::from_secs(30);
/// A share that nobody used for this long is given back.
const IDLE_RELEASE: Duration = Duration::from_secs(60);
/// Between two things that are told at once: what comes meanwhile is told together.
const GATHER: Duration = Duration::from_millis(5);

pub(super) async fn run(shared: Arc<Shared>) {
    let mut ticks = tokio::time::interval(RENEW_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    ticks.tick().await; // the first is at once
    loop {
        tokio::select! {
            _ = ticks.tick() => round(&shared).await,
            () = shared.scarce.listed() => {
                tell(&shared, shared.scarce.take(), false).await;
                tokio::time::sleep(GATHER).await;
            }
        }
    }
}

/// Tells of every share.
pub(super) async fn round(shared: &Shared) {
    let scopes = shared.scopes.read().values().cloned().collect();
    tell(shared, scopes, true).await;
}

/// Tells what is new of these shares, and renews them where that is due.
async fn tell(shared: &Shared, scopes: Vec<Arc<Scope>>, renew: bool) {
    let now = shared.now();
    let expires_at = now.after(SHARE_TTL);
    let (mut gates, mut rows, mut told) = (Vec::new(), Vec::new(), Vec::new());
    for scope in scopes {
        let Ok(gate) = Arc::clone(&scope.gate).try_lock_owned() else {
            // Something is being asked of it. What is new then is told next.
            if !renew {
                scope.list();
            }
            continue;
        };
        let mut purse = scope.purse();
        let idle = renew && purse.used_at().after(IDLE_RELEASE) <= now;
        let news = purse.news(renew, idle, expires_at);
        drop(purse);
        if let Some(amount) = news {
            rows.push(ShareRow {
                scope: scope.name().to_string(),
                owner: shared.owner.as_str().to_owned(),
                amount: amount.as_i64(),
                expires_at: expires_at.as_millis(),
                seal: String::new(),
            });
            gates.push(gate);
            told.push(scope);
        }
    }
    if rows.is_empty() {
        return;
    }
    if let Err(error) = shared.ledger.keep_shares(rows).await {
        tracing::warn!(shares = told.len(), %error, "the ledger was not told what is needed of budgets; it will be");
        told.iter().for_each(|scope| scope.purse().untold());
    }
}
