//! Writes what a batch changed: rows go as one JSON array per table, unpacked by SQLite itself.

use serde::Serialize;
use sqlx::SqliteConnection;

use super::{Books, Tracked};
use crate::error::LedgerError;
use crate::ledger::rows::HoldRow;

const TRANSFERS: &str = "
INSERT INTO transfers (seq, kind, reference, memo, created_at, prev_hash, hash)
SELECT value->>'seq', value->>'kind', value->>'reference', value->>'memo', value->>'created_at',
       value->>'prev_hash', value->>'hash'
FROM json_each(?1)";

const ENTRIES: &str = "
INSERT INTO entries (transfer, line, account, amount)
SELECT value->>'transfer', value->>'line', value->>'account', value->>'amount' FROM json_each(?1)";

const CHARGES: &str = "
INSERT INTO charges (request_id, transfer, hold, late, account, key_id, node, operator, model, price_input,
                     price_cached, price_output, fee_bps, prompt, cached, completion, claimed_prompt, claimed_cached,
                     claimed_completion, total, earned, fee, shortfall, outcome, created_at)
SELECT value->>'request_id', value->>'transfer', value->>'hold', value->>'late', value->>'account', value->>'key_id',
       value->>'node', value->>'operator', value->>'model', value->>'price_input', value->>'price_cached',
       value->>'price_output', value->>'fee_bps', value->>'prompt', value->>'cached', value->>'completion',
       value->>'claimed_prompt', value->>'claimed_cached', value->>'claimed_completion', value->>'total',
       value->>'earned', value->>'fee', value->>'shortfall', value->>'outcome', value->>'created_at'
FROM json_each(?1)";

const HOLDS: &str = "
INSERT INTO holds (id, account, amount, captured, state, expires_at, owner, created_at, seal)
SELECT value->>'id', value->>'account', value->>'amount', value->>'captured', value->>'state', value->>'expires_at',
       value->>'owner', value->>'created_at', value->>'seal'
FROM json_each(?1) WHERE true
ON CONFLICT (id) DO UPDATE SET amount = excluded.amount, captured = excluded.captured, state = excluded.state,
                               expires_at = excluded.expires_at, seal = excluded.seal";

const ACCOUNTS: &str = "
INSERT INTO accounts (id, kind, name, frozen, created_at, balance, held)
SELECT value->>'id', value->>'kind', value->>'name', value->>'frozen', value->>'created_at', value->>'balance',
       value->>'held'
FROM json_each(?1) WHERE true
ON CONFLICT (id) DO UPDATE SET frozen = excluded.frozen, balance = excluded.balance, held = excluded.held";

const KEYS: &str = "
INSERT INTO keys (id, account, name, prefix, sha256, created_at, revoked_at)
SELECT value->>'id', value->>'account', value->>'name', value->>'prefix', value->>'sha256', value->>'created_at',
       value->>'revoked_at'
FROM json_each(?1) WHERE true
ON CONFLICT (id) DO UPDATE SET revoked_at = excluded.revoked_at";

/// Writes every changed row. `false` when nothing changed, and there is nothing to commit.
pub(super) async fn store(connection: &mut SqliteConnection, books: &mut Books) -> Result<bool, LedgerError> {
    let mut holds: Vec<&mut HoldRow> =
        books.holds.values_mut().filter(|hold| hold.dirty).map(|hold| &mut hold.row).collect();
    for hold in &mut holds {
        hold.seal = hold.computed_seal();
    }
    let mut wrote = write(connection, ACCOUNTS, &dirty(books.accounts.values())).await?;
    wrote |= write(connection, TRANSFERS, &books.new_transfers).await?;
    wrote |= write(connection, ENTRIES, &books.new_entries).await?;
    wrote |= write(connection, CHARGES, &books.new_charges).await?;
    wrote |= write(connection, HOLDS, &holds).await?;
    wrote |= write(connection, KEYS, &dirty(books.keys.values())).await?;
    Ok(wrote)
}

fn dirty<'a, T: 'a>(rows: impl Iterator<Item = &'a Tracked<T>>) -> Vec<&'a T> {
    rows.filter(|tracked| tracked.dirty).map(|tracked| &tracked.row).collect()
}

async fn write<T: Serialize + Sync>(
    connection: &mut SqliteConnection,
    sql: &'static str,
    rows: &[T],
) -> Result<bool, LedgerError> {
    if rows.is_empty() {
        return Ok(false);
    }
    sqlx::query(sql).bind(serde_json::to_string(rows)?).execute(connection).await?;
    Ok(true)
}
