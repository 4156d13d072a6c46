//! The Merkle tree over the log.

use async_trait::async_trait;
use peerway_billing_store::{CheckpointRow, StoreError, Tree};

use crate::PostgresStore;
use crate::error::answer;
use crate::tables::checkpoints;

#[async_trait]
impl Tree for PostgresStore {
    async fn newest_checkpoint(&self) -> Result<Option<CheckpointRow>, StoreError> {
        answer(checkpoints!("ORDER BY seq DESC LIMIT 1").fetch_optional(&self.readers)).await
    }

    async fn kept_nodes(&self, level: i64) -> Result<i64, StoreError> {
        let kept = sqlx::query_scalar!(
            r#"SELECT COALESCE(MAX(place) + 1, 0) AS "kept!" FROM merkle_nodes WHERE level = $1"#,
            level
        );
        answer(kept.fetch_one(&self.readers)).await
    }

    async fn node_hashes(&self, level: i64, from: i64, to: i64) -> Result<Vec<String>, StoreError> {
        if level == 0 {
            let hashes =
                sqlx::query_scalar!("SELECT hash FROM transfers WHERE seq > $1 AND seq <= $2 ORDER BY seq", from, to);
            answer(hashes.fetch_all(&self.readers)).await
        } else {
            let hashes = sqlx::query_scalar!(
                "SELECT hash FROM merkle_nodes WHERE level = $1 AND place >= $2 AND place < $3 ORDER BY place",
                level,
                from,
                to
            );
            answer(hashes.fetch_all(&self.readers)).await
        }
    }
}
