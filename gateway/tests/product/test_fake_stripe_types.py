"""The fake against the official package's types: no parameter that Stripe lacks, no object that differs from its class."""

import sys

import pytest
import stripe

from harness.fake_stripe import ROOT, FakeStripe
from harness.stripe_types import misshapen, parameters, unknown_parameters

sys.path.insert(0, str(ROOT / "billing/stripe/fake"))
from fakestripe import everything, routes  # noqa: E402

assert everything.LOADED
ONE = {"GET": "Retrieve", "POST": "Update", "DELETE": "Delete"}
ALL = {"GET": "List", "POST": "Create"}
NAMES = {
    "account_links": "AccountLink", "accounts": "Account", "balance": "Balance", "balance_transactions": "BalanceTransaction",
    "billing_portal/sessions": "billing_portal.Session", "charges": "Charge", "checkout/sessions": "checkout.Session",
    "customers": "Customer", "disputes": "Dispute", "events": "Event", "invoices": "Invoice",
    "payment_intents": "PaymentIntent", "payment_methods": "PaymentMethod",
    "radar/early_fraud_warnings": "radar.EarlyFraudWarning", "refunds": "Refund", "setup_intents": "SetupIntent",
    "transfers": "Transfer",
}
SPECIAL = {
    "GET /v1/balance": "BalanceRetrieveParams",
    "GET /v1/checkout/sessions/{id}/line_items": "checkout.SessionLineItemListParams",
    "GET /v1/customers/{customer}/payment_methods": "CustomerPaymentMethodListParams",
    "GET /v1/transfers/{id}/reversals": "TransferReversalListParams",
    "GET /v1/transfers/{id}/reversals/{reversal}": "TransferReversalRetrieveParams",
    "POST /v1/accounts/{id}/login_links": "AccountLoginLinkCreateParams",
    "POST /v1/transfers/{id}/reversals": "TransferReversalCreateParams",
}


def class_of(call: routes.Call) -> str:
    name = f"{call.method} {call.path}"
    if name in SPECIAL:
        return SPECIAL[name]
    resource, _, rest = call.path.removeprefix("/v1/").partition("/{id}")
    verb = rest.strip("/").title() or (ONE if "{" in call.path else ALL)[call.method]
    return f"{NAMES[resource]}{verb}Params"


@pytest.mark.parametrize("call", routes.CALLS, ids=lambda call: f"{call.method} {call.path}")
def test_every_parameter_is_one_of_stripe(call):
    assert unknown_parameters(call.table, parameters(class_of(call))) == []


def test_an_invented_parameter_would_be_seen():
    table = {"amount": str, "amuont": str, "payment_method_options": {"card": {"cvv": str}}, "metadata": {"a": str}}
    assert unknown_parameters(table, parameters("PaymentIntentCreateParams")) == [
        "amuont", "payment_method_options[card][cvv]", "metadata is no group"]


@pytest.fixture(scope="module")
def lived(tmp_path_factory):
    """A fake in which everything that it can do has happened."""
    fake = FakeStripe(tmp_path_factory.mktemp("fake")).begin()
    live(fake)
    yield fake
    fake.clean_up()


def live(fake: FakeStripe) -> None:
    stripe = fake.client().v1
    goods = {"quantity": 2, "price_data": {"currency": "usd", "unit_amount": 1000, "product_data": {"name": "Credit"}}}
    fake.knob("POST", "settings", tax_percent=19)
    customer = stripe.customers.create({"email": "a@example.com", "name": "A", "metadata": {"account": "1"}})
    stripe.customers.delete(stripe.customers.create({}).id)
    paid = stripe.checkout.sessions.create({
        "mode": "payment", "customer": customer.id, "line_items": [goods], "automatic_tax": {"enabled": True},
        "customer_update": {"address": "auto", "name": "auto"}, "invoice_creation": {"enabled": True},
        "tax_id_collection": {"enabled": True}, "success_url": "https://example.com/{CHECKOUT_SESSION_ID}",
        "payment_intent_data": {"setup_future_usage": "off_session"},
        "payment_method_options": {"card": {"request_three_d_secure": "challenge"}}})
    fake.knob("POST", f"checkout/{paid.id}/pay")
    stripe.checkout.sessions.create({"mode": "payment", "line_items": [goods], "success_url": "https://example.com"})
    saved = stripe.checkout.sessions.create({"mode": "setup", "currency": "usd", "customer": customer.id,
                                             "success_url": "https://example.com"})
    fake.knob("POST", f"checkout/{saved.id}/pay", card="4000002500003155", challenge=None)
    for card in ("pm_card_createDispute", "pm_card_createIssuerFraudRecord", "pm_card_refundFail", "pm_card_bypassPending",
                 "pm_card_threeDSecure2Required", "pm_card_visa_chargeDeclined", "pm_card_pendingRefund"):
        try:
            intent = stripe.payment_intents.create({
                "amount": 5000, "currency": "usd", "payment_method": card, "confirm": True, "return_url": "https://example.com"})
            stripe.refunds.create({"payment_intent": intent.id, "amount": 100, "reason": "requested_by_customer"})
        except Exception as refusal:  # noqa: BLE001: declined, disputed or waiting; all of them leave objects
            assert "Err" in type(refusal).__name__
    dispute = stripe.disputes.list().data[0]
    stripe.disputes.update(dispute.id, {"evidence": {"uncategorized_text": "winning_evidence"}, "submit": True})
    held = stripe.payment_intents.create({"amount": 900, "currency": "usd", "payment_method": "pm_card_visa", "confirm": True,
                                          "off_session": True, "capture_method": "manual"})
    stripe.payment_intents.capture(held.id, {"amount_to_capture": 700})
    account = stripe.accounts.create({"type": "express", "capabilities": {"transfers": {"requested": True}}})
    fake.knob("POST", f"accounts/{account.id}/onboard")
    transfer = stripe.transfers.create({"amount": 300, "currency": "usd", "destination": account.id})
    stripe.transfers.reversals.create(transfer.id, {"amount": 100})
    fake.knob("POST", "clock", advance_s=3 * 24 * 3600)


LISTS = [call.path for call in routes.CALLS if call.method == "GET" and "{" not in call.path and call.path != "/v1/balance"]


@pytest.mark.parametrize("path", LISTS)
def test_every_object_has_the_fields_of_its_class(lived, path):
    body = raw(lived.client(), path, limit=100)
    assert body["data"], f"nothing of {path} was made"
    assert [fault for item in body["data"] for fault in misshapen(item)] == []


@pytest.mark.parametrize("path", LISTS)
def test_an_object_alone_is_as_in_its_list(lived, path):
    client = lived.client()
    first = raw(client, path, limit=1)["data"][0]
    assert raw(client, f"{path}/{first['id']}") == first


def raw(client: stripe.StripeClient, path: str, **params: object) -> dict:
    return client.raw_request("get", path, **params).data


def test_the_balance_is_what_moved(lived):
    balance = raw(lived.client(), "/v1/balance")
    sums = lived.knob("GET", "totals")["usd"]
    assert all(sums[name] for name in ("succeeded", "refunded", "disputed", "reinstated", "transferred", "fees"))
    moved = (sums["succeeded"] - sums["refunded"] - sums["disputed"] + sums["reinstated"] - sums["transferred"] - sums["fees"])
    assert sum(part["amount"] for status in ("available", "pending") for part in balance[status]) == moved


def test_objects_that_are_in_no_list(lived):
    stripe, client = lived.client().v1, lived.client()
    account = next(one for one in stripe.accounts.list().data)
    customer = stripe.customers.create({})
    made = [raw(client, "/v1/balance"),
            stripe.account_links.create({"account": account.id, "type": "account_onboarding",
                                         "refresh_url": "https://example.com", "return_url": "https://example.com"}),
            stripe.accounts.login_links.create(account.id),
            stripe.billing_portal.sessions.create({"customer": customer.id, "return_url": "https://example.com"})]
    assert [fault for one in made for fault in misshapen(one if isinstance(one, dict) else one.to_dict())] == []
