//! What an earlier process captured and did not bring into the ledger.
//!
//! It comes before that process's leases are released: a capture is paid out of its own lease while that is open. Where it
//! has expired meanwhile, the capture is paid from what is available, and what is missing is the platform's loss.

use super::OpenTillError;
use super::flush::{BATCH, report};
use super::journal::{Journal, Number};
use crate::error::LedgerError;
use crate::ledger::Ledger;

/// Brings the captures of these files into the ledger, file after file. After an error the rest waits for the next start.
pub(super) async fn replay(ledger: &Ledger, journal: &mut Journal, left: Vec<Number>) -> Result<(), OpenTillError> {
    for file in left {
        let recovered = journal.recover(file)?;
        let (mut charged, mut refused) = (0_usize, recovered.refused);
        for captures in recovered.captures.chunks(BATCH) {
            let answers = ledger.capture_all(captures.to_vec()).await?;
            for (capture, answer) in captures.iter().zip(answers) {
                match answer {
                    Ok(captured) => charged += usize::from(!captured.repeated),
                    // The file stays, and with it what it was.
                    Err(error @ (LedgerError::Storage(_) | LedgerError::Closed)) => return Err(error.into()),
                    Err(error) => {
                        refused += 1;
                        report(capture, &error);
                    }
                }
            }
        }
        tracing::info!(
            file,
            captures = recovered.captures.len(),
            charged,
            refused,
            torn_bytes = recovered.torn,
            "replayed a file of the journal"
        );
        journal.replayed(file, refused > 0);
    }
    Ok(())
}
