//! Accounts: opened, frozen, credited. Opening and freezing go into the log too, as transfers without entries,
//! so that an account that was edited by hand no longer agrees with the log.

use super::audit::{Granted, Note, Opened, Plain, note};
use super::{Books, Draft, PastCredit, Tracked};
use crate::access::Actor;
use crate::error::LedgerError;
use crate::id::AccountId;
use crate::ledger::rows::{AccountFields, AccountRow};
use crate::ledger::types::{Account, AccountKind, Action, Credit, Credited};
use crate::money::Nanos;

/// What the log says of an account's opening.
pub(in crate::ledger) fn opening_memo(kind: &str, name: &str) -> String {
    serde_json::json!([kind, name]).to_string()
}

/// What the log says of a freeze or its end.
pub(in crate::ledger) fn freeze_memo(account: &str, frozen: bool) -> String {
    serde_json::json!([account, frozen]).to_string()
}

impl Books {
    pub(super) fn account(&self, id: &str) -> Result<&AccountRow, LedgerError> {
        self.accounts.get(id).map(|account| &account.row).ok_or_else(|| LedgerError::not_found("account", id))
    }

    pub(super) fn customer(&self, id: &str) -> Result<&AccountRow, LedgerError> {
        let account = self.account(id)?;
        if account.kind == AccountKind::Customer.as_str() {
            return Ok(account);
        }
        Err(LedgerError::invalid(format!("account {id} is a {} account, and this needs a customer's", account.kind)))
    }

    /// What the account has beyond open holds; never negative.
    pub(super) fn available(account: &AccountRow) -> Nanos {
        Nanos::new(account.balance).minus_or_zero(Nanos::new(account.held))
    }

    pub(super) fn open_account(&mut self, id: &AccountId, name: String, actor: &Actor) -> Result<Account, LedgerError> {
        let audit = note(id.as_str(), actor, Action::AccountOpened, id.as_str(), &Opened { name: &name })?;
        self.add_account(id, AccountKind::Customer, name, Some(audit))?;
        self.account(id.as_str())?.to_account(0)
    }

    /// The operator's account; their first charge opens it, so there is nobody who asked.
    pub(super) fn ensure_operator(&mut self, id: &AccountId, name: &str) -> Result<(), LedgerError> {
        if self.accounts.contains_key(id.as_str()) {
            return Ok(());
        }
        self.add_account(id, AccountKind::Operator, name.to_owned(), None)
    }

    fn add_account(
        &mut self,
        id: &AccountId,
        kind: AccountKind,
        name: String,
        audit: Option<Note>,
    ) -> Result<(), LedgerError> {
        let (reference, memo) = (id.as_str().to_owned(), opening_memo(kind.as_str(), &name));
        self.post(Draft { kind: "account", reference, memo, audit, ..Draft::default() })?;
        let row = AccountRow {
            id: id.as_str().to_owned(),
            kind: kind.as_str().to_owned(),
            name,
            frozen: 0,
            created_at: self.now,
            balance: 0,
            held: 0,
            disputes: 0,
        };
        self.accounts.insert(row.id.clone(), Tracked::new(row));
        Ok(())
    }

    pub(super) fn freeze(&mut self, id: &AccountId, frozen: bool, actor: &Actor) -> Result<Account, LedgerError> {
        let account = self.customer(id.as_str())?;
        if !frozen {
            may_thaw(account)?;
        }
        if (account.frozen != 0) != frozen {
            let reference = format!("{id}#{}", self.head.seq + 1);
            let memo = freeze_memo(id.as_str(), frozen);
            let action = if frozen { Action::AccountFrozen } else { Action::AccountUnfrozen };
            let audit = Some(note(id.as_str(), actor, action, id.as_str(), &Plain {})?);
            self.post(Draft { kind: "freeze", reference, memo, audit, ..Draft::default() })?;
            if let Some(account) = self.accounts.get_mut(id.as_str()) {
                account.change().frozen = i64::from(frozen);
            }
        }
        self.account(id.as_str())?.to_account(0)
    }

    pub(super) fn credit(&mut self, credit: &Credit, actor: &Actor) -> Result<Credited, LedgerError> {
        let (account, amount) = (credit.account.as_str(), credit.amount.as_i64());
        self.customer(account)?;
        if amount <= 0 {
            return Err(LedgerError::invalid(format!(
                "a credit must be more than nothing, and this is {}",
                credit.amount
            )));
        }
        if let Some(past) = self.credits.get(credit.reference.as_str()) {
            return self.repeated_credit(past, credit);
        }
        let grants = AccountId::platform_grants();
        let reference = credit.reference.as_str().to_owned();
        let lines = [(grants.as_str(), -amount), (account, amount)];
        let detail = Granted { amount_nano_usd: credit.amount, memo: &credit.memo };
        let audit = Some(note(account, actor, Action::CreditGranted, &reference, &detail)?);
        let (kind, memo) = ("credit", credit.memo.clone());
        let seq =
            self.post(Draft { kind, reference: reference.clone(), memo, lines: &lines, audit, ..Draft::default() })?;
        let past = PastCredit {
            reference: reference.clone(),
            memo: credit.memo.clone(),
            seq,
            account: account.to_owned(),
            amount,
        };
        self.credits.insert(reference, past);
        Ok(Credited { account: self.account(account)?.to_account(0)?, seq, repeated: false })
    }

    fn repeated_credit(&self, past: &PastCredit, credit: &Credit) -> Result<Credited, LedgerError> {
        let same = past.account == credit.account.as_str()
            && past.amount == credit.amount.as_i64()
            && past.memo == credit.memo;
        if same {
            let account = self.account(&past.account)?.to_account(0)?;
            return Ok(Credited { account, seq: past.seq, repeated: true });
        }
        Err(LedgerError::Conflict {
            what: "credit",
            id: past.reference.clone(),
            detail: format!("it gave {} to {}, memo {:?}", Nanos::new(past.amount), past.account, past.memo),
        })
    }
}

/// An account that owes, or whose payments are disputed, stays frozen whatever anybody wishes.
fn may_thaw(account: &AccountRow) -> Result<(), LedgerError> {
    let AccountRow { id, balance, held, disputes, .. } = account;
    if *disputes > 0 {
        return Err(LedgerError::invalid(format!(
            "account {id} has {disputes} open disputes, and stays frozen until they end"
        )));
    }
    if balance < held {
        let missing = Nanos::new(*held).minus_or_zero(Nanos::new(*balance));
        return Err(LedgerError::invalid(format!(
            "account {id} owes {missing} after a dispute: it can be unfrozen once that is paid in"
        )));
    }
    Ok(())
}
