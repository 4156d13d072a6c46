"""The fake Stripe's knobs for what a customer, a bank or a card network does, and for looking at what happened."""

import pytest
import stripe

USD = {"currency": "usd"}


def paid(api, **more: object) -> stripe.PaymentIntent:
    return api.payment_intents.create({"amount": 5000, "payment_method": "pm_card_visa", "confirm": True, "off_session": True}
                                      | USD | more)


def test_a_dispute_is_opened_for_a_part(fake, api):
    intent = paid(api)
    opened = fake.knob("POST", "disputes", payment_intent=intent.id, amount=1200, reason="duplicate")
    dispute = api.disputes.retrieve(opened["id"])
    assert (dispute.amount, dispute.reason, dispute.payment_intent) == (1200, "duplicate", intent.id)
    assert api.charges.retrieve(intent.latest_charge).disputed
    assert fake.try_knob("POST", "disputes", payment_intent=intent.id)[0] == 400


def test_a_merchant_answers_a_dispute_and_wins_or_gives_in(fake, api):
    disputes = [fake.knob("POST", "disputes", charge=paid(api).latest_charge)["id"] for _ in range(3)]
    for dispute, text in zip(disputes, ("winning_evidence", "losing_evidence"), strict=False):
        api.disputes.update(dispute, {"evidence": {"uncategorized_text": text}, "submit": True})
    api.disputes.close(disputes[2])
    assert [api.disputes.retrieve(dispute).status for dispute in disputes] == ["won", "lost", "lost"]


def test_a_warning_is_raised(fake, api):
    intent = paid(api)
    warning = fake.knob("POST", "early_fraud_warnings", payment_intent=intent.id, fraud_type="misc")
    assert api.radar.early_fraud_warnings.retrieve(warning["id"]).fraud_type == "misc"


def test_a_refund_fails_when_told(fake, api):
    refund = api.refunds.create({"payment_intent": paid(api).id})
    fake.knob("POST", f"refunds/{refund.id}/fail", reason="lost_or_stolen_card")
    failed = api.refunds.retrieve(refund.id, {"expand": ["charge", "failure_balance_transaction"]})
    assert (failed.status, failed.failure_reason, failed.charge.refunded) == ("failed", "lost_or_stolen_card", False)
    assert failed.failure_balance_transaction.net == 5000
    assert fake.try_knob("POST", f"refunds/{refund.id}/fail")[0] == 400


def test_an_account_is_stopped(fake, api):
    account = api.accounts.create({"type": "express", "capabilities": {"transfers": {"requested": True}}})
    fake.knob("POST", f"accounts/{account.id}/onboard")
    fake.knob("POST", f"accounts/{account.id}/restrict")
    assert api.accounts.retrieve(account.id).payouts_enabled is False
    updates = [event for event in api.events.list({"type": "account.updated"}) if event.account == account.id]
    assert [event.data.object.payouts_enabled for event in updates] == [False, True]
    with pytest.raises(stripe.InvalidRequestError):
        api.transfers.create({"amount": 100, "destination": account.id} | USD)


def test_a_challenge_left_open_is_answered_later(fake, api):
    session = api.checkout.sessions.create({
        "mode": "payment", "success_url": "https://example.com", "line_items": [
            {"quantity": 1, "price_data": USD | {"unit_amount": 2000, "product_data": {"name": "Credit"}}}]})
    fake.knob("POST", f"checkout/{session.id}/pay", card="4000000000003220", challenge=None)
    waiting = api.checkout.sessions.retrieve(session.id, {"expand": ["payment_intent"]})
    assert (waiting.status, waiting.payment_intent.status) == ("open", "requires_action")
    fake.knob("POST", f"challenge/{waiting.payment_intent.id}", agreed=True)
    assert api.checkout.sessions.retrieve(session.id).payment_status == "paid"
    assert fake.try_knob("POST", f"challenge/{waiting.payment_intent.id}", agreed=True)[0] == 400


def test_totals_are_by_customer_too(fake, api):
    customer = api.customers.create({})
    paid(api)
    intent = paid(api, customer=customer.id)
    api.refunds.create({"payment_intent": intent.id, "amount": 700})
    sums = fake.knob("GET", "totals", customer=customer.id)["usd"]
    assert (sums["succeeded"], sums["succeeded_count"], sums["refunded"], sums["disputed"]) == (5000, 1, 700, 0)


def test_the_calls_tell_what_was_asked(fake, api):
    customer = api.customers.create({"metadata": {"account": "42"}}, {"idempotency_key": "telling"})
    call = fake.calls("POST", "/v1/customers")[-1]
    assert (call["params"], call["status"], call["worked"], call["idempotency_key"]) == (
        {"metadata": {"account": "42"}}, 200, True, "telling")
    assert call["request_id"] == customer.last_response.request_id


def test_money_becomes_available_with_time(fake, api):
    charge = paid(api).latest_charge
    entry = api.charges.retrieve(charge, {"expand": ["balance_transaction"]}).balance_transaction
    assert entry.status == "pending"
    fake.knob("POST", "clock", advance_s=entry.available_on - entry.created)
    assert api.balance_transactions.retrieve(entry.id).status == "available"
