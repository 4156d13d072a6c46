//! Payments, refunds and disputes: each posted once per reference, whoever tells of it and how often.
//!
//! Each is one transfer of two lines, from one account to another, so that what was decided before is read off the log
//! itself. A refund and a dispute begin and end; what is between lies on an account of the platform. Rejected: a table of
//! payments beside the log, which would have to be kept true as well.

use peerway_billing_store::PastMove;

use super::audit::{Ended, Money, Note, note};
use super::{Books, Draft};
use crate::access::Actor;
use crate::error::LedgerError;
use crate::id::{AccountId, Reference};
use crate::ledger::rows::{AccountFields, AccountRow, corrupt};
use crate::ledger::types::{Action, Deposit, Dispute, DisputeEnd, Moved, Refund, RefundEnd, Source, platform};
use crate::money::Nanos;

/// Which move: its kind and its reference.
pub(super) type MoveName = (String, String);

/// What the log says of a refund or a dispute: through whom, which its end must know, and why.
fn source_memo(source: Source, memo: &str) -> String {
    serde_json::json!([source, memo]).to_string()
}

/// One that is asked for.
struct Move<'a> {
    kind: &'static str,
    reference: &'a Reference,
    /// Through whom, where the accounts do not say it.
    source: Option<Source>,
    memo: String,
    payer: &'a str,
    payee: &'a str,
    amount: Nanos,
}

impl Books {
    pub(super) fn deposit(&mut self, deposit: &Deposit, actor: &Actor) -> Result<Moved, LedgerError> {
        let Deposit { account, amount, source, reference, memo } = deposit;
        let detail = Money { amount_nano_usd: *amount, source: *source, memo };
        let audit = note(account.as_str(), actor, Action::DepositPosted, reference.as_str(), &detail)?;
        let (payer, payee, memo) = (source.clearing(), account.as_str(), memo.clone());
        let asked = Move { kind: "deposit", reference, source: None, memo, payer, payee, amount: *amount };
        self.move_once(account, &asked, audit)
    }

    pub(super) fn refund(&mut self, refund: &Refund, actor: &Actor) -> Result<Moved, LedgerError> {
        let Refund { account, amount, source, reference, memo } = refund;
        if !self.moves.contains_key(&name("refund", reference)) {
            refundable(self.customer(account.as_str())?, refund, actor)?;
        }
        let detail = Money { amount_nano_usd: *amount, source: *source, memo };
        let audit = note(account.as_str(), actor, Action::RefundOpened, reference.as_str(), &detail)?;
        let (payer, payee, memo) = (account.as_str(), platform::REFUNDS, source_memo(*source, memo));
        let asked = Move { kind: "refund", reference, source: Some(*source), memo, payer, payee, amount: *amount };
        self.move_once(account, &asked, audit)
    }

    pub(super) fn end_refund(
        &mut self,
        reference: &Reference,
        end: RefundEnd,
        actor: &Actor,
    ) -> Result<Moved, LedgerError> {
        let (account, source, amount) = self.begun("refund", reference)?;
        let audit =
            note(account.as_str(), actor, Action::RefundEnded, reference.as_str(), &Ended { end: end.as_str() })?;
        let payee = match end {
            RefundEnd::Paid => source.clearing(),
            RefundEnd::Failed => account.as_str(),
        };
        let (payer, memo) = (platform::REFUNDS, String::new());
        let asked = Move { kind: "refund_end", reference, source: None, memo, payer, payee, amount };
        self.move_once(&account, &asked, audit)
    }

    pub(super) fn dispute(&mut self, dispute: &Dispute, actor: &Actor) -> Result<Moved, LedgerError> {
        let Dispute { account, amount, source, reference, memo } = dispute;
        let detail = Money { amount_nano_usd: *amount, source: *source, memo };
        let audit = note(account.as_str(), actor, Action::DisputeOpened, reference.as_str(), &detail)?;
        let (payer, payee, memo) = (account.as_str(), platform::DISPUTES, source_memo(*source, memo));
        let asked = Move { kind: "dispute", reference, source: Some(*source), memo, payer, payee, amount: *amount };
        let moved = self.move_once(account, &asked, audit)?;
        self.then(&moved, account, |account| account.disputes += 1)
    }

    pub(super) fn end_dispute(
        &mut self,
        reference: &Reference,
        end: DisputeEnd,
        actor: &Actor,
    ) -> Result<Moved, LedgerError> {
        let (account, source, amount) = self.begun("dispute", reference)?;
        let audit =
            note(account.as_str(), actor, Action::DisputeEnded, reference.as_str(), &Ended { end: end.as_str() })?;
        let payee = match end {
            DisputeEnd::Won => account.as_str(),
            DisputeEnd::Lost => source.clearing(),
        };
        let (payer, memo) = (platform::DISPUTES, String::new());
        let asked = Move { kind: "dispute_end", reference, source: None, memo, payer, payee, amount };
        let moved = self.move_once(&account, &asked, audit)?;
        self.then(&moved, &account, |account| {
            account.disputes -= 1;
            if end == DisputeEnd::Lost {
                account.frozen = 1;
            }
        })
    }

    /// What a move does to the customer's account beside its balance; a repeated one does nothing.
    fn then(
        &mut self,
        moved: &Moved,
        account: &AccountId,
        change: impl FnOnce(&mut AccountRow),
    ) -> Result<Moved, LedgerError> {
        if !moved.repeated
            && let Some(account) = self.accounts.get_mut(account.as_str())
        {
            change(account.change());
        }
        Ok(Moved { account: self.account(account.as_str())?.to_account(0)?, ..moved.clone() })
    }

    /// Posts it, or finds it in the log.
    fn move_once(&mut self, account: &AccountId, asked: &Move<'_>, audit: Note) -> Result<Moved, LedgerError> {
        self.customer(account.as_str())?;
        let name = name(asked.kind, asked.reference);
        if let Some(past) = self.moves.get(&name) {
            return self.repeated_move(account, past, asked);
        }
        let Move { kind, reference, memo, payer, payee, amount, .. } = asked;
        if amount.as_i64() <= 0 {
            return Err(LedgerError::invalid(format!("a {kind} must be more than nothing, and this is {amount}")));
        }
        let lines = [(*payer, -amount.as_i64()), (*payee, amount.as_i64())];
        let (reference, memo) = (reference.as_str().to_owned(), memo.clone());
        let seq = self.post(Draft { kind, reference, memo, lines: &lines, audit: Some(audit), ..Draft::default() })?;
        let past = PastMove {
            kind: name.0.clone(),
            reference: name.1.clone(),
            memo: asked.memo.clone(),
            seq,
            payer: (*payer).to_owned(),
            payee: (*payee).to_owned(),
            amount: amount.as_i64(),
        };
        self.moves.insert(name, past);
        Ok(Moved { account: self.account(account.as_str())?.to_account(0)?, seq, repeated: false })
    }

    fn repeated_move(&self, account: &AccountId, past: &PastMove, asked: &Move<'_>) -> Result<Moved, LedgerError> {
        let same = (past.payer.as_str(), past.payee.as_str()) == (asked.payer, asked.payee)
            && past.amount == asked.amount.as_i64()
            && asked.source.is_none_or(|source| source_of(past) == Some(source));
        if same {
            let account = self.account(account.as_str())?.to_account(0)?;
            return Ok(Moved { account, seq: past.seq, repeated: true });
        }
        Err(LedgerError::Conflict {
            what: asked.kind,
            id: past.reference.clone(),
            detail: format!("it moved {} from {} to {}", Nanos::new(past.amount), past.payer, past.payee),
        })
    }

    /// Whose refund or dispute it is that shall end, through whom, and how much.
    fn begun(&self, kind: &'static str, reference: &Reference) -> Result<(AccountId, Source, Nanos), LedgerError> {
        let begun = self.moves.get(&name(kind, reference)).ok_or_else(|| LedgerError::not_found(kind, reference))?;
        let source = source_of(begun).ok_or_else(|| corrupt("transfer", &begun.seq.to_string()))?;
        Ok((AccountId::stored(begun.payer.clone()), source, Nanos::new(begun.amount)))
    }
}

/// Which move of the log it is.
pub(super) fn name_of(past: &PastMove) -> MoveName {
    (past.kind.clone(), past.reference.clone())
}

/// Through whom a refund or a dispute goes.
fn source_of(past: &PastMove) -> Option<Source> {
    let (source, _): (Source, String) = serde_json::from_str(&past.memo).ok()?;
    Some(source)
}

fn name(kind: &str, reference: &Reference) -> MoveName {
    (kind.to_owned(), reference.as_str().to_owned())
}

/// Whether so much can go back. Who has been frozen does not get their money out by themselves.
fn refundable(account: &AccountRow, refund: &Refund, actor: &Actor) -> Result<(), LedgerError> {
    if account.is_frozen() && *actor != Actor::Operator {
        return Err(LedgerError::Frozen(refund.account.clone()));
    }
    let available = Books::available(account);
    if refund.amount > available {
        return Err(LedgerError::Insufficient { account: refund.account.clone(), needed: refund.amount, available });
    }
    Ok(())
}
