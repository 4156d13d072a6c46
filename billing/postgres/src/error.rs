//! What PostgreSQL's failures mean to a ledger, and for how long an answer is waited for.

use std::time::Duration;

use peerway_billing_store::StoreError;

/// How long the server may work on one statement. It ends what takes longer.
pub(crate) const STATEMENT: Duration = Duration::from_secs(30);

/// How long all statements of one step may take, as seen from here: for a server that has gone without a word.
const ANSWER: Duration = Duration::from_secs(60);

/// `data_corrupted` and `index_corrupted`.
const CORRUPTED: [&str; 2] = ["XX001", "XX002"];

/// The answer to what was asked, if it comes in time.
pub(crate) async fn answer<T>(asked: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, StoreError> {
    match tokio::time::timeout(ANSWER, asked).await {
        Ok(answered) => answered.map_err(|error| failed(&error)),
        Err(_) => Err(StoreError::Unavailable(format!("the server did not answer for {} s", ANSWER.as_secs()))),
    }
}

/// Whether what is kept rather than the way to it is at fault.
fn failed(error: &sqlx::Error) -> StoreError {
    let code = error.as_database_error().and_then(|database| database.code());
    let decodes = matches!(error, sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. });
    let message = error.to_string();
    if decodes || code.is_some_and(|code| CORRUPTED.contains(&&*code)) {
        StoreError::Damaged(message)
    } else {
        StoreError::Unavailable(message)
    }
}
