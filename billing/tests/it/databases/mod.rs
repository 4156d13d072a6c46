//! The databases on which the suite runs: each test has one of its own.

mod postgres;
mod server;
mod sqlite;

use peerway_billing::{Ledger, LedgerOptions};
use sqlx::{Connection, PgConnection, SqliteConnection};

pub(crate) use postgres::PostgresDatabase;
pub(crate) use sqlite::SqliteFile;

/// An empty database, gone with this value.
pub(crate) trait TestDatabase: Sized {
    /// Of so many random histories, how many are lived through: making a database is dear for some.
    const EVERY: usize;

    async fn fresh() -> Self;

    /// As an operator names it.
    fn url(&self) -> String;

    async fn open(&self, options: LedgerOptions) -> Ledger;

    /// Somebody else with access to it.
    async fn visitor(&self) -> Visitor;

    /// What the ledger does before it writes, so that it has to wait.
    const LOCK: &str;

    /// Takes the guard off the log.
    const UNGUARD: &str;

    /// Puts it back as it was.
    const GUARD: &str;

    /// Everything that is kept, in whatever form: what was written can be found in it.
    async fn kept(&self) -> Vec<u8>;

    async fn locked(&self) -> Visitor {
        let mut visitor = self.visitor().await;
        visitor.run(Self::LOCK).await.unwrap();
        visitor
    }

    /// Changes the log behind the ledger's back, as somebody would who knows how it is guarded.
    async fn forge(&self, statements: &'static str) {
        let mut visitor = self.visitor().await;
        for statements in [Self::UNGUARD, statements, Self::GUARD] {
            visitor.run(statements).await.unwrap();
        }
        visitor.leave().await;
    }
}

/// A connection beside the ledger's own.
pub(crate) enum Visitor {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Visitor {
    pub(crate) async fn run(&mut self, statements: &'static str) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite(connection) => sqlx::raw_sql(statements).execute(connection).await.map(drop),
            Self::Postgres(connection) => sqlx::raw_sql(statements).execute(connection).await.map(drop),
        }
    }

    /// Ends whatever it was doing.
    pub(crate) async fn leave(self) {
        match self {
            Self::Sqlite(connection) => connection.close().await.unwrap(),
            Self::Postgres(connection) => connection.close().await.unwrap(),
        }
    }
}
