//! Compares the file's schema with a fresh one: a dropped trigger or a damaged column name is found before
//! anything is read through it.

use sqlx::SqliteConnection;

use super::{Check, VerifyReport};
use crate::ledger::open;

/// Type, name and definition of everything in the schema. As bytes: damaged text may be no text.
type Definitions = Vec<(Vec<u8>, Vec<u8>, Vec<u8>)>;

/// Whether the schema is the expected one; if not, the report says what differs.
pub(super) async fn check(connection: &mut SqliteConnection, report: &mut VerifyReport) -> Result<bool, sqlx::Error> {
    let mut fresh = open::in_memory().await?;
    let (expected, found) = (read(&mut fresh).await?, read(connection).await?);
    if expected == found {
        return Ok(true);
    }
    let name = |definitions: &Definitions, others: &Definitions| {
        let odd = definitions.iter().find(|definition| !others.contains(definition))?;
        Some(String::from_utf8_lossy(&odd.1).escape_debug().to_string())
    };
    let message = "is missing or was changed; the rest of the file was not checked";
    let place = name(&expected, &found).or_else(|| name(&found, &expected)).unwrap_or_default();
    report.find(Check::Schema, format!("schema of {place}"), message);
    Ok(false)
}

async fn read(connection: &mut SqliteConnection) -> Result<Definitions, sqlx::Error> {
    sqlx::query_as(
        "SELECT CAST(type AS BLOB), CAST(name AS BLOB), CAST(COALESCE(sql, '') AS BLOB) FROM sqlite_schema
         ORDER BY type, name",
    )
    .fetch_all(connection)
    .await
}
