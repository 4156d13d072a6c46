//! Payment pages, and the page where a customer sees invoices and changes cards.

use peerway_billing_stripe::{CallKey, Cents, CustomerId, NewCheckout};

use super::amount::cents;
use super::error::PaymentError;
use super::look::{HISTORY, new_row};
use super::trust::Record;
use super::view::{self, Payment};
use super::{Payments, kept, named, new_name};
use crate::id::AccountId;
use crate::money::Nanos;
use peerway_billing_store::PaymentRow;

/// How long a page is open, in seconds. Stripe takes half an hour to a day; an open page counts against the day's sum.
const OPEN_S: i64 = 3600;

/// What a customer asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPage {
    /// Who gets the credit.
    pub account: AccountId,
    /// How much, in whole cents.
    pub amount: Nanos,
    /// Whether the card is kept, so that it can be charged when credit runs low.
    pub save_card: bool,
    /// Where the payer goes after paying.
    pub success_url: String,
    /// Where the payer goes who does not want to.
    pub cancel_url: String,
    /// The caller's own name for it: the same name is the same page. `None`: each is another.
    pub name: Option<String>,
}

/// A page that waits for its payer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Our name for the payment.
    pub payment: String,
    /// Where it is. `None` once it is closed.
    pub url: Option<String>,
    /// The credit.
    pub amount: Nanos,
}

impl Payments {
    /// Opens a payment page. Nothing is credited before the payment is seen at Stripe.
    ///
    /// # Errors
    /// The amount or an address makes no sense, the account has paid as much as it may for now, or Stripe did not answer: then
    /// the same name may be asked again.
    pub async fn open_page(&self, new: &NewPage) -> Result<Page, PaymentError> {
        let credit = self.buyable(new.amount)?;
        let (success_url, cancel_url) =
            (address("success_url", &new.success_url)?, address("cancel_url", &new.cancel_url)?);
        let account = self.ledger().account(&new.account).await?;
        let now = self.now();
        let name = named("pay", &new.account, new.name.as_deref());
        let mut row = match self.records().payment(&name).await? {
            Some(row) if row.cents == credit.get() => row,
            Some(_) => return Err(PaymentError::NameUsed),
            None => {
                let history = self.records().payments(new.account.as_str(), HISTORY).await?;
                let payments = history.iter().map(view::past).collect();
                let record = Record { opened: Some(account.created_at), payments };
                record.allows(credit, self.inner.rules.new_account_daily, now)?;
                let row = new_row(name, &new.account, "checkout", credit, now.as_millis());
                self.records().open_payment(&row).await?;
                row
            }
        };
        let customer = self.customer(&new.account).await?;
        let page = match &row.session {
            Some(session) => self.stripe().checkout(&kept(session)?).await?,
            None => {
                let checkout = NewCheckout {
                    order: row.id.clone(),
                    account: new.account.as_str().to_owned(),
                    customer,
                    credit,
                    title: format!("Credit of {}", new.amount),
                    tax: self.inner.rules.tax,
                    ask_bank: credit >= self.inner.rules.ask_bank_from,
                    save_card: new.save_card,
                    // From when it was begun, so that the same name asks for the same.
                    expires_at: row.created_at.div_euclid(1000) + OPEN_S,
                    success_url,
                    cancel_url,
                };
                self.stripe().create_checkout(&checkout).await?
            }
        };
        if row.session.is_none() {
            row.session = Some(page.id.to_string());
            let was = row.state.clone();
            self.records().change_payment(&row, &was).await?;
        }
        Ok(Page { payment: row.id, url: page.url, amount: new.amount })
    }

    /// The address of a page of Stripe's for an account's invoices and cards.
    ///
    /// # Errors
    /// The address to return to makes no sense, or Stripe did not answer.
    pub async fn portal(&self, account: &AccountId, back: &str) -> Result<String, PaymentError> {
        let back = address("return_url", back)?;
        let customer = self.customer(account).await?;
        let key = CallKey::new("portal", &new_name("portal"))?;
        Ok(self.stripe().portal(&customer, &back, &key).await?)
    }

    /// An account's payments, newest first.
    ///
    /// # Errors
    /// The ledger's database is away.
    pub async fn payments(&self, account: &AccountId, limit: u32) -> Result<Vec<Payment>, PaymentError> {
        let rows = self.records().payments(account.as_str(), limit.into()).await?;
        Ok(rows.into_iter().map(view::payment).collect())
    }

    /// An account's customer at Stripe, made when it is first needed.
    pub(super) async fn customer(&self, account: &AccountId) -> Result<CustomerId, PaymentError> {
        if let Some(customer) = self.records().customer(account.as_str()).await? {
            return kept(&customer);
        }
        let made = self.stripe().create_customer(account.as_str()).await?;
        self.records().keep_customer(account.as_str(), made.as_str(), self.now().as_millis()).await?;
        // Of two that were made at a time the first one kept is it.
        match self.records().customer(account.as_str()).await? {
            Some(customer) => kept(&customer),
            None => Err(PaymentError::NotFound("customer")),
        }
    }

    /// An amount that may be bought.
    pub(super) fn buyable(&self, amount: Nanos) -> Result<Cents, PaymentError> {
        let rules = &self.inner.rules;
        let cents = cents(amount)
            .ok_or_else(|| PaymentError::invalid("amount", format!("`amount` must be whole cents, not {amount}.")))?;
        if cents < rules.least || cents > rules.most {
            let message = format!("`amount` must be between {} and {}.", rules.least, rules.most);
            return Err(PaymentError::invalid("amount", message));
        }
        Ok(cents)
    }
}

/// Where a browser is sent: to a page, over TLS or on the same machine.
fn address(field: &'static str, url: &str) -> Result<String, PaymentError> {
    let local = ["http://localhost", "http://127.0.0.1"]
        .iter()
        .any(|host| url.strip_prefix(host).is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '/'])));
    let plain = url.bytes().all(|byte| byte.is_ascii_graphic()) && url.len() <= 2000;
    if plain && (local || url.strip_prefix("https://").is_some_and(|rest| !rest.is_empty())) {
        return Ok(url.to_owned());
    }
    let message = format!("`{field}` must be an https URL of at most 2000 bytes, or one of http://localhost.");
    Err(PaymentError::invalid(field, message))
}

/// A payment of this account.
pub(super) fn of_account(row: Option<PaymentRow>, account: &AccountId) -> Result<PaymentRow, PaymentError> {
    row.filter(|row| row.account == account.as_str()).ok_or(PaymentError::NotFound("payment"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payer_is_sent_to_pages_alone() {
        for good in ["https://example.com/paid?x=1", "http://localhost:3000/", "http://127.0.0.1"] {
            assert!(address("success_url", good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "https://",
            "http://example.com",
            "http://localhost.evil.example",
            "javascript:x",
            "https://a b",
            "ftp://x",
        ] {
            let error = address("success_url", bad).unwrap_err();
            assert!(matches!(error, PaymentError::Invalid { field: "success_url", .. }), "{bad}");
        }
    }
}
