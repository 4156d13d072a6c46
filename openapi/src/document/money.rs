//! Endpoints for who pays.

use utoipa::openapi::Type;
use utoipa::openapi::path::HttpMethod::{Get, Post, Put};

use super::endpoint::{Endpoint, endpoint, under};
use crate::billing::{
    Checkout, CheckoutRequest, Listed, Payment, Portal, PortalRequest, Refund, RefundRequest, TopUp, TopUpRequest,
};

/// What asking about payments can meet.
const ASKED: &[u16] = &[400, 401, 403, 404, 409, 501, 503];

pub(super) fn endpoints() -> Vec<Endpoint> {
    under("Billing", billing())
}

fn billing() -> Vec<Endpoint> {
    let page = |endpoint: super::endpoint::Description| {
        endpoint.query("limit", Type::Integer, "Entries, 1 to 1000, newest first.")
    };
    vec![
        endpoint(Post, "/v1/billing/checkout", "buyCredit", "Buy credit by card")
            .about("Needs `billing:write`. Answers with a page to send the payer to; credit is there once it is paid.")
            .once()
            .takes::<CheckoutRequest>()
            .gives::<Checkout>(201, "The page")
            .refuses(ASKED)
            .done(),
        endpoint(Post, "/v1/billing/portal", "openPortal", "A page of the account's invoices and cards")
            .about("Needs `billing:write`.")
            .takes::<PortalRequest>()
            .gives::<Portal>(201, "The page")
            .refuses(ASKED)
            .done(),
        endpoint(Get, "/v1/billing/topup", "showTopUp", "When credit is bought as it runs low")
            .about("Needs `billing:read`.")
            .gives::<TopUp>(200, "What is set")
            .refuses(ASKED)
            .done(),
        endpoint(Put, "/v1/billing/topup", "setTopUp", "Buy credit when it runs low")
            .about("Needs `billing:write`, and a saved card to be on.")
            .takes::<TopUpRequest>()
            .gives::<TopUp>(200, "What is set")
            .refuses(ASKED)
            .done(),
        page(endpoint(Get, "/v1/billing/payments", "listPayments", "The account's payments"))
            .about("Needs `billing:read`.")
            .gives_as::<Listed<Payment>, Payment>("PaymentList", "The payments")
            .refuses(ASKED)
            .done(),
        page(endpoint(Get, "/v1/billing/refunds", "listRefunds", "The account's refunds"))
            .about("Needs `billing:read`.")
            .gives_as::<Listed<Refund>, Refund>("RefundList", "The refunds")
            .refuses(ASKED)
            .done(),
        endpoint(Post, "/v1/billing/refunds", "refund", "Send unused credit back to the card")
            .about("Needs `billing:write`.")
            .once()
            .takes::<RefundRequest>()
            .gives::<Refund>(201, "The refund")
            .refuses(ASKED)
            .done(),
    ]
}
