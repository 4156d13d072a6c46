//! Holds: taken, extended, renewed, given back. A hold never takes more than the account has available.

use super::{Books, Tracked};
use crate::clock::Timestamp;
use crate::error::LedgerError;
use crate::id::{HoldId, OwnerId};
use crate::ledger::rows::{AccountFields, AccountRow, HoldFields, HoldRow};
use crate::ledger::types::{Amount, Extend, Granted, Hold, HoldState, NewHold};
use crate::money::{Nanos, Overflow};

impl Books {
    pub(super) fn hold(&mut self, new: &NewHold) -> Result<Granted, LedgerError> {
        let amount = new.amount.check()?;
        if let Some(existing) = self.holds.get(new.id.as_str()) {
            return self.repeated_hold(&existing.row, new);
        }
        if new.expires_at.as_millis() <= self.now {
            return Err(LedgerError::invalid(format!(
                "hold {} would have expired at {} already",
                new.id, new.expires_at
            )));
        }
        let account = spendable(self.customer(new.account.as_str())?)?;
        let granted = granted(account, amount, new.ahead)?;
        self.set_aside(new.account.as_str(), granted);
        let row = HoldRow {
            id: new.id.as_str().to_owned(),
            account: new.account.as_str().to_owned(),
            amount: granted.as_i64(),
            captured: 0,
            state: HoldState::Open.as_str().to_owned(),
            expires_at: new.expires_at.as_millis(),
            owner: new.owner.as_str().to_owned(),
            created_at: self.now,
            seal: String::new(),
        };
        let hold = row.to_hold()?;
        self.holds.insert(row.id.clone(), Tracked::new(row));
        self.answer(hold, granted)
    }

    fn repeated_hold(&self, existing: &HoldRow, new: &NewHold) -> Result<Granted, LedgerError> {
        let amount = Nanos::new(existing.amount);
        let same = existing.account == new.account.as_str()
            && existing.owner == new.owner.as_str()
            && (new.amount.from_pot(amount) == Some(amount) || amount == new.amount.most.saturating_add(new.ahead));
        if !same {
            return Err(LedgerError::Conflict {
                what: "hold",
                id: existing.id.clone(),
                detail: format!("{amount} of {} for {}", existing.account, existing.owner),
            });
        }
        self.open_hold(&new.id)?;
        self.answer(existing.to_hold()?, amount)
    }

    pub(super) fn extend(&mut self, extend: &Extend) -> Result<Granted, LedgerError> {
        let add = extend.add.check()?;
        let hold = self.open_hold(&extend.hold)?;
        let account = spendable(self.customer(&hold.account)?)?;
        let granted = granted(account, add, extend.ahead)?;
        let amount = hold.amount.checked_add(granted.as_i64()).ok_or(Overflow)?;
        let account = hold.account.clone();
        self.set_aside(&account, granted);
        if let Some(hold) = self.holds.get_mut(extend.hold.as_str()) {
            let row = hold.change();
            row.amount = amount;
            row.expires_at = row.expires_at.max(extend.expires_at.as_millis());
        }
        let hold = self.open_hold(&extend.hold)?.to_hold()?;
        self.answer(hold, granted)
    }

    /// More time for many holds. Answers those that get none: ended ones, and those of frozen accounts.
    pub(super) fn renew(&mut self, holds: Vec<HoldId>, expires_at: Timestamp) -> Vec<HoldId> {
        let mut refused = Vec::new();
        for id in holds {
            let owner = self.open_hold(&id).and_then(|hold| self.account(&hold.account)).and_then(spendable);
            if owner.is_err() {
                refused.push(id);
            } else if let Some(hold) = self.holds.get_mut(id.as_str())
                && hold.row.expires_at < expires_at.as_millis()
            {
                hold.change().expires_at = expires_at.as_millis();
            }
        }
        refused
    }

    /// Gives parts of open holds back to their accounts, no more than a hold has left. Ended holds have nothing left.
    pub(super) fn shrink(&mut self, parts: &[(HoldId, Nanos)]) {
        for (id, part) in parts {
            let Some(hold) = self.holds.get_mut(id.as_str()).filter(|hold| hold.row.is_open()) else { continue };
            let part = part.as_i64().clamp(0, hold.row.remainder());
            hold.change().amount -= part;
            if let Some(account) = self.accounts.get_mut(&hold.row.account) {
                account.change().held -= part;
            }
        }
    }

    pub(super) fn release(&mut self, id: &HoldId) -> Result<Hold, LedgerError> {
        self.open_hold(id)?;
        self.end_hold(id.as_str(), HoldState::Released);
        self.holds.get(id.as_str()).ok_or_else(|| LedgerError::not_found("hold", id))?.row.to_hold()
    }

    pub(super) fn release_owner(&mut self, owner: &OwnerId) -> u64 {
        let open = |hold: &HoldRow| hold.is_open() && hold.owner == owner.as_str();
        let ids: Vec<String> =
            self.holds.values().filter(|hold| open(&hold.row)).map(|hold| hold.row.id.clone()).collect();
        for id in &ids {
            self.end_hold(id, HoldState::Released);
        }
        self.release_shares(owner.as_str());
        ids.len() as u64
    }

    /// The hold, if it is open; else why not.
    pub(super) fn open_hold(&self, id: &HoldId) -> Result<&HoldRow, LedgerError> {
        let hold = &self.holds.get(id.as_str()).ok_or_else(|| LedgerError::not_found("hold", id))?.row;
        if hold.is_open() {
            return Ok(hold);
        }
        Err(LedgerError::HoldEnded { hold: id.clone(), state: hold.to_hold()?.state })
    }

    /// The one end of an open hold: what it did not use is no longer held.
    pub(super) fn end_hold(&mut self, id: &str, state: HoldState) {
        let Some(hold) = self.holds.get_mut(id) else { return };
        let row = hold.change();
        row.state = state.as_str().to_owned();
        let (account, rest) = (row.account.clone(), row.remainder());
        if let Some(account) = self.accounts.get_mut(&account) {
            account.change().held -= rest;
        }
    }

    fn set_aside(&mut self, account: &str, amount: Nanos) {
        if let Some(account) = self.accounts.get_mut(account) {
            account.change().held += amount.as_i64();
        }
    }

    fn answer(&self, hold: Hold, granted: Nanos) -> Result<Granted, LedgerError> {
        let left = Self::available(self.account(hold.account.as_str())?);
        Ok(Granted { hold, granted, left })
    }
}

fn spendable(account: &AccountRow) -> Result<&AccountRow, LedgerError> {
    if account.is_frozen() { Err(LedgerError::Frozen(account_id(account))) } else { Ok(account) }
}

fn granted(account: &AccountRow, amount: Amount, ahead: Nanos) -> Result<Nanos, LedgerError> {
    let available = Books::available(account);
    amount.with_ahead(ahead.max(Nanos::ZERO), available).ok_or_else(|| LedgerError::Insufficient {
        account: account_id(account),
        needed: amount.least,
        available,
    })
}

fn account_id(account: &AccountRow) -> crate::id::AccountId {
    crate::id::AccountId::stored(account.id.clone())
}
