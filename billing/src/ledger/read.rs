//! Questions that change nothing. They read committed state, beside the writer.

use std::collections::HashMap;

use sqlx::SqliteConnection;

use super::api::Ledger;
use super::chain::GENESIS;
use super::rows::{AccountRow, ChargeRow, HoldRow, PartRow};
use super::types::{Account, Head, Hold, Receipt};
use crate::error::LedgerError;
use crate::id::{AccountId, HoldId, RequestId};

/// The most accounts or receipts that one question answers.
const MOST: u32 = 10_000;

/// An account, with what its expired but unswept holds still take of `held`.
#[derive(sqlx::FromRow)]
struct AccountNow {
    #[sqlx(flatten)]
    account: AccountRow,
    expired: i64,
}

const ACCOUNT: &str = "
SELECT a.*, COALESCE((SELECT SUM(h.amount - h.captured) FROM holds h
                      WHERE h.state = 'open' AND h.expires_at <= ?2 AND h.account = a.id), 0) AS expired
FROM accounts a WHERE a.id = ?1";

const ACCOUNTS: &str = "
SELECT a.*, COALESCE((SELECT SUM(h.amount - h.captured) FROM holds h
                      WHERE h.state = 'open' AND h.expires_at <= ?2 AND h.account = a.id), 0) AS expired
FROM accounts a WHERE ?1 = '' OR a.id > ?1 ORDER BY a.id LIMIT ?3";

/// The newest transfer's place and hash.
pub(super) async fn head(connection: &mut SqliteConnection) -> Result<Head, LedgerError> {
    let newest: Option<(i64, String)> =
        sqlx::query_as("SELECT seq, hash FROM transfers ORDER BY seq DESC LIMIT 1").fetch_optional(connection).await?;
    let (seq, hash) = newest.unwrap_or_else(|| (0, GENESIS.to_owned()));
    Ok(Head { seq, hash })
}

/// The parts of those charges that have some, by their transfer.
pub(super) async fn parts_of(
    connection: &mut SqliteConnection,
    charges: &[ChargeRow],
) -> Result<HashMap<i64, Vec<PartRow>>, LedgerError> {
    let mut parts: HashMap<i64, Vec<PartRow>> = HashMap::new();
    if charges.is_empty() {
        return Ok(parts);
    }
    let transfers: Vec<i64> = charges.iter().map(|charge| charge.transfer).collect();
    let rows: Vec<PartRow> = sqlx::query_as(
        "SELECT * FROM charge_parts WHERE transfer IN (SELECT value FROM json_each(?1)) ORDER BY transfer, part",
    )
    .bind(serde_json::to_string(&transfers)?)
    .fetch_all(connection)
    .await?;
    for row in rows {
        parts.entry(row.transfer).or_default().push(row);
    }
    Ok(parts)
}

/// Charges as receipts, with their parts.
async fn receipts(connection: &mut SqliteConnection, charges: &[ChargeRow]) -> Result<Vec<Receipt>, LedgerError> {
    let parts = parts_of(connection, charges).await?;
    let of = |charge: &ChargeRow| charge.to_receipt(parts.get(&charge.transfer).map_or(&[], Vec::as_slice));
    charges.iter().map(of).collect()
}

impl Ledger {
    /// The newest link of the hash chain.
    ///
    /// # Errors
    /// The database's failure.
    pub async fn head(&self) -> Result<Head, LedgerError> {
        head(&mut *self.readers().acquire().await?).await
    }

    /// An account and what is on it.
    ///
    /// # Errors
    /// No such account, or the database's failure.
    pub async fn account(&self, id: &AccountId) -> Result<Account, LedgerError> {
        let row: Option<AccountNow> = sqlx::query_as(ACCOUNT)
            .bind(id.as_str())
            .bind(self.clock().now().as_millis())
            .fetch_optional(self.readers())
            .await?;
        let row = row.ok_or_else(|| LedgerError::not_found("account", id))?;
        row.account.to_account(row.expired)
    }

    /// Accounts in the order of their ids, `limit` of them (10 000 at most), beginning after `after`;
    /// `None` begins with the first.
    ///
    /// # Errors
    /// The database's failure.
    pub async fn accounts(&self, after: Option<&AccountId>, limit: u32) -> Result<Vec<Account>, LedgerError> {
        let rows: Vec<AccountNow> = sqlx::query_as(ACCOUNTS)
            .bind(after.map_or("", AccountId::as_str))
            .bind(self.clock().now().as_millis())
            .bind(limit.min(MOST))
            .fetch_all(self.readers())
            .await?;
        rows.iter().map(|row| row.account.to_account(row.expired)).collect()
    }

    /// A hold as it is stored: one past its expiry is open until it is swept.
    ///
    /// # Errors
    /// No such hold, or the database's failure.
    pub async fn hold_by_id(&self, id: &HoldId) -> Result<Hold, LedgerError> {
        let row: Option<HoldRow> = sqlx::query_as("SELECT * FROM holds WHERE id = ?1")
            .bind(id.as_str())
            .fetch_optional(self.readers())
            .await?;
        row.ok_or_else(|| LedgerError::not_found("hold", id))?.to_hold()
    }

    /// The receipt of a request.
    ///
    /// # Errors
    /// No such charge, or the database's failure.
    pub async fn charge(&self, request: &RequestId) -> Result<Receipt, LedgerError> {
        let mut connection = self.readers().acquire().await?;
        let rows: Vec<ChargeRow> = sqlx::query_as("SELECT * FROM charges WHERE request_id = ?1")
            .bind(request.as_str())
            .fetch_all(&mut *connection)
            .await?;
        let receipt = receipts(&mut connection, &rows).await?.pop();
        receipt.ok_or_else(|| LedgerError::not_found("charge", request))
    }

    /// The newest receipts of an account, newest first, `limit` of them (10 000 at most).
    ///
    /// # Errors
    /// The database's failure. An unknown account has no receipts.
    pub async fn charges(&self, account: &AccountId, limit: u32) -> Result<Vec<Receipt>, LedgerError> {
        let mut connection = self.readers().acquire().await?;
        let rows: Vec<ChargeRow> =
            sqlx::query_as("SELECT * FROM charges WHERE account = ?1 ORDER BY transfer DESC LIMIT ?2")
                .bind(account.as_str())
                .bind(limit.min(MOST))
                .fetch_all(&mut *connection)
                .await?;
        receipts(&mut connection, &rows).await
    }
}
