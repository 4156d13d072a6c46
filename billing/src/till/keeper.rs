//! The task that keeps leases in use alive and lets go of idle ones.

use std::collections::HashSet;
use std::sync::Arc;

use tokio::task::JoinSet;

use super::Shared;
use super::lease::Lease;
use super::slot::Slot;
use crate::id::HoldId;
use crate::money::Nanos;

/// Leases released at the same time.
const AT_ONCE: usize = 64;

pub(super) async fn run(shared: Arc<Shared>) {
    let mut ticks = tokio::time::interval(shared.config.renew_every);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    ticks.tick().await; // the first is at once
    loop {
        tokio::select! {
            _ = ticks.tick() => round(&shared).await,
            () = shared.scarce.listed() => give_back(&shared).await,
        }
    }
}

/// Releases what is idle, renews the rest, sweeps what expired elsewhere.
pub(super) async fn round(shared: &Arc<Shared>) {
    give_back(shared).await;
    let now = shared.ledger.clock().now();
    let slots: Vec<Arc<Slot>> = shared.slots.read().values().cloned().collect();
    let (mut idle, mut used) = (Vec::new(), Vec::new());
    for slot in slots {
        match slot.lease() {
            Some(lease) if !lease.is_live(now) => slot.drop_lease(&lease.hold),
            Some(lease) if lease.is_idle(shared.config.idle_release, now) => idle.push(slot),
            Some(lease) => used.push((slot, lease.hold.clone())),
            None => {}
        }
    }
    release(shared, idle).await;
    renew(shared, used).await;
    if let Err(error) = shared.ledger.sweep().await {
        tracing::warn!(%error, "expired holds could not be swept; they count as released all the same");
    }
    // A slot that somebody else holds right now is in use.
    shared.slots.write().retain(|_, slot| slot.lease().is_some() || Arc::strong_count(slot) > 1);
}

/// Gives back to the ledger what leases of accounts with little credit have free: another gateway may need it.
async fn give_back(shared: &Shared) {
    let _one_at_a_time = shared.scarce.giving_back.lock().await;
    let spare = |lease: &Arc<Lease>| (lease.hold.clone(), lease.spare());
    let mut parts: Vec<(HoldId, Nanos)> = shared.scarce.take().iter().map(spare).collect();
    parts.retain(|(_, spare)| *spare > Nanos::ZERO);
    if parts.is_empty() {
        return;
    }
    // Not put back into the leases: it may have been done all the same. Then it is free again when they end.
    if let Err(error) = shared.ledger.shrink(parts).await {
        tracing::warn!(%error, "what leases did not need could not be given back, and is free again when they end");
    }
}

async fn renew(shared: &Shared, used: Vec<(Arc<Slot>, HoldId)>) {
    if used.is_empty() {
        return;
    }
    let expires_at = shared.ledger.clock().now().after(shared.config.lease_ttl);
    let refused = match shared.ledger.renew(used.iter().map(|(_, hold)| hold.clone()).collect(), expires_at).await {
        Ok(refused) => refused.into_iter().collect::<HashSet<HoldId>>(),
        Err(error) => {
            shared.learn(&error);
            tracing::warn!(leases = used.len(), %error, "leases could not be renewed; they end at their expiry");
            return;
        }
    };
    for (slot, hold) in used {
        if refused.contains(&hold) {
            tracing::warn!(account = %slot.account, %hold, "a lease ended or its account was frozen");
            slot.drop_lease(&hold);
        } else if let Some(lease) = slot.lease().filter(|lease| lease.hold == hold) {
            lease.renewed(expires_at);
        }
    }
}

async fn release(shared: &Arc<Shared>, idle: Vec<Arc<Slot>>) {
    let mut running = JoinSet::new();
    for slot in idle {
        if running.len() >= AT_ONCE {
            running.join_next().await;
        }
        let shared = Arc::clone(shared);
        running.spawn(async move { release_one(&shared, &slot).await });
    }
    while running.join_next().await.is_some() {}
}

/// Under the gate: a request that comes meanwhile waits, and then finds the credit available again.
async fn release_one(shared: &Shared, slot: &Slot) {
    let _gate = slot.gate.lock().await;
    let Some(lease) = slot.lease() else { return };
    if !lease.retire_if_idle(shared.config.idle_release, shared.ledger.clock().now()) {
        return;
    }
    slot.drop_lease(&lease.hold);
    if let Err(error) = shared.ledger.release(&lease.hold).await {
        tracing::warn!(account = %slot.account, hold = %lease.hold, %error, "an idle lease was not released; it expires");
    }
}
