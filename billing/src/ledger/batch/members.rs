//! Members: added, changed, removed. An account that has an owner keeps one.

use super::audit::{Change, Note, Person, PersonChanged, note};
use super::{Books, Draft, Tracked};
use crate::access::{Actor, Member};
use crate::error::LedgerError;
use crate::id::{AccountId, SubjectId};
use crate::ledger::rows::{MemberFields, MemberRow};
use crate::ledger::types::Action;

/// Members that one account may have: a change of one reads them all.
const MOST: usize = 1000;

/// What the log says of a person, read: account, subject, role (`None`: removed) and name.
pub(in crate::ledger) type LoggedMember = (String, String, Option<String>, String);

fn member_memo(member: &MemberRow, role: Option<&str>) -> String {
    serde_json::json!([member.account, member.subject, role, member.name]).to_string()
}

impl Books {
    /// Adding somebody who is there already changes their role and name; to what they are, nothing.
    pub(super) fn put_member(&mut self, new: MemberRow, actor: &Actor) -> Result<Member, LedgerError> {
        self.customer(&new.account)?;
        let (row, audit) = match self.member(&new.account, &new.subject) {
            Some(old) => {
                let row = MemberRow { created_at: old.created_at, ..new };
                let (before, after) = (old.to_member()?, row.to_member()?);
                if before == after {
                    return Ok(before);
                }
                if old.is_owner() && !row.is_owner() {
                    self.spare_owner(&before.account)?;
                }
                let detail = PersonChanged {
                    role: Change::of(before.role, after.role),
                    name: Change::of(before.name.as_str(), after.name.as_str()),
                };
                let audit = note(&row.account, actor, Action::MemberChanged, &row.subject, &detail)?;
                (row, audit)
            }
            None => {
                let row = MemberRow { created_at: self.now, ..new };
                let account = AccountId::stored(row.account.clone());
                if self.members_of(&account).count() >= MOST {
                    return Err(LedgerError::MembersFull { account, most: MOST });
                }
                let member = row.to_member()?;
                let detail = Person { role: member.role, name: &member.name };
                let audit = note(&row.account, actor, Action::MemberAdded, &row.subject, &detail)?;
                (row, audit)
            }
        };
        let member = row.to_member()?;
        self.log_member(member_memo(&row, Some(&row.role)), audit)?;
        self.members.insert((row.account.clone(), row.subject.clone()), Tracked::new(Some(row)));
        Ok(member)
    }

    /// Answers the member as they were.
    pub(super) fn remove_member(
        &mut self,
        account: &AccountId,
        subject: &SubjectId,
        actor: &Actor,
    ) -> Result<Member, LedgerError> {
        let row =
            self.member(account.as_str(), subject.as_str()).ok_or_else(|| LedgerError::not_found("member", subject))?;
        if row.is_owner() {
            self.spare_owner(account)?;
        }
        let member = row.to_member()?;
        let detail = Person { role: member.role, name: &member.name };
        let audit = note(account.as_str(), actor, Action::MemberRemoved, subject.as_str(), &detail)?;
        self.log_member(member_memo(row, None), audit)?;
        self.members.insert((account.as_str().to_owned(), subject.as_str().to_owned()), Tracked::new(None));
        Ok(member)
    }

    fn log_member(&mut self, memo: String, audit: Note) -> Result<(), LedgerError> {
        let reference = format!("{}#{}", audit.account, self.head.seq + 1);
        self.post(Draft { kind: "member", reference, memo, audit: Some(audit), ..Draft::default() })?;
        Ok(())
    }

    fn member(&self, account: &str, subject: &str) -> Option<&MemberRow> {
        self.members.get(&(account.to_owned(), subject.to_owned()))?.row.as_ref()
    }

    fn members_of(&self, account: &AccountId) -> impl Iterator<Item = &MemberRow> {
        let rows = self.members.values().filter_map(|member| member.row.as_ref());
        rows.filter(|row| row.account == account.as_str())
    }

    /// That one owner may go.
    fn spare_owner(&self, account: &AccountId) -> Result<(), LedgerError> {
        match self.members_of(account).filter(|row| row.is_owner()).count() {
            0 | 1 => Err(LedgerError::LastOwner(account.clone())),
            _ => Ok(()),
        }
    }
}
