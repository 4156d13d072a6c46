//! Writes what a batch changed: many rows in one statement, and few different statements.
//!
//! A statement per row was rejected: each one wakes SQLite's thread, which costs more than the insert. Rows as
//! one JSON array, unpacked by SQLite, were measured and rejected: unpacking 25 columns took ten times as long
//! as binding them. So rows go in groups of 64, 32, … 1, each size one prepared statement that stays prepared.
//!
//! The statement for one row is checked when this is compiled. Those for more repeat its row, and are otherwise the same.

use std::sync::{Arc, LazyLock};

use peerway_billing_store::{
    AccountRow, AlertRow, Changes, ChargeRow, CheckpointRow, DayRow, EntryRow, HoldRow, HookRow, KeyRow, MemberRow,
    NodeRow, OwnerRow, PartRow, ShareRow, TransferRow,
};
use sqlx::query::Query;
use sqlx::sqlite::SqliteArguments;
use sqlx::{AssertSqlSafe, Sqlite, SqliteConnection};

/// Rows per statement are powers of two up to two to this.
const LARGEST: usize = 6;

/// The statements of one table for 2, 4, 8, … rows.
type Statements = [Arc<str>; LARGEST];

type Insert<'q> = Query<'q, Sqlite, SqliteArguments>;

/// A row that knows its table.
trait Row {
    /// The statement for this row alone.
    fn alone(&self) -> Insert<'_>;
    /// The statements for more.
    fn together() -> &'static Statements;
    /// Adds the row to one of these.
    fn bind<'q>(&self, insert: Insert<'q>) -> Insert<'q>;
}

macro_rules! row {
    ($row:ty, $into:literal, $values:literal, $conflict:literal, [$($column:ident),+ $(,)?]) => {
        impl Row for $row {
            fn alone(&self) -> Insert<'_> {
                sqlx::query!($into + " VALUES " + $values + " " + $conflict, $(self.$column),+)
            }

            fn together() -> &'static Statements {
                static STATEMENTS: LazyLock<Statements> = LazyLock::new(|| {
                    std::array::from_fn(|size| {
                        let rows = vec![$values; 2 << size].join(", ");
                        format!("{} VALUES {rows} {}", $into, $conflict).into()
                    })
                });
                &STATEMENTS
            }

            fn bind<'q>(&self, insert: Insert<'q>) -> Insert<'q> {
                insert$(.bind(&self.$column))+
            }
        }
    };
}

row!(
    TransferRow,
    "INSERT INTO transfers (seq, kind, reference, memo, created_at, prev_hash, hash, audit_account, audit)",
    "(?, ?, ?, ?, ?, ?, ?, ?, ?)",
    "",
    [seq, kind, reference, memo, created_at, prev_hash, hash, audit_account, audit]
);
row!(
    EntryRow,
    "INSERT INTO entries (transfer, line, account, amount)",
    "(?, ?, ?, ?)",
    "",
    [transfer, line, account, amount]
);
row!(
    ChargeRow,
    "INSERT INTO charges (request_id, transfer, hold, late, account, key_id, node, operator, model, price_input,
                          price_cached, price_output, fee_bps, prompt, cached, completion, claimed_prompt,
                          claimed_cached, claimed_completion, total, earned, fee, shortfall, outcome, created_at,
                          token_id)",
    "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    "",
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
    ]
);
row!(
    PartRow,
    "INSERT INTO charge_parts (transfer, part, node, operator, price_input, price_cached, price_output, prompt, cached,
                               completion, claimed_prompt, claimed_cached, claimed_completion, earned)",
    "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    "",
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
    ]
);
row!(
    HoldRow,
    "INSERT INTO holds (id, account, amount, captured, state, expires_at, owner, created_at, seal)",
    "(?, ?, ?, ?, ?, ?, ?, ?, ?)",
    "ON CONFLICT (id) DO UPDATE SET amount = excluded.amount, captured = excluded.captured, state = excluded.state,
                                    expires_at = excluded.expires_at, seal = excluded.seal",
    [id, account, amount, captured, state, expires_at, owner, created_at, seal]
);
row!(
    OwnerRow,
    "INSERT INTO owners (owner, epoch, taken_at)",
    "(?, ?, ?)",
    "ON CONFLICT (owner) DO UPDATE SET epoch = excluded.epoch, taken_at = excluded.taken_at",
    [owner, epoch, taken_at]
);
row!(
    AccountRow,
    "INSERT INTO accounts (id, kind, name, frozen, created_at, balance, held, disputes)",
    "(?, ?, ?, ?, ?, ?, ?, ?)",
    "ON CONFLICT (id) DO UPDATE SET frozen = excluded.frozen, balance = excluded.balance, held = excluded.held,
                                    disputes = excluded.disputes",
    [id, kind, name, frozen, created_at, balance, held, disputes]
);
row!(
    KeyRow,
    "INSERT INTO keys (id, account, name, prefix, sha256, created_at, revoked_at, policy, replaced_by, root)",
    "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    "ON CONFLICT (id) DO UPDATE SET name = excluded.name, policy = excluded.policy, replaced_by = excluded.replaced_by,
                                    revoked_at = excluded.revoked_at",
    [id, account, name, prefix, sha256, created_at, revoked_at, policy, replaced_by, root]
);
row!(
    MemberRow,
    "INSERT INTO members (account, subject, role, name, created_at)",
    "(?, ?, ?, ?, ?)",
    "ON CONFLICT (account, subject) DO UPDATE SET role = excluded.role, name = excluded.name",
    [account, subject, role, name, created_at]
);

row!(
    DayRow,
    "INSERT INTO usage_days (account, day, key, model, requests, prompt, cached, completion, total)",
    "(?, ?, ?, ?, ?, ?, ?, ?, ?)",
    // Added up, and no further than the largest number.
    "ON CONFLICT (account, day, key, model) DO UPDATE SET
        requests = requests + excluded.requests,
        prompt = CASE WHEN prompt > 9223372036854775807 - excluded.prompt THEN 9223372036854775807
                      ELSE prompt + excluded.prompt END,
        cached = CASE WHEN cached > 9223372036854775807 - excluded.cached THEN 9223372036854775807
                      ELSE cached + excluded.cached END,
        completion = CASE WHEN completion > 9223372036854775807 - excluded.completion THEN 9223372036854775807
                          ELSE completion + excluded.completion END,
        total = CASE WHEN total > 9223372036854775807 - excluded.total THEN 9223372036854775807
                     ELSE total + excluded.total END",
    [account, day, key, model, requests, prompt, cached, completion, total]
);
// Several gateways may come to the same node, and to the same checkpoint: it is the same, or the first that was signed.
row!(
    NodeRow,
    "INSERT INTO merkle_nodes (level, place, hash)",
    "(?, ?, ?)",
    "ON CONFLICT DO NOTHING",
    [level, place, hash]
);
row!(
    CheckpointRow,
    "INSERT INTO checkpoints (seq, hash, root, at, key, signature)",
    "(?, ?, ?, ?, ?, ?)",
    "ON CONFLICT DO NOTHING",
    [seq, hash, root, at, key, signature]
);
row!(
    HookRow,
    "INSERT INTO alert_hooks (account, url, secret, budgets, created_at)",
    "(?, ?, ?, ?, ?)",
    "ON CONFLICT (account) DO UPDATE SET url = excluded.url, secret = excluded.secret, budgets = excluded.budgets,
                                         created_at = excluded.created_at",
    [account, url, secret, budgets, created_at]
);
row!(
    AlertRow,
    "INSERT INTO alerts (id, account, scope, span, since, level, budget, spent, created_at, state, attempts, next_at,
                         seal)",
    "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    "ON CONFLICT (id) DO UPDATE SET state = excluded.state, attempts = excluded.attempts, next_at = excluded.next_at,
                                    seal = excluded.seal",
    [id, account, scope, span, since, level, budget, spent, created_at, state, attempts, next_at, seal]
);
row!(
    ShareRow,
    "INSERT INTO budget_shares (scope, owner, amount, expires_at, seal)",
    "(?, ?, ?, ?, ?)",
    "ON CONFLICT (scope, owner) DO UPDATE SET amount = excluded.amount, expires_at = excluded.expires_at,
                                              seal = excluded.seal",
    [scope, owner, amount, expires_at, seal]
);

/// Writes every changed row.
pub(crate) async fn save(connection: &mut SqliteConnection, changes: &Changes) -> Result<(), sqlx::Error> {
    let Changes { accounts, holds, owners, keys, members, gone, transfers, entries, charges, parts, .. } = changes;
    let Changes { days, nodes, checkpoints, hooks, unhooked, alerts, shares, unshared, shares_until, .. } = changes;
    write(connection, accounts).await?;
    write(connection, transfers).await?;
    write(connection, entries).await?;
    write(connection, charges).await?;
    write(connection, parts).await?;
    write(connection, days).await?;
    write(connection, nodes).await?;
    write(connection, checkpoints).await?;
    write(connection, holds).await?;
    write(connection, owners).await?;
    write(connection, keys).await?;
    write(connection, members).await?;
    write(connection, hooks).await?;
    write(connection, alerts).await?;
    write(connection, shares).await?;
    // Members leave rarely: a statement each will do.
    for (account, subject) in gone {
        let delete = sqlx::query!("DELETE FROM members WHERE account = ?1 AND subject = ?2", account, subject);
        delete.execute(&mut *connection).await?;
    }
    for account in unhooked {
        sqlx::query!("DELETE FROM alert_hooks WHERE account = ?1", account).execute(&mut *connection).await?;
    }
    for (scope, owner) in unshared {
        let delete = sqlx::query!("DELETE FROM budget_shares WHERE scope = ?1 AND owner = ?2", scope, owner);
        delete.execute(&mut *connection).await?;
    }
    if let Some(moment) = shares_until {
        let delete = sqlx::query!("DELETE FROM budget_shares WHERE expires_at <= ?1", moment);
        delete.execute(&mut *connection).await?;
    }
    Ok(())
}

async fn write<T: Row>(connection: &mut SqliteConnection, rows: &[T]) -> Result<(), sqlx::Error> {
    let mut rest = rows;
    while let Some(first) = rest.first() {
        let size = usize::try_from(rest.len().ilog2()).unwrap_or(0).min(LARGEST);
        let (group, others) = rest.split_at(1 << size);
        let insert = match size {
            0 => first.alone(),
            _ => {
                let sql = AssertSqlSafe(Arc::clone(&T::together()[size - 1]));
                group.iter().fold(sqlx::query(sql), |insert, row| row.bind(insert))
            }
        };
        insert.execute(&mut *connection).await?;
        rest = others;
    }
    Ok(())
}
