//! A file in a folder of its own.

use std::path::PathBuf;

use peerway_billing::{Ledger, LedgerOptions};
use sqlx::{Connection, SqliteConnection};
use tempfile::TempDir;

use super::{TestDatabase, Visitor};

pub(crate) struct SqliteFile {
    folder: TempDir,
}

impl SqliteFile {
    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("ledger.db")
    }
}

impl TestDatabase for SqliteFile {
    const EVERY: usize = 1;
    const LOCK: &str = "BEGIN IMMEDIATE";
    const UNGUARD: &str = "DROP TRIGGER transfers_keep_update; DROP TRIGGER transfers_keep_delete";
    const GUARD: &str = "CREATE TRIGGER transfers_keep_update BEFORE UPDATE ON transfers
BEGIN SELECT RAISE(ABORT, 'transfers are append-only'); END;
CREATE TRIGGER transfers_keep_delete BEFORE DELETE ON transfers
BEGIN SELECT RAISE(ABORT, 'transfers are append-only'); END;";

    async fn fresh() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn url(&self) -> String {
        format!("sqlite:{}", self.path().display())
    }

    async fn open(&self, options: LedgerOptions) -> Ledger {
        Ledger::open_with(self.path(), options).await.unwrap()
    }

    async fn visitor(&self) -> Visitor {
        let url = format!("sqlite://{}", self.path().display());
        Visitor::Sqlite(SqliteConnection::connect(&url).await.unwrap())
    }

    async fn kept(&self) -> Vec<u8> {
        let files = std::fs::read_dir(self.folder.path()).unwrap();
        files.flat_map(|file| std::fs::read(file.unwrap().path()).unwrap()).collect()
    }
}
