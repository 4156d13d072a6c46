//! Writes what a batch changed: many rows in one statement, and few different statements.
//!
//! A statement per row was rejected: each one wakes SQLite's thread, which costs more than the insert. Rows as
//! one JSON array, unpacked by SQLite, were measured and rejected: unpacking 25 columns took ten times as long
//! as binding them. So rows go in groups of 64, 32, … 1, each size one prepared statement that stays prepared.

use std::sync::{Arc, LazyLock};

use sqlx::query::Query;
use sqlx::sqlite::SqliteArguments;
use sqlx::{AssertSqlSafe, Sqlite, SqliteConnection};

use super::{Books, Tracked};
use crate::error::LedgerError;
use crate::ledger::rows::{AccountRow, ChargeRow, EntryRow, HoldRow, KeyRow, MemberRow, PartRow, TransferRow};

/// Rows per statement are powers of two up to two to this.
const LARGEST: usize = 6;

/// The statements of one table, by the binary logarithm of their rows.
type Statements = [Arc<str>; LARGEST + 1];

type Insert<'q> = Query<'q, Sqlite, SqliteArguments>;

/// A row that knows its table.
trait Row {
    fn statements() -> &'static Statements;
    fn bind<'q>(&self, insert: Insert<'q>) -> Insert<'q>;
}

/// `INSERT` for 1, 2, 4, … rows. All parts are constants of this file.
fn statements(table: &str, columns: &[&str], conflict: &str) -> Statements {
    let row = format!("({})", vec!["?"; columns.len()].join(", "));
    std::array::from_fn(|size| {
        let rows = vec![row.as_str(); 1 << size].join(", ");
        format!("INSERT INTO {table} ({}) VALUES {rows} {conflict}", columns.join(", ")).into()
    })
}

macro_rules! row {
    ($row:ty, $table:literal, [$($column:ident),+ $(,)?], $conflict:literal) => {
        impl Row for $row {
            fn statements() -> &'static Statements {
                static STATEMENTS: LazyLock<Statements> =
                    LazyLock::new(|| statements($table, &[$(stringify!($column)),+], $conflict));
                &STATEMENTS
            }

            fn bind<'q>(&self, insert: Insert<'q>) -> Insert<'q> {
                insert$(.bind(&self.$column))+
            }
        }
    };
}

row!(TransferRow, "transfers", [seq, kind, reference, memo, created_at, prev_hash, hash, audit_account, audit], "");
row!(EntryRow, "entries", [transfer, line, account, amount], "");
row!(
    ChargeRow,
    "charges",
    [
        request_id,
        transfer,
        hold,
        late,
        account,
        key_id,
        node,
        operator,
        model,
        price_input,
        price_cached,
        price_output,
        fee_bps,
        prompt,
        cached,
        completion,
        claimed_prompt,
        claimed_cached,
        claimed_completion,
        total,
        earned,
        fee,
        shortfall,
        outcome,
        created_at,
        token_id
    ],
    ""
);
row!(
    PartRow,
    "charge_parts",
    [
        transfer,
        part,
        node,
        operator,
        price_input,
        price_cached,
        price_output,
        prompt,
        cached,
        completion,
        claimed_prompt,
        claimed_cached,
        claimed_completion,
        earned
    ],
    ""
);
row!(
    HoldRow,
    "holds",
    [id, account, amount, captured, state, expires_at, owner, created_at, seal],
    "ON CONFLICT (id) DO UPDATE SET amount = excluded.amount, captured = excluded.captured, state = excluded.state,
                                    expires_at = excluded.expires_at, seal = excluded.seal"
);
row!(
    AccountRow,
    "accounts",
    [id, kind, name, frozen, created_at, balance, held, disputes],
    "ON CONFLICT (id) DO UPDATE SET frozen = excluded.frozen, balance = excluded.balance, held = excluded.held,
                                    disputes = excluded.disputes"
);
row!(
    KeyRow,
    "keys",
    [id, account, name, prefix, sha256, created_at, revoked_at, policy, replaced_by, root],
    "ON CONFLICT (id) DO UPDATE SET name = excluded.name, policy = excluded.policy, replaced_by = excluded.replaced_by,
                                    revoked_at = excluded.revoked_at"
);
row!(
    MemberRow,
    "members",
    [account, subject, role, name, created_at],
    "ON CONFLICT (account, subject) DO UPDATE SET role = excluded.role, name = excluded.name"
);

/// Writes every changed row. `false` when nothing changed, and there is nothing to commit.
pub(super) async fn store(connection: &mut SqliteConnection, books: &mut Books) -> Result<bool, LedgerError> {
    for hold in books.holds.values_mut().filter(|hold| hold.dirty) {
        hold.row.seal = hold.row.computed_seal();
    }
    let mut wrote = write(connection, &dirty(books.accounts.values())).await?;
    wrote |= write(connection, &all(&books.new_transfers)).await?;
    wrote |= write(connection, &all(&books.new_entries)).await?;
    wrote |= write(connection, &all(&books.new_charges)).await?;
    wrote |= write(connection, &all(&books.new_parts)).await?;
    wrote |= write(connection, &dirty(books.holds.values())).await?;
    wrote |= write(connection, &dirty(books.keys.values())).await?;
    for ((account, subject), member) in books.members.iter().filter(|(_, member)| member.dirty) {
        match &member.row {
            Some(row) => wrote |= write(connection, &[row]).await?,
            None => wrote |= remove_member(connection, account, subject).await?,
        }
    }
    Ok(wrote)
}

/// Members come and go rarely: a statement each will do. Somebody who was added and removed in one batch is in the log
/// alone.
async fn remove_member(connection: &mut SqliteConnection, account: &str, subject: &str) -> Result<bool, LedgerError> {
    let delete = sqlx::query("DELETE FROM members WHERE account = ?1 AND subject = ?2").bind(account).bind(subject);
    delete.execute(connection).await?;
    Ok(true)
}

fn dirty<'a, T: 'a>(rows: impl Iterator<Item = &'a Tracked<T>>) -> Vec<&'a T> {
    rows.filter(|tracked| tracked.dirty).map(|tracked| &tracked.row).collect()
}

fn all<T>(rows: &[T]) -> Vec<&T> {
    rows.iter().collect()
}

async fn write<T: Row>(connection: &mut SqliteConnection, rows: &[&T]) -> Result<bool, LedgerError> {
    let mut rest = rows;
    while !rest.is_empty() {
        let size = usize::try_from(rest.len().ilog2()).unwrap_or(0).min(LARGEST);
        let (group, others) = rest.split_at(1 << size);
        let sql = AssertSqlSafe(Arc::clone(&T::statements()[size]));
        let insert = group.iter().fold(sqlx::query(sql), |insert, row| row.bind(insert));
        insert.execute(&mut *connection).await?;
        rest = others;
    }
    Ok(!rows.is_empty())
}
