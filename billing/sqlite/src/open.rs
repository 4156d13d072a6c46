//! Opening a ledger file: making it, recognising it, bringing its schema up to date.
//!
//! sqlx's own migrator was rejected: it keeps its state in a table that a foreign file may have too, takes no
//! lock on SQLite, and cannot say "this is some other program's database". Two numbers in the file's header can.

use std::path::Path;
use std::time::{Duration, Instant};

use peerway_billing_store::OpenError;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, SqliteConnection};

use crate::error::{BUSY, NOT_A_DATABASE, code};

/// "PWLG": marks the file as ours.
const APPLICATION_ID: i64 = 0x5057_4c47;

/// One script per schema version, oldest first. Never edited once released.
const MIGRATIONS: [&str; 7] = [
    include_str!("../migrations/0001_ledger.sql"),
    include_str!("../migrations/0002_access.sql"),
    include_str!("../migrations/0003_parts.sql"),
    include_str!("../migrations/0004_owners.sql"),
    include_str!("../migrations/0005_money.sql"),
    include_str!("../migrations/0006_payments.sql"),
    include_str!("../migrations/0007_shares.sql"),
];

/// Prepared statements that stay prepared: seven sizes of insert for eight tables, and the questions.
const STATEMENTS: usize = 128;

/// How this crate connects to `path`.
pub(crate) fn connect_options(path: &Path, busy: Duration) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(busy)
        .statement_cache_capacity(STATEMENTS)
        .disable_statement_logging()
}

/// A connection to a ledger whose schema is the newest known.
pub(crate) async fn open(path: &Path, busy: Duration) -> Result<SqliteConnection, OpenError> {
    create_private(path)?;
    let mut connection = connect(path, busy).await.map_err(|error| explain(path, &error))?;
    migrate(path, &mut connection).await?;
    Ok(connection)
}

/// Connects, also while another process makes the same new file: turning on the write-ahead log is the one thing for which
/// SQLite does not wait by itself.
async fn connect(path: &Path, busy: Duration) -> Result<SqliteConnection, sqlx::Error> {
    let deadline = Instant::now() + busy;
    loop {
        match connect_options(path, busy).connect().await {
            Err(error) if code(&error) == Some(BUSY) && Instant::now() < deadline => {
                tokio::time::sleep(RETRY_PAUSE).await;
            }
            connected => return connected,
        }
    }
}

/// Makes the file for its owner alone: it holds names, balances and key hashes.
fn create_private(path: &Path) -> Result<(), OpenError> {
    let mut options = std::fs::OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => Ok(()),
        Err(error) => Err(OpenError::Unusable { place: path.display().to_string(), reason: error.to_string() }),
    }
}

async fn migrate(path: &Path, connection: &mut SqliteConnection) -> Result<(), OpenError> {
    let failed = |error: sqlx::Error| explain(path, &error);
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?;
    // Casts, because SQLite can say the type of an expression and not that of a pragma's column.
    let header = sqlx::query!(
        r#"SELECT CAST((SELECT application_id FROM pragma_application_id) AS INTEGER) AS "application!: i64",
                  CAST((SELECT user_version FROM pragma_user_version) AS INTEGER) AS "version!: i64",
                  (SELECT count(*) FROM sqlite_schema) AS "tables!: i64""#
    );
    let header = header.fetch_one(&mut *transaction).await.map_err(failed)?;
    let (application, version, tables) = (header.application, header.version, header.tables);
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    let ours = application == APPLICATION_ID;
    if !ours && (application != 0 || version != 0 || tables != 0) {
        let found = format!("a SQLite database of another program, with {tables} tables and indexes");
        return Err(OpenError::NotALedger { place: path.display().to_string(), found });
    }
    if version > known {
        return Err(OpenError::Newer { place: path.display().to_string(), found: version, known });
    }
    if version == known {
        return transaction.rollback().await.map_err(failed);
    }
    let done = usize::try_from(version).unwrap_or(0);
    for script in &MIGRATIONS[done..] {
        sqlx::raw_sql(*script).execute(&mut *transaction).await.map_err(failed)?;
    }
    let stamp = format!("PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {known};");
    // Pragmas take no parameters; the text is made of two numbers of this file.
    sqlx::raw_sql(sqlx::AssertSqlSafe(stamp)).execute(&mut *transaction).await.map_err(failed)?;
    transaction.commit().await.map_err(failed)
}

/// An empty database in memory with the newest schema, to compare a file's with.
pub(crate) async fn in_memory() -> Result<SqliteConnection, sqlx::Error> {
    let mut connection = SqliteConnectOptions::new().in_memory(true).connect().await?;
    for script in MIGRATIONS {
        sqlx::raw_sql(script).execute(&mut connection).await?;
    }
    Ok(connection)
}

/// Between two tries to connect to a file that another process is making.
const RETRY_PAUSE: Duration = Duration::from_millis(5);

fn explain(path: &Path, error: &sqlx::Error) -> OpenError {
    let place = path.display().to_string();
    if code(error) == Some(NOT_A_DATABASE) {
        return OpenError::NotALedger { place, found: "the file is not a SQLite database".to_owned() };
    }
    let reason = error.as_database_error().map_or_else(|| error.to_string(), |database| database.message().to_owned());
    OpenError::Unusable { place, reason: reason.replace('\n', " ") }
}
