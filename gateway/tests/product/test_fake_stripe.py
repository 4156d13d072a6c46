"""The fake Stripe as the official package meets it: paying, saved cards, and money that goes back."""

import pytest
import stripe

USD = {"currency": "usd"}
BACK = "https://example.com/back"


@pytest.fixture
def customer(api):
    return api.customers.create({"email": "buyer@example.com"})


def goods(cents: int = 2000, **price: object) -> dict:
    return {"quantity": 1, "price_data": USD | {"unit_amount": cents, "product_data": {"name": "Credit"}} | price}


def checkout(api, **more: object) -> stripe.checkout.Session:
    return api.checkout.sessions.create({"mode": "payment", "success_url": f"{BACK}?s={{CHECKOUT_SESSION_ID}}",
                                         "line_items": [goods()]} | more)


def paid(api, card: str = "pm_card_visa", cents: int = 5000, **more: object) -> stripe.PaymentIntent:
    return api.payment_intents.create({"amount": cents, "payment_method": card, "confirm": True, "off_session": True} | USD | more)


def refused(kind: type[stripe.StripeError], call, *arguments: object) -> stripe.StripeError:
    with pytest.raises(kind) as caught:
        call(*arguments)
    assert caught.value.request_id.startswith("req_")
    return caught.value


def test_a_checkout_is_unpaid_until_it_is_paid(api, fake, customer):
    session = checkout(api, customer=customer.id, invoice_creation={"enabled": True}, metadata={"pack": "20"},
                       payment_intent_data={"setup_future_usage": "off_session", "metadata": {"account": "7"}})
    assert (session.status, session.payment_status, session.payment_intent) == ("open", "unpaid", None)
    fake.knob("POST", f"checkout/{session.id}/pay")
    done = api.checkout.sessions.retrieve(session.id, {"expand": [
        "payment_intent.latest_charge.balance_transaction", "line_items", "invoice"]})
    assert (done.status, done.payment_status, done.url, done.metadata["pack"]) == ("complete", "paid", None, "20")
    assert (done.line_items.data[0].amount_total, done.invoice.status, done.invoice.amount_paid) == (2000, "paid", 2000)
    intent = done.payment_intent
    assert (intent.status, intent.amount_received, intent.metadata["account"]) == ("succeeded", 2000, "7")
    assert (intent.latest_charge.balance_transaction.fee, intent.latest_charge.balance_transaction.net) == (88, 1912)
    card = api.payment_methods.list({"customer": customer.id, "type": "card"}).data[0]
    assert paid(api, card.id, customer=customer.id).status == "succeeded"


def test_a_guest_becomes_a_customer_only_where_one_is_needed(api, fake):
    guest, invoiced = checkout(api), checkout(api, invoice_creation={"enabled": True}, customer_email="a@example.com")
    for session in (guest, invoiced):
        fake.knob("POST", f"checkout/{session.id}/pay")
    assert api.checkout.sessions.retrieve(guest.id).customer is None
    made = api.customers.retrieve(api.checkout.sessions.retrieve(invoiced.id).customer)
    assert made.email == "a@example.com"


def test_tax_comes_on_top_once_the_address_is_known(api, fake, customer):
    fake.knob("POST", "settings", tax_percent=19)
    session = checkout(api, customer=customer.id, automatic_tax={"enabled": True}, customer_update={"address": "auto"},
                       line_items=[goods(1001), goods(1190, tax_behavior="inclusive")])
    assert (session.amount_total, session.automatic_tax.status) == (2191, "requires_location_inputs")
    fake.knob("POST", f"checkout/{session.id}/pay", country="DE")
    fake.knob("POST", "settings", tax_percent=0)
    done = api.checkout.sessions.retrieve(session.id, {"expand": ["payment_intent"]})
    assert (done.amount_subtotal, done.total_details.amount_tax, done.amount_total) == (2191, 190 + 190, 2381)
    assert done.payment_intent.amount_received == 2381
    assert api.customers.retrieve(customer.id).address.country == "DE"


def test_tax_without_an_address_is_refused(api, customer):
    error = refused(stripe.InvalidRequestError, lambda: checkout(api, customer=customer.id, automatic_tax={"enabled": True}))
    assert error.code == "customer_tax_location_invalid"


def test_a_declined_checkout_stays_open_for_another_card(api, fake):
    session = checkout(api)
    status, body = fake.try_knob("POST", f"checkout/{session.id}/pay", card="4000000000000002")
    assert (status, body["error"]["decline_code"]) == (402, "generic_decline")
    waiting = api.checkout.sessions.retrieve(session.id, {"expand": ["payment_intent"]})
    assert (waiting.status, waiting.payment_intent.status) == ("open", "requires_payment_method")
    fake.knob("POST", f"checkout/{session.id}/pay")
    done = api.checkout.sessions.retrieve(session.id)
    assert (done.status, done.payment_intent) == ("complete", waiting.payment_intent.id)
    assert [charge.status for charge in api.charges.list({"payment_intent": done.payment_intent})] == ["succeeded", "failed"]


def test_a_checkout_ends_at_its_time_or_when_told(api, fake):
    now = fake.knob("GET", "health")["now"]
    for ends in (now + 60, now + 25 * 3600):
        assert refused(stripe.InvalidRequestError, lambda: checkout(api, expires_at=ends)).param == "expires_at"  # noqa: B023
    session, told = checkout(api, expires_at=now + 1860), api.checkout.sessions.expire(checkout(api).id)
    fake.knob("POST", "clock", advance_s=1900)
    for late in (session, told):
        assert api.checkout.sessions.retrieve(late.id).status == "expired"
        assert fake.try_knob("POST", f"checkout/{late.id}/pay")[0] == 400


def test_a_card_saved_by_its_holder_pays_without_its_holder(api, fake, customer):
    session = api.checkout.sessions.create({"mode": "setup", "customer": customer.id, "success_url": BACK} | USD)
    fake.knob("POST", f"checkout/{session.id}/pay", card="4000002500003155", challenge=True)
    done = api.checkout.sessions.retrieve(session.id, {"expand": ["setup_intent.payment_method"]})
    assert (done.payment_status, done.setup_intent.status) == ("no_payment_required", "succeeded")
    assert paid(api, done.setup_intent.payment_method.id, customer=customer.id).status == "succeeded"


def test_three_d_secure_is_asked_for_or_waved_through(api, fake):
    wanted = {"payment_method_options": {"card": {"request_three_d_secure": "challenge"}}}
    flows = {}
    for card in ("4242424242424242", "4000002760003184"):
        session = checkout(api, **wanted)
        fake.knob("POST", f"checkout/{session.id}/pay", card=card)
        charge = api.charges.list({"payment_intent": api.checkout.sessions.retrieve(session.id).payment_intent}).data[0]
        secure = charge.payment_method_details.card.three_d_secure
        flows[card] = (secure.authentication_flow, secure.result)
    assert flows == {"4242424242424242": ("frictionless", "attempt_acknowledged"),
                     "4000002760003184": ("challenge", "authenticated")}


def test_a_card_that_needs_its_holder_waits_or_is_declined(api, fake):
    intent = api.payment_intents.create({"amount": 900, "payment_method": "pm_card_threeDSecure2Required", "confirm": True,
                                         "return_url": BACK} | USD)
    assert (intent.status, intent.next_action.type) == ("requires_action", "redirect_to_url")
    assert fake.try_knob("POST", f"challenge/{intent.id}", agreed=False)[1]["error"]["code"] == \
        "payment_intent_authentication_failure"
    assert api.payment_intents.retrieve(intent.id).status == "requires_payment_method"
    error = refused(stripe.CardError, paid, api, "pm_card_authenticationRequired")
    assert (error.code, error.http_status) == ("authentication_required", 402)
    assert error.error.payment_intent.status == "requires_payment_method"


def test_a_saved_card_can_fail_later(api, customer):
    card = api.payment_methods.attach("pm_card_chargeCustomerFail", {"customer": customer.id})
    error = refused(stripe.CardError, lambda: paid(api, card.id, customer=customer.id))
    assert (error.code, error.error.decline_code, error.error.payment_method.id) == ("card_declined", "generic_decline", card.id)
    intent = api.payment_intents.retrieve(error.error.payment_intent.id)
    assert (intent.last_payment_error.code, intent.payment_method) == ("card_declined", None)
    assert api.charges.retrieve(intent.latest_charge).outcome.network_status == "declined_by_network"


def test_whose_card_it_is_matters(api, customer):
    card = api.payment_methods.attach("pm_card_visa", {"customer": customer.id})
    other = api.customers.create({})
    assert refused(stripe.InvalidRequestError, lambda: paid(api, card.id, customer=other.id)).param == "payment_method"
    assert refused(stripe.InvalidRequestError, lambda: paid(api, card.id)).param == "payment_method"
    api.payment_methods.detach(card.id)
    refused(stripe.InvalidRequestError, lambda: paid(api, card.id, customer=customer.id))


def test_money_is_held_then_captured_or_let_go(api):
    held = paid(api, capture_method="manual")
    assert (held.status, held.amount_capturable, held.amount_received) == ("requires_capture", 5000, 0)
    assert refused(stripe.InvalidRequestError, api.payment_intents.capture, held.id,
                   {"amount_to_capture": 5001}).code == "amount_too_large"
    assert api.payment_intents.capture(held.id, {"amount_to_capture": 3000}).amount_received == 3000
    assert refused(stripe.InvalidRequestError, api.payment_intents.cancel, held.id).code == "payment_intent_unexpected_state"
    assert api.payment_intents.cancel(paid(api, capture_method="manual").id).status == "canceled"


def test_no_more_is_refunded_than_was_paid(api):
    intent = paid(api)
    part = api.refunds.create({"payment_intent": intent.id, "amount": 2000})
    assert (part.status, part.amount) == ("succeeded", 2000)
    error = refused(stripe.InvalidRequestError, api.refunds.create, {"payment_intent": intent.id, "amount": 3001})
    assert error.param == "amount"
    assert api.refunds.create({"charge": intent.latest_charge}).amount == 3000
    assert refused(stripe.InvalidRequestError, api.refunds.create, {"payment_intent": intent.id}).code == \
        "charge_already_refunded"
    charge = api.charges.retrieve(intent.latest_charge, {"expand": ["refunds"]})
    assert (charge.refunded, charge.amount_refunded, len(charge.refunds.data)) == (True, 5000, 2)


def test_a_refund_can_be_pending_and_can_fail(api, fake):
    pending, failing = (api.refunds.create({"payment_intent": paid(api, card).id, "amount": 100})
                        for card in ("pm_card_pendingRefund", "pm_card_refundFail"))
    assert (pending.status, failing.status) == ("pending", "succeeded")
    fake.knob("POST", "clock", advance_s=61)
    assert api.refunds.retrieve(pending.id).status == "succeeded"
    failed = api.refunds.retrieve(failing.id)
    assert (failed.status, failed.failure_reason) == ("failed", "expired_or_canceled_card")
    assert api.charges.retrieve(failed.charge).amount_refunded == 0


@pytest.mark.parametrize("outcome", ["won", "lost"])
def test_a_dispute_takes_the_money_and_a_won_one_returns_it(api, fake, outcome):
    intent = paid(api, "pm_card_createDispute")
    dispute = api.disputes.list({"payment_intent": intent.id}).data[0]
    assert (dispute.status, dispute.amount, dispute.reason) == ("needs_response", 5000, "fraudulent")
    assert refused(stripe.InvalidRequestError, api.refunds.create, {"payment_intent": intent.id}).code == "charge_disputed"
    fake.knob("POST", f"disputes/{dispute.id}/close", outcome=outcome)
    closed = api.disputes.retrieve(dispute.id)
    moved = [-6500] if outcome == "lost" else [-6500, 5000]
    assert (closed.status, [entry.net for entry in closed.balance_transactions]) == (outcome, moved)
    types = [event.type for event in api.events.list({"types": ["charge.dispute.closed", "charge.dispute.funds_reinstated"]})
             if event.data.object.id == dispute.id]
    assert types == ["charge.dispute.closed"] + ["charge.dispute.funds_reinstated"] * (outcome == "won")
    assert fake.try_knob("POST", f"disputes/{dispute.id}/close", outcome="won")[0] == 400


def test_an_early_fraud_warning_ends_with_the_refund(api):
    intent = paid(api, "pm_card_createIssuerFraudRecord")
    warning = api.radar.early_fraud_warnings.list({"payment_intent": intent.id}).data[0]
    assert (warning.actionable, warning.charge) == (True, intent.latest_charge)
    api.refunds.create({"payment_intent": intent.id})
    assert api.radar.early_fraud_warnings.retrieve(warning.id).actionable is False


def test_an_operator_is_paid_once_onboarded_and_no_more_than_there_is(api, fake):
    account = api.accounts.create({"type": "express", "capabilities": {"transfers": {"requested": True}}})
    pay = {"amount": 400, "destination": account.id} | USD
    assert refused(stripe.InvalidRequestError, api.transfers.create, pay).code == "insufficient_capabilities_for_transfer"
    fake.knob("POST", f"accounts/{account.id}/onboard")
    assert api.accounts.retrieve(account.id).payouts_enabled
    charge = paid(api).latest_charge
    assert refused(stripe.InvalidRequestError, api.transfers.create, pay | {"amount": 90_000_000}).code == "balance_insufficient"
    transfer = api.transfers.create(pay | {"source_transaction": charge})
    refused(stripe.InvalidRequestError, api.transfers.create, pay | {"source_transaction": charge, "amount": 4601})
    paid(api, "pm_card_bypassPending", cents=500_000)
    free = api.transfers.create(pay)
    assert api.balance.retrieve(options={"stripe_account": account.id}).available[0].amount == 400
    api.transfers.reversals.create(free.id, {"amount": 150})
    assert refused(stripe.InvalidRequestError, api.transfers.reversals.create, free.id, {"amount": 251}).param == "amount"
    assert api.transfers.retrieve(free.id).amount_reversed == 150
    assert [one.id for one in api.transfers.list({"destination": account.id})] == [free.id, transfer.id]
