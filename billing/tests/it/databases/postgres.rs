//! A database of a server that lives as long as the tests.

use peerway_billing::{Ledger, LedgerOptions};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use super::{TestDatabase, Visitor, server};

pub(crate) struct PostgresDatabase {
    name: String,
}

fn url(database: &str) -> String {
    format!("postgres://postgres@localhost/{database}?host={}", server::socket().display())
}

async fn admin(statement: String) {
    let mut connection = PgConnection::connect(&url("postgres")).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

impl TestDatabase for PostgresDatabase {
    const EVERY: usize = 10;
    const LOCK: &str = "BEGIN; SELECT pg_advisory_xact_lock(x'50574c47'::bigint)";
    const UNGUARD: &str = "ALTER TABLE transfers DISABLE TRIGGER transfers_keep";
    const GUARD: &str = "ALTER TABLE transfers ENABLE TRIGGER transfers_keep";

    async fn fresh() -> Self {
        let name = format!("test_{}", uuid::Uuid::new_v4().simple());
        admin(format!("CREATE DATABASE {name}")).await;
        Self { name }
    }

    fn url(&self) -> String {
        url(&self.name)
    }

    async fn open(&self, options: LedgerOptions) -> Ledger {
        Ledger::open_in(&self.url().parse().unwrap(), options).await.unwrap()
    }

    async fn visitor(&self) -> Visitor {
        Visitor::Postgres(PgConnection::connect(&self.url()).await.unwrap())
    }

    async fn kept(&self) -> Vec<u8> {
        let mut connection = PgConnection::connect(&self.url()).await.unwrap();
        let all = sqlx::query_scalar("SELECT schema_to_xml('public', true, false, '')::text");
        let all: String = all.fetch_one(&mut connection).await.unwrap();
        all.into_bytes()
    }
}

/// Hundreds of databases would fill a disk.
impl Drop for PostgresDatabase {
    fn drop(&mut self) {
        let statement = format!("DROP DATABASE {} WITH (FORCE)", self.name);
        let dropping = std::thread::spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(admin(statement));
        });
        // If it cannot be dropped, it is gone with the server.
        drop(dropping.join());
    }
}
