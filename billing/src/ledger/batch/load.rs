//! Reads the rows that a batch can touch: first what the commands name, then what those rows name.

use std::collections::{BTreeSet, HashMap};

use sqlx::SqliteConnection;

use super::payments::PastMove;
use super::{Books, PastCredit, Tracked};
use crate::error::LedgerError;
use crate::id::AccountId;
use crate::ledger::command::Command;
use crate::ledger::read::{head, parts_of};
use crate::ledger::rows::{AccountRow, ChargeRow, HoldRow, KeyRow, MemberRow};
use crate::ledger::types::{Deposit, Dispute, Refund, platform};

/// What the commands of a batch name.
#[derive(Default)]
struct Wanted {
    accounts: BTreeSet<String>,
    holds: BTreeSet<String>,
    owners: BTreeSet<String>,
    requests: BTreeSet<String>,
    references: BTreeSet<String>,
    /// References of payments, refunds and disputes.
    moves: BTreeSet<String>,
    keys: BTreeSet<String>,
    /// Accounts whose members may change.
    peopled: BTreeSet<String>,
}

impl Wanted {
    fn of(commands: &[Command]) -> Self {
        let mut wanted = Self::default();
        wanted.accounts.insert(AccountId::platform_fees().into());
        wanted.accounts.insert(AccountId::platform_grants().into());
        for command in commands {
            wanted.add(command);
        }
        wanted
    }

    fn add(&mut self, command: &Command) {
        match command {
            Command::OpenAccount { id: account, .. } | Command::Freeze { account, .. } => {
                self.account(account.as_str());
            }
            Command::Credit { credit, .. } => {
                self.account(credit.account.as_str());
                self.references.insert(credit.reference.as_str().to_owned());
            }
            Command::Deposit { deposit: Deposit { account, reference, .. }, .. }
            | Command::Refund { refund: Refund { account, reference, .. }, .. }
            | Command::Dispute { dispute: Dispute { account, reference, .. }, .. } => {
                self.account(account.as_str());
                self.moves.insert(reference.as_str().to_owned());
            }
            Command::EndRefund { refund: reference, .. } | Command::EndDispute { dispute: reference, .. } => {
                self.moves.insert(reference.as_str().to_owned());
            }
            Command::Hold { hold, .. } => {
                self.account(hold.account.as_str());
                self.hold(hold.id.as_str());
            }
            Command::Extend { extend, .. } => self.hold(extend.hold.as_str()),
            Command::Renew { holds, .. } => holds.iter().for_each(|hold| self.hold(hold.as_str())),
            Command::Capture { captures, .. } => {
                for capture in captures {
                    self.hold(capture.hold.as_str());
                    self.requests.insert(capture.request.as_str().to_owned());
                    for part in capture.charge.parts() {
                        self.accounts.insert(AccountId::of_operator(&part.operator).into());
                    }
                }
            }
            Command::Release { hold, .. } => self.hold(hold.as_str()),
            Command::ReleaseOwner { owner, .. } => drop(self.owners.insert(owner.as_str().to_owned())),
            Command::Sweep { .. } => {}
            Command::CreateKey { key, .. } => self.account(&key.account),
            Command::UpdateKey { key, .. } | Command::RotateKey { key, .. } | Command::RevokeKey { key, .. } => {
                self.keys.insert(key.as_str().to_owned());
            }
            Command::PutMember { member: MemberRow { account, .. }, .. } => {
                self.account(account);
                self.peopled.insert(account.clone());
            }
            Command::RemoveMember { account, .. } => {
                self.account(account.as_str());
                self.peopled.insert(account.as_str().to_owned());
            }
        }
    }

    fn account(&mut self, id: &str) {
        self.accounts.insert(id.to_owned());
    }

    fn hold(&mut self, id: &str) {
        self.holds.insert(id.to_owned());
    }
}

/// Everything the batch needs, as it is in the file now.
pub(super) async fn load(
    connection: &mut SqliteConnection,
    now: i64,
    commands: &[Command],
) -> Result<Books, LedgerError> {
    let mut wanted = Wanted::of(commands);
    let holds = holds(connection, now, &wanted).await?;
    wanted.accounts.extend(holds.iter().map(|hold| hold.account.clone()));

    let moves: Vec<PastMove> = rows(
        connection,
        "SELECT t.kind, t.reference, t.memo, t.seq, payer.account AS payer, payee.account AS payee, payee.amount
         FROM transfers t
         JOIN entries payer ON payer.transfer = t.seq AND payer.amount < 0
         JOIN entries payee ON payee.transfer = t.seq AND payee.amount > 0
         WHERE t.kind IN ('deposit', 'refund', 'refund_end', 'dispute', 'dispute_end')
           AND t.reference IN (SELECT value FROM json_each(?1))",
        &wanted.moves,
    )
    .await?;
    if !wanted.moves.is_empty() {
        wanted.accounts.extend(platform::PLATFORM.iter().map(|account| account.id.to_owned()));
    }
    wanted.accounts.extend(moves.iter().flat_map(|past| [past.payer.clone(), past.payee.clone()]));

    let accounts: Vec<AccountRow> = rows(
        connection,
        "SELECT id, kind, name, frozen, created_at, balance, held, disputes FROM accounts
         WHERE id IN (SELECT value FROM json_each(?1))",
        &wanted.accounts,
    )
    .await?;
    let charges: Vec<ChargeRow> = rows(
        connection,
        "SELECT * FROM charges WHERE request_id IN (SELECT value FROM json_each(?1))",
        &wanted.requests,
    )
    .await?;
    let parts = parts_of(connection, &charges).await?;
    let credits: Vec<PastCredit> = rows(
        connection,
        "SELECT t.reference, t.memo, t.seq, e.account, e.amount
         FROM transfers t JOIN entries e ON e.transfer = t.seq AND e.amount > 0
         WHERE t.kind = 'credit' AND t.reference IN (SELECT value FROM json_each(?1))",
        &wanted.references,
    )
    .await?;
    let keys: Vec<KeyRow> =
        rows(connection, "SELECT * FROM keys WHERE id IN (SELECT value FROM json_each(?1))", &wanted.keys).await?;
    let members: Vec<MemberRow> =
        rows(connection, "SELECT * FROM members WHERE account IN (SELECT value FROM json_each(?1))", &wanted.peopled)
            .await?;

    Ok(Books {
        now,
        head: head(connection).await?,
        accounts: by(accounts, |row| row.id.clone()),
        holds: by(holds, |row| row.id.clone()),
        keys: by(keys, |row| row.id.clone()),
        members: members
            .into_iter()
            .map(|row| ((row.account.clone(), row.subject.clone()), Tracked::clean(Some(row))))
            .collect(),
        charges: charges.into_iter().map(|row| (row.request_id.clone(), row)).collect(),
        parts,
        credits: credits.into_iter().map(|row| (row.reference.clone(), row)).collect(),
        moves: moves.into_iter().map(|past| (past.name(), past)).collect(),
        swept: 0,
        new_transfers: Vec::new(),
        new_entries: Vec::new(),
        new_charges: Vec::new(),
        new_parts: Vec::new(),
    })
}

/// Holds that are named, and open ones past their expiry. Holds of a named owner are found by walking the open
/// ones, so that is asked only where a command wants it.
async fn holds(connection: &mut SqliteConnection, now: i64, wanted: &Wanted) -> Result<Vec<HoldRow>, LedgerError> {
    let mut holds: Vec<HoldRow> = sqlx::query_as(
        "SELECT * FROM holds WHERE id IN (SELECT value FROM json_each(?1))
         UNION ALL SELECT * FROM holds WHERE state = 'open' AND expires_at <= ?2",
    )
    .bind(serde_json::to_string(&wanted.holds)?)
    .bind(now)
    .fetch_all(&mut *connection)
    .await?;
    let owned = "SELECT * FROM holds WHERE state = 'open' AND owner IN (SELECT value FROM json_each(?1))";
    holds.extend(rows::<HoldRow>(connection, owned, &wanted.owners).await?);
    Ok(holds)
}

/// The rows that a list of names selects; no statement at all for an empty list.
async fn rows<T>(
    connection: &mut SqliteConnection,
    sql: &'static str,
    names: &BTreeSet<String>,
) -> Result<Vec<T>, LedgerError>
where
    T: for<'r> sqlx::FromRow<'r, sqlx::sqlite::SqliteRow> + Send + Unpin,
{
    if names.is_empty() {
        return Ok(Vec::new());
    }
    Ok(sqlx::query_as(sql).bind(serde_json::to_string(names)?).fetch_all(connection).await?)
}

fn by<T>(rows: Vec<T>, key: impl Fn(&T) -> String) -> HashMap<String, Tracked<T>> {
    rows.into_iter().map(|row| (key(&row), Tracked::clean(row))).collect()
}
