//! Writes what a batch changed: the rows of a table as one statement, whose parameters are its columns.
//!
//! A statement per row was rejected: each waits for the server's answer while all gateways wait for the lock.

use peerway_billing_store::{
    AccountRow, Changes, ChargeRow, EntryRow, HoldRow, KeyRow, MemberRow, PartRow, TransferRow,
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
    "INSERT INTO accounts (id, kind, name, frozen, created_at, balance, held)
     SELECT * FROM UNNEST($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[],
     $7::bigint[])
     ON CONFLICT (id) DO UPDATE SET frozen = excluded.frozen, balance = excluded.balance, held = excluded.held",
    [id, kind, name, frozen, created_at, balance, held]
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

/// Writes every changed row.
pub(crate) async fn save(connection: &mut PgConnection, changes: &Changes) -> Result<(), sqlx::Error> {
    accounts(connection, &changes.accounts).await?;
    transfers(connection, &changes.transfers).await?;
    entries(connection, &changes.entries).await?;
    charges(connection, &changes.charges).await?;
    charge_parts(connection, &changes.parts).await?;
    holds(connection, &changes.holds).await?;
    keys(connection, &changes.keys).await?;
    members(connection, &changes.members).await?;
    // Members leave rarely: a statement each will do.
    for (account, subject) in &changes.gone {
        let delete = sqlx::query!("DELETE FROM members WHERE account = $1 AND subject = $2", account, subject);
        delete.execute(&mut *connection).await?;
    }
    Ok(())
}
