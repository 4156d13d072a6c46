//! Questions that change nothing. They read committed state, beside the writer.

use peerway_billing_store::Charges;

use super::api::Ledger;
use super::batch::by_transfer;
use super::rows::{AccountFields, ChargeFields, HoldFields, head_of};
use super::types::{Account, Head, Hold, Receipt};
use crate::error::LedgerError;
use crate::id::{AccountId, HoldId, RequestId};

/// The most accounts or receipts that one question answers.
const MOST: u32 = 10_000;

/// Charges as receipts, with their parts.
fn receipts(found: Charges) -> Result<Vec<Receipt>, LedgerError> {
    let parts = by_transfer(found.parts);
    found
        .charges
        .iter()
        .map(|charge| charge.to_receipt(parts.get(&charge.transfer).map_or(&[], Vec::as_slice)))
        .collect()
}

impl Ledger {
    /// The newest link of the hash chain.
    ///
    /// # Errors
    /// The database's failure.
    pub async fn head(&self) -> Result<Head, LedgerError> {
        Ok(head_of(self.store().head().await?))
    }

    /// An account and what is on it.
    ///
    /// # Errors
    /// No such account, or the database's failure.
    pub async fn account(&self, id: &AccountId) -> Result<Account, LedgerError> {
        let row = self.store().account(id.as_str(), self.clock().now().as_millis()).await?;
        let row = row.ok_or_else(|| LedgerError::not_found("account", id))?;
        row.account.to_account(row.expired)
    }

    /// Accounts in the order of their ids, `limit` of them (10 000 at most), beginning after `after`;
    /// `None` begins with the first.
    ///
    /// # Errors
    /// The database's failure.
    pub async fn accounts(&self, after: Option<&AccountId>, limit: u32) -> Result<Vec<Account>, LedgerError> {
        let after = after.map_or("", AccountId::as_str);
        let rows = self.store().accounts(after, self.clock().now().as_millis(), limit.min(MOST).into()).await?;
        rows.iter().map(|row| row.account.to_account(row.expired)).collect()
    }

    /// A hold as it is stored: one past its expiry is open until it is swept.
    ///
    /// # Errors
    /// No such hold, or the database's failure.
    pub async fn hold_by_id(&self, id: &HoldId) -> Result<Hold, LedgerError> {
        let row = self.store().hold(id.as_str()).await?;
        row.ok_or_else(|| LedgerError::not_found("hold", id))?.to_hold()
    }

    /// The receipt of a request.
    ///
    /// # Errors
    /// No such charge, or the database's failure.
    pub async fn charge(&self, request: &RequestId) -> Result<Receipt, LedgerError> {
        let receipt = receipts(self.store().charge(request.as_str()).await?)?.pop();
        receipt.ok_or_else(|| LedgerError::not_found("charge", request))
    }

    /// The newest receipts of an account, newest first, `limit` of them (10 000 at most).
    ///
    /// # Errors
    /// The database's failure. An unknown account has no receipts.
    pub async fn charges(&self, account: &AccountId, limit: u32) -> Result<Vec<Receipt>, LedgerError> {
        receipts(self.store().charges(account.as_str(), limit.min(MOST).into()).await?)
    }
}
