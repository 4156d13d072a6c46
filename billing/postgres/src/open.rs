//! Opening a ledger's database: reaching it, recognising it, bringing its schema up to date.
//!
//! sqlx's own migrator was rejected here as for SQLite: it cannot say "this is some other program's database", nor that
//! the schema is newer than what is known.

use std::str::FromStr;
use std::time::Duration;

use peerway_billing_store::OpenError;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection};

use crate::batch::LOCK;
use crate::error::{STATEMENT, answer};

/// One script per schema version, oldest first. Never edited once released.
const MIGRATIONS: [&str; 3] = [
    include_str!("../migrations/0001_ledger.sql"),
    include_str!("../migrations/0002_payments.sql"),
    include_str!("../migrations/0003_shares.sql"),
];

/// How long a transaction that writes may do nothing: for a gateway that stopped in the midst of one, with all others
/// waiting for it.
const IDLE: Duration = Duration::from_secs(30);

/// Where a ledger is: what a URL says.
#[derive(Clone)]
pub struct Address {
    place: String,
    options: PgConnectOptions,
}

impl Address {
    /// What `url` says.
    ///
    /// # Errors
    /// It is no URL of a PostgreSQL database.
    pub fn of(url: &str) -> Result<Self, OpenError> {
        let options = PgConnectOptions::from_str(url).map_err(|_| OpenError::Unusable {
            // Not the URL, nor what is wrong in it: there may be a password in both.
            place: "in PostgreSQL".to_owned(),
            reason: "its URL cannot be read; it looks like postgres://user:password@host:5432/database".to_owned(),
        })?;
        let host =
            options.get_socket().map_or_else(|| options.get_host().to_owned(), |path| path.display().to_string());
        let database = options.get_database().unwrap_or(options.get_username());
        let place = format!("postgres://{host}:{}/{database}", options.get_port());
        // Plans that are kept are those of the first rows: a table that has grown since would be read from end to end.
        let options = options.options([("plan_cache_mode", "force_custom_plan")]);
        Ok(Self { place, options: options.application_name("peerway").disable_statement_logging() })
    }

    /// The same for people: without user and password.
    #[must_use]
    pub fn place(&self) -> &str {
        &self.place
    }

    /// How connections are made that write. `busy`: how long a lock is waited for.
    pub(crate) fn writes(&self, busy: Duration) -> PgConnectOptions {
        self.options.clone().options([
            ("statement_timeout", millis(STATEMENT)),
            ("lock_timeout", millis(busy)),
            ("idle_in_transaction_session_timeout", millis(IDLE)),
            ("synchronous_commit", "on".to_owned()),
        ])
    }

    /// How connections are made that only read.
    pub(crate) fn reads(&self) -> PgConnectOptions {
        let read_only = ("default_transaction_read_only", "on".to_owned());
        self.options.clone().options([("statement_timeout", millis(STATEMENT)), read_only])
    }
}

/// The same database, whoever asks it.
impl PartialEq for Address {
    fn eq(&self, other: &Self) -> bool {
        self.place == other.place
    }
}

/// Without user and password here too.
impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.place)
    }
}

fn millis(time: Duration) -> String {
    time.as_millis().max(1).to_string()
}

/// A connection to a ledger whose schema is the newest known; `make`: one that is made where there is nothing.
pub(crate) async fn open(place: &str, connect: &PgConnectOptions, make: bool) -> Result<PgConnection, OpenError> {
    let unusable = |error: peerway_billing_store::StoreError| OpenError::Unusable {
        place: place.to_owned(),
        reason: error.to_string().replace('\n', " "),
    };
    let mut connection = answer(connect.connect()).await.map_err(unusable)?;
    match answer(migrate(&mut connection, make)).await.map_err(unusable)? {
        Found::Ledger => Ok(connection),
        Found::Nothing => Err(OpenError::Missing { place: place.to_owned() }),
        Found::Newer(found) => Err(OpenError::Newer { place: place.to_owned(), found, known: known() }),
        Found::Other(tables) => {
            let found = format!("a PostgreSQL database of another program, with {tables} tables and views");
            Err(OpenError::NotALedger { place: place.to_owned(), found })
        }
    }
}

/// What a database turned out to be.
enum Found {
    /// A ledger, now of the newest schema.
    Ledger,
    /// Nothing, and nothing was to be made.
    Nothing,
    /// A ledger of this schema, which is not known here.
    Newer(i64),
    /// Something else, with so many tables and views.
    Other(i64),
}

fn known() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}

async fn migrate(connection: &mut PgConnection, make: bool) -> Result<Found, sqlx::Error> {
    let mut transaction = connection.begin().await?;
    // Two gateways may meet an empty database at once.
    sqlx::query!("SELECT pg_advisory_xact_lock($1)", LOCK).execute(&mut *transaction).await?;
    let there = sqlx::query!(
        r#"SELECT COUNT(*) AS "tables!", COUNT(*) FILTER (WHERE relname = 'peerway_ledger') AS "marks!"
           FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'f')"#
    );
    let there = there.fetch_one(&mut *transaction).await?;
    let version = match (there.marks, there.tables) {
        (0, 0) if !make => return Ok(Found::Nothing),
        (0, 0) => 0,
        (0, tables) => return Ok(Found::Other(tables)),
        _ => sqlx::query_scalar!("SELECT version FROM peerway_ledger").fetch_one(&mut *transaction).await?,
    };
    if version > known() {
        return Ok(Found::Newer(version));
    }
    let done = usize::try_from(version).unwrap_or(0);
    if done < MIGRATIONS.len() {
        for script in &MIGRATIONS[done..] {
            sqlx::raw_sql(*script).execute(&mut *transaction).await?;
        }
        let stamp = sqlx::query!(
            "INSERT INTO peerway_ledger (version) VALUES ($1) ON CONFLICT (only_one) DO UPDATE SET version = $1",
            known()
        );
        stamp.execute(&mut *transaction).await?;
    }
    transaction.commit().await?;
    Ok(Found::Ledger)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_has_no_password() {
        let address = Address::of("postgres://gateway:hunter2@db.example.com:6432/money?sslmode=require").ok();
        let shown = address.map(|address| (address.place().to_owned(), format!("{address:?}")));
        let place = "postgres://db.example.com:6432/money".to_owned();
        assert_eq!(shown, Some((place.clone(), place)));
    }

    #[test]
    fn a_url_that_cannot_be_read_is_not_repeated() {
        let said = Address::of("postgres://gateway:hunter2@db:port/money").map_err(|error| error.to_string());
        assert!(said.as_ref().is_err_and(|said| !said.contains("hunter2")), "{said:?}");
    }
}
