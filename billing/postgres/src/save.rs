//! Writes what a batch changed: the rows of a table as one statement, whose parameters are its columns.
//!
//! A statement per row was rejected: each waits for the server's answer while all gateways wait for the lock.

use peerway_billing_store::{
    AccountRow, AlertRow, Changes, ChargeRow, CheckpointRow, DayRow, EntryRow, HoldRow, HookRow, KeyRow, MemberRow,
    NodeRow, OwnerRow, PartRow, ShareRow, TransferRow,
};
use sqlx::PgConnection;

/// A field as an element of its column's array: texts are lent.
trait Cell {
    type Lent<'a>
    where
        Self: 'a;
    fn lent(&self) -> Self::Lent<'_>;
}

impl Cell for i64 {
    type Lent<'a> = i64;
    fn lent(&self) -> i64 {
        *self
    }
}

impl Cell for String {
    type Lent<'a> = &'a str;
    fn lent(&self) -> &str {
        self
    }
}

impl<T: Cell> Cell for Option<T> {
    type Lent<'a>
        = Option<T::Lent<'a>>
    where
        T: 'a;
    fn lent(&self) -> Option<T::Lent<'_>> {
        self.as_ref().map(T::lent)
    }
}

/// How rows of one kind are written.
macro_rules! save {
    ($name:ident, $row:ty, $sql:literal, [$($column:ident),+ $(,)?]) => {
        async fn $name(connection: &mut PgConnection, rows: &[$row]) -> Result<(), sqlx::Error> {
            if rows.is_empty() {
                return Ok(());
            }
            $(let $column: Vec<_> = rows.iter().map(|row| row.$column.lent()).collect();)+
            sqlx::query!($sql, $(&$column as _),+).execute(connection).await?;
            Ok(())
        }
    };
}

save!(
    transfers,
    TransferRow,
    "INSERT INTO transfers (seq, kind, reference, memo, created_at, prev_hash, hash, audit_account, audit)
     SELECT * FROM UNNEST($1::bigint[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::text[],
     $7::text[], $8::text[], $9::text[])",
    [seq, kind, reference, memo, created_at, prev_hash, hash, audit_account, audit]
);
save!(
    entries,
    EntryRow,
    "INSERT INTO entries (transfer, line, account, amount)
     SELECT * FROM UNNEST($1::bigint[], $2::bigint[], $3::text[], $4::bigint[])",
    [transfer, line, account, amount]
);
save!(
    charges,
    ChargeRow,
    "INSERT INTO charges (request_id, transfer, hold, late, account, key_id, node, operator, model, price_input,
     price_cached, price_output, fee_bps, prompt, cached, completion, claimed_prompt, claimed_cached,
     claimed_completion, total, earned, fee, shortfall, outcome, created_at, token_id)
     SELECT * FROM UNNEST($1::text[], $2::bigint[], $3::text[], $4::bigint[], $5::text[], $6::text[],
     $7::text[], $8::text[], $9::text[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[],
     $14::bigint[], $15::bigint[], $16::bigint[], $17::bigint[], $18::bigint[], $19::bigint[], $20::bigint[],
     $21::bigint[], $22::bigint[], $23::bigint[], $24::text[], $25::bigint[], $26::text[])",
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
save!(
    charge_parts,
    PartRow,
    "INSERT INTO charge_parts (transfer, part, node, operator, price_input, price_cached, price_output, prompt,
     cached, completion, claimed_prompt, claimed_cached, claimed_completion, earned)
     SELECT * FROM UNNEST($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::bigint[], $6::bigint[],
     $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[],
     $14::bigint[])",
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
save!(
    holds,
    HoldRow,
    "INSERT INTO holds (id, account, amount, captured, state, expires_at, owner, created_at, seal)
     SELECT * FROM UNNEST($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::text[], $6::bigint[],
     $7::text[], $8::bigint[], $9::text[])
     ON CONFLICT (id) DO UPDATE SET amount = excluded.amount, captured = excluded.captured, state =
     excluded.state, expires_at = excluded.expires_at, seal = excluded.seal",
    [id, account, amount, captured, state, expires_at, owner, created_at, seal]
);
save!(
    accounts,
    AccountRow,
    "INSERT INTO accounts (id, kind, name, frozen, created_at, balance, held, disputes)
     SELECT * FROM UNNEST($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[],
     $7::bigint[], $8::bigint[])
     ON CONFLICT (id) DO UPDATE SET frozen = excluded.frozen, balance = excluded.balance, held = excluded.held,
     disputes = excluded.disputes",
    [id, kind, name, frozen, created_at, balance, held, disputes]
);
save!(
    keys,
    KeyRow,
    "INSERT INTO keys (id, account, name, prefix, sha256, created_at, revoked_at, policy, replaced_by, root)
     SELECT * FROM UNNEST($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[],
     $7::bigint[], $8::text[], $9::text[], $10::text[])
     ON CONFLICT (id) DO UPDATE SET name = excluded.name, policy = excluded.policy, replaced_by =
     excluded.replaced_by, revoked_at = excluded.revoked_at",
    [id, account, name, prefix, sha256, created_at, revoked_at, policy, replaced_by, root]
);
save!(
    members,
    MemberRow,
    "INSERT INTO members (account, subject, role, name, created_at)
     SELECT * FROM UNNEST($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[])
     ON CONFLICT (account, subject) DO UPDATE SET role = excluded.role, name = excluded.name",
    [account, subject, role, name, created_at]
);
save!(
    owners,
    OwnerRow,
    "INSERT INTO owners (owner, epoch, taken_at)
     SELECT * FROM UNNEST($1::text[], $2::bigint[], $3::bigint[])
     ON CONFLICT (owner) DO UPDATE SET epoch = excluded.epoch, taken_at = excluded.taken_at",
    [owner, epoch, taken_at]
);
save!(
    days,
    DayRow,
    // Added up, and no further than the largest number.
    "INSERT INTO usage_days (account, day, key, model, requests, prompt, cached, completion, total)
     SELECT * FROM UNNEST($1::text[], $2::bigint[], $3::text[], $4::text[], $5::bigint[], $6::bigint[],
     $7::bigint[], $8::bigint[], $9::bigint[])
     ON CONFLICT (account, day, key, model) DO UPDATE SET
     requests = usage_days.requests + excluded.requests,
     prompt = LEAST(usage_days.prompt::numeric + excluded.prompt, 9223372036854775807)::bigint,
     cached = LEAST(usage_days.cached::numeric + excluded.cached, 9223372036854775807)::bigint,
     completion = LEAST(usage_days.completion::numeric + excluded.completion, 9223372036854775807)::bigint,
     total = LEAST(usage_days.total::numeric + excluded.total, 9223372036854775807)::bigint",
    [account, day, key, model, requests, prompt, cached, completion, total]
);
// Several gateways may come to the same node, and to the same checkpoint: it is the same, or the first that was signed.
save!(
    nodes,
    NodeRow,
    "INSERT INTO merkle_nodes (level, place, hash)
     SELECT * FROM UNNEST($1::bigint[], $2::bigint[], $3::text[]) ON CONFLICT DO NOTHING",
    [level, place, hash]
);
save!(
    checkpoints,
    CheckpointRow,
    "INSERT INTO checkpoints (seq, hash, root, at, key, signature)
     SELECT * FROM UNNEST($1::bigint[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::text[])
     ON CONFLICT DO NOTHING",
    [seq, hash, root, at, key, signature]
);
save!(
    hooks,
    HookRow,
    "INSERT INTO alert_hooks (account, url, secret, budgets, created_at)
     SELECT * FROM UNNEST($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[])
     ON CONFLICT (account) DO UPDATE SET url = excluded.url, secret = excluded.secret, budgets = excluded.budgets,
     created_at = excluded.created_at",
    [account, url, secret, budgets, created_at]
);
save!(
    alerts,
    AlertRow,
    "INSERT INTO alerts (id, account, scope, span, since, level, budget, spent, created_at, state, attempts, next_at,
     seal)
     SELECT * FROM UNNEST($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::bigint[],
     $8::bigint[], $9::bigint[], $10::text[], $11::bigint[], $12::bigint[], $13::text[])
     ON CONFLICT (id) DO UPDATE SET state = excluded.state, attempts = excluded.attempts, next_at = excluded.next_at,
     seal = excluded.seal",
    [id, account, scope, span, since, level, budget, spent, created_at, state, attempts, next_at, seal]
);
save!(
    shares,
    ShareRow,
    "INSERT INTO budget_shares (scope, owner, amount, expires_at, seal)
     SELECT * FROM UNNEST($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::text[])
     ON CONFLICT (scope, owner) DO UPDATE SET amount = excluded.amount, expires_at = excluded.expires_at,
     seal = excluded.seal",
    [scope, owner, amount, expires_at, seal]
);

/// Writes every changed row.
pub(crate) async fn save(connection: &mut PgConnection, changes: &Changes) -> Result<(), sqlx::Error> {
    accounts(connection, &changes.accounts).await?;
    transfers(connection, &changes.transfers).await?;
    entries(connection, &changes.entries).await?;
    charges(connection, &changes.charges).await?;
    charge_parts(connection, &changes.parts).await?;
    days(connection, &changes.days).await?;
    nodes(connection, &changes.nodes).await?;
    checkpoints(connection, &changes.checkpoints).await?;
    holds(connection, &changes.holds).await?;
    owners(connection, &changes.owners).await?;
    keys(connection, &changes.keys).await?;
    members(connection, &changes.members).await?;
    hooks(connection, &changes.hooks).await?;
    alerts(connection, &changes.alerts).await?;
    shares(connection, &changes.shares).await?;
    // Members leave rarely: a statement each will do.
    for (account, subject) in &changes.gone {
        let delete = sqlx::query!("DELETE FROM members WHERE account = $1 AND subject = $2", account, subject);
        delete.execute(&mut *connection).await?;
    }
    for account in &changes.unhooked {
        sqlx::query!("DELETE FROM alert_hooks WHERE account = $1", account).execute(&mut *connection).await?;
    }
    for (scope, owner) in &changes.unshared {
        let delete = sqlx::query!("DELETE FROM budget_shares WHERE scope = $1 AND owner = $2", scope, owner);
        delete.execute(&mut *connection).await?;
    }
    if let Some(moment) = changes.shares_until {
        let delete = sqlx::query!("DELETE FROM budget_shares WHERE expires_at <= $1", moment);
        delete.execute(&mut *connection).await?;
    }
    Ok(())
}
