//! Owners: of all processes that go by one name, only the one that took it over last may hold and capture.
//!
//! Each take-over is in the log, so that nobody can wind an owner back unseen.

use peerway_billing_store::OwnerRow;

use super::{Books, Draft, Tracked};
use crate::error::LedgerError;
use crate::id::OwnerId;
use crate::ledger::command::{Command, Settle};
use crate::ledger::types::Tenure;

/// What the log says of a take-over: the owner, and its epoch from then on.
pub(in crate::ledger) type LoggedTakeOver = (String, i64);

impl Books {
    /// The next epoch begins, and that of whoever went by this name before is over.
    pub(super) fn take_over(&mut self, owner: &OwnerId) -> Result<Tenure, LedgerError> {
        let last = self.owners.get(owner.as_str()).map_or(0, |known| known.row.epoch);
        let epoch = last.checked_add(1).ok_or(crate::money::Overflow)?;
        let logged: LoggedTakeOver = (owner.as_str().to_owned(), epoch);
        let (reference, memo) = (format!("{owner} {epoch}"), serde_json::to_string(&logged)?);
        self.post(Draft { kind: "take_over", reference, memo, ..Draft::default() })?;
        let row = OwnerRow { owner: logged.0, epoch, taken_at: self.now };
        self.owners.insert(row.owner.clone(), Tracked::new(row));
        Ok(Tenure { owner: owner.clone(), epoch })
    }

    /// Does what somebody asks in an owner's name, if it is still theirs.
    pub(super) fn decide_for(&mut self, tenure: &Tenure, command: Command) -> Settle {
        let latest = self.owners.get(tenure.owner.as_str()).map_or(0, |known| known.row.epoch);
        if latest == tenure.epoch {
            return self.decide(command);
        }
        let refusal = LedgerError::TakenOver { owner: tenure.owner.clone(), epoch: tenure.epoch, latest };
        Box::new(move |failure| command.refuse(failure.cloned().unwrap_or(refusal)))
    }
}
