//! Operators' own accounts at Stripe, and paying out to them.

use std::collections::HashMap;

use stripe_connect::account::{
    CreateAccount, CreateAccountCapabilities, CreateAccountCapabilitiesTransfers, CreateAccountType, RetrieveAccount,
};
use stripe_connect::account_link::{CreateAccountLink, CreateAccountLinkType};
use stripe_connect::transfer::{CreateTransfer, ListTransfer};
use stripe_shared::AccountId;
use stripe_types::Currency;

use crate::cents::Cents;
use crate::client::StripeClient;
use crate::error::CallError;
use crate::id::{ConnectedId, TransferId};
use crate::key::CallKey;
use crate::list::PAGE;
use crate::payment::cents;
use crate::{name_of, tags};

/// An operator's account as Stripe has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connected {
    /// Its name.
    pub id: ConnectedId,
    /// Whether Stripe knows enough of the operator to pay out.
    pub payouts: bool,
}

/// Money on its way to an operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transfer {
    /// Its name.
    pub id: TransferId,
    /// How much.
    pub amount: Cents,
    /// What of it was taken back.
    pub reversed: Cents,
    /// Our name for it.
    pub order: Option<String>,
}

impl StripeClient {
    /// Makes the account of an operator, who tells Stripe the rest on [`Self::onboarding`]'s page.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn create_connected(&self, operator: &str, country: &str) -> Result<Connected, CallError> {
        let mut capabilities = CreateAccountCapabilities::new();
        capabilities.transfers = Some(CreateAccountCapabilitiesTransfers { requested: Some(true) });
        let request = CreateAccount::new()
            .type_(CreateAccountType::Express)
            .country(country)
            .capabilities(capabilities)
            .metadata(tags::of_account(operator));
        view(&self.act(&request, &CallKey::new("connected", operator)?).await?)
    }

    /// An operator's account as it stands now.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn connected(&self, id: &ConnectedId) -> Result<Connected, CallError> {
        view(&self.read(&RetrieveAccount::new(AccountId::from(id.as_str()))).await?)
    }

    /// The page of Stripe's where an operator says who they are. The link works once.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn onboarding(
        &self,
        id: &ConnectedId,
        back: &str,
        again: &str,
        key: &CallKey,
    ) -> Result<String, CallError> {
        let request = CreateAccountLink::new(id.as_str(), CreateAccountLinkType::AccountOnboarding)
            .return_url(back)
            .refresh_url(again);
        Ok(self.act(&request, key).await?.url)
    }

    /// Pays an operator. `order` is our name for it and the idempotency key.
    ///
    /// # Errors
    /// After [`CallError::Unknown`] look for the order with [`Self::transfers_to`].
    pub async fn transfer(&self, to: &ConnectedId, amount: Cents, order: &str) -> Result<Transfer, CallError> {
        let request = CreateTransfer::new(Currency::USD, to.as_str())
            .amount(amount.get())
            .transfer_group(order)
            .metadata(HashMap::from([("peerway_payout".to_owned(), order.to_owned())]));
        view_transfer(self.act(&request, &CallKey::new("payout", order)?).await?)
    }

    /// The transfers to an operator that carry our name `order`: one, or none.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn transfers_to(&self, to: &ConnectedId, order: &str) -> Result<Vec<Transfer>, CallError> {
        let request = ListTransfer::new().destination(to.as_str()).transfer_group(order).limit(PAGE);
        self.read(&request).await?.data.into_iter().map(view_transfer).collect()
    }
}

fn view(account: &stripe_shared::Account) -> Result<Connected, CallError> {
    Ok(Connected { id: name_of(account.id.as_str())?, payouts: account.payouts_enabled.unwrap_or(false) })
}

fn view_transfer(transfer: stripe_shared::Transfer) -> Result<Transfer, CallError> {
    Ok(Transfer {
        id: name_of(transfer.id.as_str())?,
        amount: cents(transfer.amount)?,
        reversed: cents(transfer.amount_reversed)?,
        order: transfer.transfer_group,
    })
}
