"""The fake Stripe when things go wrong: idempotency keys, outages, unknown outcomes, and calls that are refused."""

import contextlib
import http.client
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
import stripe

from harness import wait_until
from harness.fake_stripe import FakeStripe

CARD = {"amount": 700, "currency": "usd", "payment_method": "pm_card_visa", "confirm": True, "off_session": True}
PAYMENTS = "/v1/payment_intents"


@pytest.fixture
def fake(fake) -> Iterator[FakeStripe]:
    yield fake
    fake.knob("DELETE", "outage")


@pytest.fixture
def before(fake) -> int:
    return succeeded(fake)


def succeeded(fake: FakeStripe) -> int:
    return fake.knob("GET", "totals").get("usd", {}).get("succeeded", 0)


def pay(fake: FakeStripe, key: str, **options: object) -> stripe.PaymentIntent:
    return fake.client(**options).v1.payment_intents.create(CARD, {"idempotency_key": key})


def waits(fake: FakeStripe, key: str) -> bool:
    """Whether a call with this key is held by an outage."""
    return any(call["waits"] for call in fake.knob("GET", "calls", idempotency_key=key)["calls"])


def answer(fake: FakeStripe, key: str, path: str = PAYMENTS, **form: object) -> requests.Response:
    return requests.post(fake.url + path, data=form or {**CARD, "confirm": "true", "off_session": "true"}, timeout=60,
                         headers={"Authorization": "Bearer sk_test_x", "Idempotency-Key": key})


def test_the_same_call_is_answered_again_and_done_once(fake, before):
    first, again = answer(fake, "same"), answer(fake, "same")
    assert (first.status_code, again.content) == (200, first.content)
    assert "Idempotent-Replayed" not in first.headers
    assert (again.headers["Idempotent-Replayed"], again.headers["Original-Request"]) == ("true", first.headers["Request-Id"])
    assert succeeded(fake) == before + 700
    assert [(call["worked"], call["replayed"]) for call in fake.knob("GET", "calls", idempotency_key="same")["calls"]] == [
        (True, False), (False, True)]


def test_a_key_is_for_one_call(fake):
    pay(fake, "one")
    client = fake.client().v1
    with pytest.raises(stripe.IdempotencyError) as caught:
        client.payment_intents.create(CARD | {"amount": 701}, {"idempotency_key": "one"})
    assert caught.value.http_status == 400
    with pytest.raises(stripe.IdempotencyError, match="same endpoint"):
        client.customers.create({}, {"idempotency_key": "one"})


def test_a_declined_card_is_declined_again_and_not_tried_again(fake):
    form = {"amount": 700, "currency": "usd", "payment_method": "pm_card_visa_chargeDeclined", "confirm": "true",
            "off_session": "true"}
    first, again = answer(fake, "declined", **form), answer(fake, "declined", **form)
    assert (first.status_code, again.status_code) == (402, 402)
    assert again.json()["error"]["payment_intent"]["id"] == first.json()["error"]["payment_intent"]["id"]


def test_what_was_refused_before_the_work_frees_its_key(fake):
    assert answer(fake, "freed", amount="many", currency="usd").status_code == 400
    assert answer(fake, "freed").status_code == 200


def test_a_key_is_forgotten_after_a_day(fake, before):
    pay(fake, "aged")
    fake.knob("POST", "clock", advance_s=24 * 3600 + 1)
    pay(fake, "aged")
    assert succeeded(fake) == before + 1400


def test_a_key_in_use_is_a_conflict(fake, before):
    fake.knob("POST", "outage", mode="delay", ms=60_000, count=1, method="POST", path=PAYMENTS)
    with ThreadPoolExecutor() as pool:
        slow = pool.submit(pay, fake, "busy")
        wait_until("the key is taken", lambda: waits(fake, "busy"))
        error = answer(fake, "busy").json()["error"]
        assert (error["type"], error["code"]) == ("idempotency_error", "idempotency_key_in_use")
        fake.knob("DELETE", "outage")
        assert slow.result().status == "succeeded"
    assert succeeded(fake) == before + 700


def test_many_at_once_with_one_key_are_one_payment(fake, before):
    start = threading.Barrier(24)

    def one(_: int) -> int:
        start.wait()
        return answer(fake, "stampede").status_code

    with ThreadPoolExecutor(24) as pool:
        statuses = set(pool.map(one, range(24)))
    assert statuses <= {200, 409} and 200 in statuses
    assert succeeded(fake) == before + 700


def test_an_unknown_outcome_is_learnt_with_the_same_key(fake, before):
    fake.knob("POST", "outage", mode="drop_after", count=1, method="POST", path=PAYMENTS)
    with pytest.raises(stripe.APIConnectionError):
        pay(fake, "unknown")
    assert succeeded(fake) == before + 700
    assert pay(fake, "unknown").status == "succeeded"
    assert succeeded(fake) == before + 700


def test_the_official_package_tries_again_by_itself(fake, before):
    fake.knob("POST", "outage", mode="drop_after", count=1, method="POST", path=PAYMENTS)
    assert pay(fake, "retried", max_network_retries=2).status == "succeeded"
    assert succeeded(fake) == before + 700


def test_a_connection_dropped_before_the_work_leaves_nothing(fake, before):
    fake.knob("POST", "outage", mode="drop", count=1)
    with pytest.raises(stripe.APIConnectionError):
        pay(fake, "nothing")
    assert succeeded(fake) == before


def test_an_outage_does_nothing_and_keeps_no_key(fake, before):
    fake.knob("POST", "outage", mode="error", status=503, path=PAYMENTS)
    with pytest.raises(stripe.APIError) as caught:
        pay(fake, "outage")
    assert (caught.value.http_status, succeeded(fake)) == (503, before)
    assert fake.client().v1.customers.list() is not None
    fake.knob("DELETE", "outage")
    assert pay(fake, "outage").status == "succeeded"


def test_an_error_after_the_work_is_remembered_and_only_a_look_tells(fake, before):
    fake.knob("POST", "outage", mode="error_after", status=500, count=1, method="POST")
    for _ in range(2):
        with pytest.raises(stripe.APIError) as caught:
            pay(fake, "misled")
        assert caught.value.http_status == 500
    assert succeeded(fake) == before + 700
    assert fake.client().v1.payment_intents.list({"limit": 1}).data[0].status == "succeeded"


def test_a_call_can_hang_before_and_after_its_work(fake, before):
    for mode, done in (("hang", 0), ("hang_after", 700)):
        fake.knob("POST", "outage", mode=mode, count=1, method="POST", path=PAYMENTS)
        with ThreadPoolExecutor() as pool:
            hung = pool.submit(pay, fake, mode)
            wait_until("the call hangs", lambda: waits(fake, mode))  # noqa: B023
            assert not hung.done()
            fake.knob("DELETE", "outage")
            assert isinstance(hung.exception(), stripe.APIConnectionError)
        assert succeeded(fake) == before + done


def test_too_many_calls(fake):
    fake.knob("POST", "outage", mode="error", status=429, count=1)
    with pytest.raises(stripe.RateLimitError):
        pay(fake, "hasty")


@pytest.mark.parametrize(("given", "code", "param"), [
    ({"amount": 500, "currency": "usd", "amuont": 5}, "parameter_unknown", "amuont"),
    ({"amount": 500, "currency": "usd", "payment_method_options": {"card": {"cvv": "1"}}}, "parameter_unknown",
     "payment_method_options[card][cvv]"),
    ({"currency": "usd"}, "parameter_missing", "amount"),
    ({"amount": "5.00", "currency": "usd"}, "parameter_invalid_integer", "amount"),
    ({"amount": 49, "currency": "usd"}, "amount_too_small", "amount"),
    ({"amount": 100_000_000, "currency": "usd"}, "amount_too_large", "amount"),
    ({"amount": 500, "currency": "usd", "customer": "cus_none"}, "resource_missing", "customer"),
    ({"amount": 500, "currency": "usd", "description": ""}, "parameter_invalid_empty", "description"),
    ({"amount": 500, "currency": "dollars"}, None, "currency"),
    ({"amount": 500, "currency": "usd", "capture_method": "later"}, None, "capture_method"),
    ({"amount": 500, "currency": "usd", "expand": ["customer.nothing", "amount"]}, "invalid_expand", "expand"),
    ({"amount": 500, "currency": "usd", "metadata": {f"m{place}": "x" for place in range(51)}}, None, "metadata"),
])
def test_a_bad_parameter_is_named(fake, given, code, param):
    with pytest.raises(stripe.InvalidRequestError) as caught:
        fake.client().v1.payment_intents.create(given)
    assert (caught.value.http_status, caught.value.code, caught.value.param) == (400, code, param)


def test_what_cannot_be_expanded_is_refused_before_the_work(fake, before):
    with pytest.raises(stripe.InvalidRequestError):
        fake.client().v1.payment_intents.create(CARD | {"expand": ["latest_charge.amount"]})
    assert succeeded(fake) == before


def test_what_is_not_there_is_404(fake):
    with pytest.raises(stripe.InvalidRequestError) as caught:
        fake.client().v1.payment_intents.retrieve("pi_none")
    assert (caught.value.http_status, caught.value.code) == (404, "resource_missing")
    with pytest.raises(stripe.InvalidRequestError, match="Unrecognized request URL"):
        fake.client().v1.subscriptions.list()


@pytest.mark.parametrize(("key", "status"), [(None, 401), ("sk_live_real", 401), ("nonsense", 401), ("sk_test_x", 200),
                                             ("rk_test_x", 200)])
def test_only_a_test_key_opens(fake, key, status):
    bearer = {"Authorization": f"Bearer {key}"} if key else {}
    assert requests.get(f"{fake.url}/v1/balance", headers=bearer, timeout=20).status_code == status
    if key:
        assert requests.get(f"{fake.url}/v1/balance", auth=(key, ""), timeout=20).status_code == status


def test_a_body_is_bounded(fake):
    """The length alone decides: no byte of the body is sent."""
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", fake.port, timeout=20)) as connection:
        connection.putrequest("POST", PAYMENTS)
        connection.putheader("Content-Length", str((1 << 20) + 1))
        connection.endheaders()
        assert connection.getresponse().status == 413


def test_a_live_key_is_warned_of(fake):
    with pytest.raises(stripe.AuthenticationError, match="never give it a live key"):
        stripe.StripeClient("sk_live_real", base_addresses={"api": fake.url}).v1.balance.retrieve()


def test_a_misspelt_knob_is_refused(fake):
    assert fake.try_knob("POST", "outage", mode="eror")[0] == 400
    assert fake.try_knob("POST", "outage", mode="error", cuont=1)[0] == 400
    assert fake.try_knob("POST", "outrage")[0] == 404
    assert requests.post(f"{fake.url}/_fake/clock", data='{"advance_s": 9}', timeout=20).status_code == 415
