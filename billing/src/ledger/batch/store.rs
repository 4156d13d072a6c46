//! What a batch changed.

use peerway_billing_store::Changes;

use super::{Books, Tracked};
use crate::ledger::rows::{HoldFields, ShareFields};
use crate::ledger::statement::AlertFields;

impl Books {
    /// Every row that the database must learn of. Somebody who was added and removed in one batch is in the log alone.
    pub(super) fn into_changes(self) -> Changes {
        let mut holds = dirty(self.holds.into_values());
        for hold in &mut holds {
            hold.seal = hold.computed_seal();
        }
        let (mut members, mut gone) = (Vec::new(), Vec::new());
        for (place, member) in self.members.into_iter().filter(|(_, member)| member.dirty) {
            match member.row {
                Some(row) => members.push(row),
                None => gone.push(place),
            }
        }
        let mut alerts = dirty(self.alerts.into_values());
        for alert in &mut alerts {
            alert.seal = alert.computed_seal();
        }
        let (mut hooks, mut unhooked) = (Vec::new(), Vec::new());
        for (account, hook) in self.hooks.into_iter().filter(|(_, hook)| hook.dirty) {
            match hook.row {
                Some(row) => hooks.push(row),
                None => unhooked.push(account),
            }
        }
        let (mut shares, mut unshared) = (Vec::new(), Vec::new());
        for (place, share) in self.shares.into_iter().filter(|(_, share)| share.dirty) {
            let mut row = share.row;
            row.seal = row.computed_seal();
            if row.amount > 0 { shares.push(row) } else { unshared.push(place) }
        }
        Changes {
            accounts: dirty(self.accounts.into_values()),
            holds,
            owners: dirty(self.owners.into_values()),
            keys: dirty(self.keys.into_values()),
            members,
            gone,
            transfers: self.new_transfers,
            entries: self.new_entries,
            charges: self.new_charges,
            parts: self.new_parts,
            days: self.new_days.into_values().collect(),
            nodes: self.new_nodes,
            checkpoints: self.new_checkpoints,
            hooks,
            unhooked,
            alerts,
            shares,
            unshared,
            shares_until: self.sweeps.then_some(self.now),
        }
    }
}

fn dirty<T>(rows: impl Iterator<Item = Tracked<T>>) -> Vec<T> {
    rows.filter(|tracked| tracked.dirty).map(|tracked| tracked.row).collect()
}
