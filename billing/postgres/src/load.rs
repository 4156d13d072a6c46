//! Reads the rows that a batch can touch: first what it names, then what those rows name.
//!
//! Names go to the server as one array, so that a statement is the same for any number of them. None is run for no names.

use std::collections::BTreeSet;

use peerway_billing_store::{
    ChargeRow, FirstDays, HoldRow, Link, Loaded, PartRow, PastCredit, PastMove, Spender, Sums, Wanted,
};
use sqlx::PgConnection;

use crate::tables::{accounts, alerts, charges, holds, hooks, keys, members, owners, parts, shares};

/// The rows that a list of names selects.
macro_rules! named {
    ($connection:ident, $names:expr, $table:ident, $rest:literal) => {{
        let names: Vec<_> = $names.into_iter().collect();
        if names.is_empty() { Vec::new() } else { $table!($rest, &names as _).fetch_all(&mut *$connection).await? }
    }};
}

/// Everything the batch needs, as it is in the database now.
pub(crate) async fn load(connection: &mut PgConnection, wanted: &Wanted) -> Result<Loaded, sqlx::Error> {
    let holds = holds(connection, wanted).await?;
    let moves = moves(connection, &wanted.moves).await?;
    let accounts = named!(connection, wanted.accounts_with(&holds, &moves), accounts, "WHERE id = ANY($1)");
    let owners = named!(connection, &wanted.epochs, owners, "WHERE owner = ANY($1)");
    let charges = named!(connection, &wanted.requests, charges, "WHERE request_id = ANY($1)");
    let parts = parts_of(connection, &charges).await?;
    let credits = credits(connection, &wanted.references).await?;
    let keys = named!(connection, &wanted.keys, keys, "WHERE id = ANY($1)");
    let members = named!(connection, &wanted.peopled, members, "WHERE account = ANY($1)");
    let hooks = named!(connection, &wanted.hooks, hooks, "WHERE account = ANY($1)");
    let alerts = named!(connection, &wanted.alerts, alerts, "WHERE id = ANY($1)");
    let mut shares = named!(connection, wanted.budgets.keys(), shares, "WHERE scope = ANY($1)");
    shares.extend(named!(connection, &wanted.owners, shares, "WHERE owner = ANY($1)"));
    let spent = spent(connection, wanted).await?;
    let head = head(connection).await?;
    Ok(Loaded {
        head,
        accounts,
        holds,
        owners,
        charges,
        parts,
        credits,
        moves,
        keys,
        members,
        hooks,
        alerts,
        shares,
        spent,
    })
}

/// Holds that are named, and open ones past their expiry. Holds of a named owner are found by walking the open
/// ones, so that is asked only where it is wanted.
async fn holds(connection: &mut PgConnection, wanted: &Wanted) -> Result<Vec<HoldRow>, sqlx::Error> {
    let mut holds = named!(connection, &wanted.holds, holds, "WHERE id = ANY($1)");
    let overdue = holds!("WHERE state = 'open' AND expires_at <= $1", wanted.now);
    holds.extend(overdue.fetch_all(&mut *connection).await?);
    holds.extend(named!(connection, &wanted.owners, holds, "WHERE state = 'open' AND owner = ANY($1)"));
    Ok(holds)
}

async fn credits(connection: &mut PgConnection, names: &BTreeSet<String>) -> Result<Vec<PastCredit>, sqlx::Error> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let names: Vec<&String> = names.iter().collect();
    let credits = sqlx::query_as!(
        PastCredit,
        "SELECT t.reference, t.memo, t.seq, e.account, e.amount
         FROM transfers t JOIN entries e ON e.transfer = t.seq AND e.amount > 0
         WHERE t.kind = 'credit' AND t.reference = ANY($1)",
        &names as _
    );
    credits.fetch_all(connection).await
}

async fn moves(connection: &mut PgConnection, names: &BTreeSet<String>) -> Result<Vec<PastMove>, sqlx::Error> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let names: Vec<&String> = names.iter().collect();
    let moves = sqlx::query_as!(
        PastMove,
        "SELECT t.kind, t.reference, t.memo, t.seq, payer.account AS payer, payee.account AS payee, payee.amount
         FROM transfers t
         JOIN entries payer ON payer.transfer = t.seq AND payer.amount < 0
         JOIN entries payee ON payee.transfer = t.seq AND payee.amount > 0
         WHERE t.kind IN ('deposit', 'refund', 'refund_end', 'dispute', 'dispute_end') AND t.reference = ANY($1)",
        &names as _
    );
    moves.fetch_all(connection).await
}

/// What was spent of each budget.
async fn spent(connection: &mut PgConnection, wanted: &Wanted) -> Result<Vec<(String, Sums)>, sqlx::Error> {
    let FirstDays { day, week, month } = wanted.since;
    let mut spent = Vec::with_capacity(wanted.budgets.len());
    for (scope, spender) in &wanted.budgets {
        let sums = match spender {
            Spender::Key(key) => {
                let sums = sqlx::query_as!(
                    Sums,
                    r#"SELECT COALESCE(SUM(total), 0)::bigint AS "total!",
                      COALESCE(SUM(CASE WHEN day >= $2 THEN total END), 0)::bigint AS "day!",
                      COALESCE(SUM(CASE WHEN day >= $3 THEN total END), 0)::bigint AS "week!",
                      COALESCE(SUM(CASE WHEN day >= $4 THEN total END), 0)::bigint AS "month!",
                      0::bigint AS "requests!"
               FROM usage_days WHERE key IN (SELECT $1::text UNION ALL SELECT id FROM keys WHERE root = $1)"#,
                    key,
                    day,
                    week,
                    month
                );
                sums.fetch_one(&mut *connection).await?
            }
            Spender::Token(token) => {
                let sums = sqlx::query_as!(
                    Sums,
                    r#"SELECT COALESCE(SUM(total), 0)::bigint AS "total!",
                      COALESCE(SUM(CASE WHEN day >= $2 THEN total END), 0)::bigint AS "day!",
                      COALESCE(SUM(CASE WHEN day >= $3 THEN total END), 0)::bigint AS "week!",
                      COALESCE(SUM(CASE WHEN day >= $4 THEN total END), 0)::bigint AS "month!",
                      0::bigint AS "requests!"
               FROM (SELECT total, created_at / 86400000 AS day FROM charges WHERE token_id = $1) AS shown"#,
                    token,
                    day,
                    week,
                    month
                );
                sums.fetch_one(&mut *connection).await?
            }
        };
        spent.push((scope.clone(), sums));
    }
    Ok(spent)
}

/// The newest transfer's place and hash.
pub(crate) async fn head(connection: &mut PgConnection) -> Result<Option<Link>, sqlx::Error> {
    let newest = sqlx::query_as!(Link, "SELECT seq, hash FROM transfers ORDER BY seq DESC LIMIT 1");
    newest.fetch_optional(connection).await
}

/// The parts of those charges that have some, in order.
pub(crate) async fn parts_of(
    connection: &mut PgConnection,
    charges: &[ChargeRow],
) -> Result<Vec<PartRow>, sqlx::Error> {
    let transfers = charges.iter().map(|charge| charge.transfer);
    Ok(named!(connection, transfers, parts, "WHERE transfer = ANY($1) ORDER BY transfer, part"))
}
