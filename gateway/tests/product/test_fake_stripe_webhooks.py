"""The fake Stripe's webhooks: signed as the official package checks them, sent until taken, hindered by order."""

import json
import threading
import time
from collections.abc import Iterator

import pytest
import stripe

from harness.fake_stripe import SECRET, FakeStripe, Receiver

OTHER = "whsec_of_yesterday"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


@pytest.fixture
def fake(fake, receiver) -> Iterator[FakeStripe]:
    fake.knob("PUT", "endpoint", url=receiver.url, secrets=[SECRET], enabled_events=["*"], retry_s=0.05)
    yield fake
    fake.knob("DELETE", "webhooks")
    fake.knob("PUT", "endpoint", url=None)
    assert fake.knob("POST", "wait")["quiet"]


def new_customer(fake: FakeStripe) -> stripe.Event:
    """The event of one thing that happened."""
    fake.client().v1.customers.create({})
    return fake.client().v1.events.list({"limit": 1}).data[0]


def test_the_official_package_takes_the_signature_and_nothing_else(fake, receiver):
    event = new_customer(fake)
    assert fake.knob("POST", "wait")["quiet"]
    (body, signature), = receiver.taken
    taken = stripe.Webhook.construct_event(body, signature, SECRET)
    assert (taken.id, taken.type, taken.data.object.object) == (event.id, "customer.created", "customer")
    for wrong in ((body + b" ", signature, SECRET), (body, signature, OTHER), (body, signature.replace("v1=", "v1=0"), SECRET)):
        with pytest.raises(stripe.SignatureVerificationError):
            stripe.Webhook.construct_event(*wrong)
    assert fake.client().v1.events.retrieve(event.id).pending_webhooks == 0


def test_both_secrets_sign_while_one_is_rotated(fake, receiver):
    fake.knob("PUT", "endpoint", secrets=[OTHER, SECRET])
    new_customer(fake)
    assert fake.knob("POST", "wait")["quiet"]
    (body, signature), = receiver.taken
    assert signature.count("v1=") == 2
    for secret in (SECRET, OTHER):
        stripe.Webhook.construct_event(body, signature, secret)


def test_an_old_signature_is_old(fake, receiver):
    event = new_customer(fake)
    assert fake.knob("POST", "wait")["quiet"]
    receiver.taken.clear()
    assert fake.knob("POST", f"events/{event.id}/send", age_s=301)["answers"] == [200]
    (body, signature), = receiver.taken
    with pytest.raises(stripe.SignatureVerificationError, match="outside the tolerance"):
        stripe.Webhook.construct_event(body, signature, SECRET)
    assert stripe.Webhook.construct_event(body, signature, SECRET, tolerance=600).id == event.id


def test_it_is_sent_until_it_is_taken(fake, receiver):
    receiver.statuses.extend([500, 503, 302])
    event = new_customer(fake)
    assert fake.knob("POST", "wait")["quiet"]
    sent = fake.knob("GET", "deliveries", event=event.id)["deliveries"]
    assert [(one["attempt"], one["status"]) for one in sent] == [(1, 500), (2, 503), (3, 302), (4, 200)]
    assert len({body for body, _ in receiver.taken}) == 1


def test_an_event_can_be_lost_and_still_be_found(fake, receiver):
    fake.knob("POST", "webhooks", do="drop", types=["customer.created"], count=1)
    lost, sent = new_customer(fake), new_customer(fake)
    assert fake.knob("POST", "wait")["quiet"]
    assert [json.loads(body)["id"] for body, _ in receiver.taken] == [sent.id]
    missing = fake.client().v1.events.list({"type": "customer.*", "delivery_success": False, "created": {"gte": lost.created}})
    assert lost.id in [event.id for event in missing]
    assert sent.id not in [event.id for event in missing]


def test_an_event_can_come_twice_or_late(fake, receiver):
    fake.knob("POST", "webhooks", do="duplicate", count=1, times=3)
    twice = new_customer(fake)
    assert fake.knob("POST", "wait")["quiet"]
    assert [json.loads(body)["id"] for body, _ in receiver.taken] == [twice.id] * 3
    began = time.monotonic()
    fake.knob("POST", "webhooks", do="delay", count=1, ms=200)
    new_customer(fake)
    assert fake.knob("POST", "wait")["quiet"]
    assert time.monotonic() - began >= 0.2
    assert len(receiver.taken) == 4


def test_events_can_come_backwards(fake, receiver):
    fake.knob("POST", "webhooks", do="reorder", types=["charge.succeeded", "payment_intent.succeeded", "charge.refunded"], count=3)
    api = fake.client().v1
    intent = api.payment_intents.create({"amount": 900, "currency": "usd", "payment_method": "pm_card_visa", "confirm": True,
                                         "off_session": True})
    api.refunds.create({"payment_intent": intent.id})
    assert fake.knob("POST", "wait")["quiet"]
    held = [kind for kind in receiver.types if kind in ("charge.succeeded", "payment_intent.succeeded", "charge.refunded")]
    assert held == ["charge.refunded", "payment_intent.succeeded", "charge.succeeded"]


def test_clearing_sends_what_a_reordering_holds(fake, receiver):
    fake.knob("POST", "webhooks", do="reorder", count=5)
    new_customer(fake)
    assert fake.knob("POST", "wait")["quiet"]
    assert receiver.taken == []
    fake.knob("DELETE", "webhooks")
    assert fake.knob("POST", "wait")["quiet"]
    assert receiver.types == ["customer.created"]


def test_many_copies_come_at_once(fake, receiver):
    event = new_customer(fake)
    assert fake.knob("POST", "wait")["quiet"]
    receiver.taken.clear()
    # Nobody is answered before all 40 are there: copies one after another would never end.
    receiver.before_answer = threading.Barrier(40, timeout=60).wait
    assert fake.knob("POST", f"events/{event.id}/send", times=40)["answers"] == [200] * 40
    assert {json.loads(body)["id"] for body, _ in receiver.taken} == {event.id}


def test_only_the_wanted_types_are_sent(fake, receiver):
    fake.knob("PUT", "endpoint", enabled_events=["payment_method.attached"])
    api = fake.client().v1
    customer = api.customers.create({})
    api.payment_methods.attach("pm_card_visa", {"customer": customer.id})
    assert fake.knob("POST", "wait")["quiet"]
    assert receiver.types == ["payment_method.attached"]


def test_events_keep_what_was_and_who_asked(fake):
    api = fake.client().v1
    customer = api.customers.create({"name": "Before"}, {"idempotency_key": "made-by-this"})
    api.customers.update(customer.id, {"name": "After"})
    after, before = api.events.list({"limit": 2})
    assert (before.data.object.name, before.request.idempotency_key) == ("Before", "made-by-this")
    assert (after.data.object.name, after.data.previous_attributes.to_dict()) == ("After", {"name": "Before"})


def test_events_come_in_pages(fake):
    made = [new_customer(fake).id for _ in range(5)][::-1]
    api = fake.client().v1
    first = api.events.list({"limit": 2, "type": "customer.created"})
    assert first.has_more
    paged = [event.id for event, _ in zip(first.auto_paging_iter(), made, strict=False)]
    assert paged == made
    before = api.events.list({"limit": 2, "ending_before": made[3]})
    assert [event.id for event in before] == made[1:3]
    at = api.events.retrieve(made[0]).created
    assert api.events.list({"created": {"gt": at}}).data == []
    assert made[0] in [event.id for event in api.events.list({"created": {"gte": at, "lt": at + 1}})]
