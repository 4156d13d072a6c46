//! The log written out as JSON lines, and the page-wise reading that `verify` shares.

use std::collections::HashMap;
use std::io::Write;

use peerway_billing_store::{LogPage, Snapshot, StoreError};
use serde::{Deserialize, Serialize};

use super::api::Ledger;
use super::rows::{ChargeRow, EntryRow, PartRow, TransferRow};
use crate::error::LedgerError;

/// Transfers read at a time: bounds the memory of a walk.
pub(super) const PAGE: i64 = 1000;

/// One transfer with all that belongs to it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Posting {
    #[serde(flatten)]
    pub(crate) transfer: TransferRow,
    pub(crate) entries: Vec<EntryRow>,
    pub(crate) charge: Option<ChargeRow>,
    /// The parts of the charge, where several nodes delivered.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) parts: Vec<PartRow>,
}

/// A stretch of the log, and rows of that stretch that belong to no transfer.
pub(super) struct Page {
    pub(super) postings: Vec<Posting>,
    pub(super) stray_entries: Vec<EntryRow>,
    pub(super) stray_charges: Vec<ChargeRow>,
    pub(super) stray_parts: Vec<PartRow>,
    /// Whether the log goes on after it.
    pub(super) goes_on: bool,
}

/// The next [`PAGE`] transfers after `after`. The last page looks for strays to the very end.
pub(super) async fn page(snapshot: &mut dyn Snapshot, after: i64) -> Result<Page, StoreError> {
    stretch(snapshot, after, PAGE).await
}

/// One transfer.
pub(super) async fn posting(snapshot: &mut dyn Snapshot, seq: i64) -> Result<Option<Posting>, StoreError> {
    let mut found = stretch(snapshot, seq.saturating_sub(1), 1).await?.postings;
    Ok(found.pop().filter(|posting| posting.transfer.seq == seq))
}

async fn stretch(snapshot: &mut dyn Snapshot, after: i64, limit: i64) -> Result<Page, StoreError> {
    let LogPage { transfers, entries, charges, parts } = snapshot.log(after, limit).await?;
    let goes_on = LogPage::last(&transfers, limit) != i64::MAX;
    let mut place = HashMap::with_capacity(transfers.len());
    let mut postings = Vec::with_capacity(transfers.len());
    for transfer in transfers {
        place.insert(transfer.seq, postings.len());
        postings.push(Posting { transfer, entries: Vec::new(), charge: None, parts: Vec::new() });
    }
    let (mut stray_entries, mut stray_charges, mut stray_parts) = (Vec::new(), Vec::new(), Vec::new());
    for entry in entries {
        match place.get(&entry.transfer) {
            Some(&index) => postings[index].entries.push(entry),
            None => stray_entries.push(entry),
        }
    }
    for charge in charges {
        match place.get(&charge.transfer) {
            Some(&index) => postings[index].charge = Some(charge),
            None => stray_charges.push(charge),
        }
    }
    for part in parts {
        match place.get(&part.transfer) {
            Some(&index) => postings[index].parts.push(part),
            None => stray_parts.push(part),
        }
    }
    Ok(Page { postings, stray_entries, stray_charges, stray_parts, goes_on })
}

/// Why an export stopped.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The ledger could not be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The other end took no more.
    #[error("cannot write the export: {0}")]
    Write(#[from] std::io::Error),
}

impl Ledger {
    /// Writes the whole log, one transfer per line as a JSON object, oldest first; answers how many. The
    /// writer is written to between reads, on the calling task: give it a file or a pipe.
    ///
    /// # Errors
    /// The database's failure, or the writer's.
    pub async fn export(&self, mut writer: impl Write + Send) -> Result<u64, ExportError> {
        let mut snapshot = self.store().snapshot().await.map_err(LedgerError::from)?;
        let (mut after, mut lines) = (i64::MIN, 0);
        loop {
            let page = page(&mut *snapshot, after).await.map_err(LedgerError::from)?;
            for posting in &page.postings {
                serde_json::to_writer(&mut writer, posting).map_err(std::io::Error::from)?;
                writer.write_all(b"\n")?;
                lines += 1;
                after = posting.transfer.seq;
            }
            if !page.goes_on {
                break;
            }
        }
        writer.flush()?;
        Ok(lines)
    }
}
