"""Credit by card: bought once however often it is told, never before it is paid, and gone when a bank takes it back."""

import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import httpx
import pytest

from harness import World, wait_until
from harness.fake_stripe import FakeStripe
from harness.gateway import Account, Gateway

SECRET = "whsec_of_tests"
CENT = 10_000_000
PAGES = {"success_url": "https://example.com/paid", "cancel_url": "https://example.com/"}
QUIET = "3600"


@dataclass(frozen=True)
class Shop:
    """A gateway and the Stripe that it asks; neither looks for the other by itself more often than told."""

    gateway: Gateway
    fake: FakeStripe

    def account(self) -> Account:
        return self.gateway.key(self.gateway.cli("account", "create", "shop")["id"], "--scope", "admin")

    def page(self, account: Account, usd: str = "25.00", **more: object) -> tuple[str, str]:
        """The payment's id and the page's."""
        answer = account.request("POST", "/v1/billing/checkout", {"amount": usd, **PAGES, **more})
        assert answer.status_code == 201, answer.text
        assert answer.json()["live"] is False
        session = next(part for part in answer.json()["url"].split("/") if part.startswith("cs_"))
        return answer.json()["id"], session

    def pay(self, session: str, card: str = "4242424242424242") -> str:
        return self.fake.knob("POST", f"checkout/{session}/pay", card=card)["payment_intent"]

    def tells(self, on: bool) -> None:
        if on:
            self.fake.knob("DELETE", "webhooks")
        else:
            self.fake.knob("POST", "webhooks", do="drop")

    def events(self, kind: str) -> list[dict]:
        return list(self.fake.client().v1.events.list({"type": kind}).data)

    def state(self, account: Account, payment: str) -> str:
        listed = account.request("GET", "/v1/billing/payments").json()["data"]
        return next(one["state"] for one in listed if one["id"] == payment)


def opened(world: World, folder, monkeypatch, every_s: str) -> Iterator[Shop]:
    fake = FakeStripe(folder).begin()
    settings = {"TAX": "false", "RECONCILE_EVERY_S": every_s, "TOP_UP_EVERY_S": "1", "NEW_ACCOUNT_DAILY_USD": "2000",
                "REVIEW_FROM": "1000"}
    toml = folder / "gateway.toml"
    toml.write_text("[stripe]\n" + "".join(
        f'{name.lower()} = {value if value.isdigit() and "USD" not in name or value == "false" else json.dumps(value)}\n'
        for name, value in settings.items()))
    monkeypatch.setenv("STRIPE_SECRET_KEY", "sk_test_peerway")
    monkeypatch.setenv("STRIPE_WEBHOOK_SECRETS", f"whsec_old,{SECRET}")
    monkeypatch.setenv("STRIPE_API_BASE", fake.url)
    gateway = world.gateway("--config", str(toml))
    fake.knob("PUT", "endpoint", url=f"{gateway.url}/v1/webhooks/stripe", secrets=[SECRET])
    yield Shop(gateway, fake)
    fake.clean_up()


@pytest.fixture(scope="module")
def shop(world, tmp_path_factory) -> Iterator[Shop]:
    with pytest.MonkeyPatch.context() as patch:
        yield from opened(world, tmp_path_factory.mktemp("shop"), patch, QUIET)


@pytest.fixture
def asking_shop(own_world, tmp_path, monkeypatch) -> Iterator[Shop]:
    """One that looks every second for what nobody told."""
    yield from opened(own_world, tmp_path, monkeypatch, "1")


def posted(account: Account) -> int:
    return account.balance()["posted"]


def signed(body: bytes, at: float | None = None, secret: str = SECRET) -> str:
    stamp = int(time.time() if at is None else at)
    mac = hmac.new(secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={stamp},v1={mac}"


def told(shop: Shop, body: bytes, signature: str) -> httpx.Response:
    return httpx.post(f"{shop.gateway.url}/v1/webhooks/stripe", content=body, headers={"Stripe-Signature": signature}, timeout=60)


def test_a_page_that_is_paid_is_credit(shop):
    account = shop.account()
    payment, session = shop.page(account)
    assert (posted(account), shop.state(account, payment)) == (0, "open")
    shop.pay(session)
    wait_until("the payment is credited", lambda: posted(account) == 2500 * CENT)
    assert shop.state(account, payment) == "paid"
    credits = account.request("GET", "/v1/credits").json()["data"]
    assert credits["total_credits"] == 25


def test_a_hundred_copies_at_once_are_one_payment(shop):
    account = shop.account()
    shop.tells(False)
    payment, session = shop.page(account, "10.00")
    intent = shop.pay(session)
    shop.fake.knob("POST", "wait", timeout_s=30)
    shop.tells(True)
    assert posted(account) == 0
    event = next(event for event in shop.events("payment_intent.succeeded") if event["data"]["object"]["id"] == intent)
    body = json.dumps(event.to_dict() if hasattr(event, "to_dict") else event).encode()
    signature = signed(body)
    with ThreadPoolExecutor(100) as copies:
        answers = list(copies.map(lambda _: told(shop, body, signature), range(100)))
    assert {answer.status_code for answer in answers} == {200}
    wait_until("the payment is credited", lambda: posted(account) == 1000 * CENT)
    deposits = [one for one in shop.gateway.exported() if one["reference"] == intent]
    assert len(deposits) == 1
    assert shop.state(account, payment) == "paid"


def test_a_refund_that_is_told_before_its_payment(shop):
    account = shop.account()
    shop.tells(False)
    payment, session = shop.page(account, "10.00")
    intent = shop.pay(session)
    shop.fake.client().v1.refunds.create({"payment_intent": intent, "amount": 400})
    shop.fake.knob("POST", "wait", timeout_s=30)
    shop.tells(True)
    event = next(event for event in shop.events("charge.refunded") if event["data"]["object"]["payment_intent"] == intent)
    shop.fake.knob("POST", f"events/{event['id']}/send")
    wait_until("both are in the ledger", lambda: posted(account) == 600 * CENT)
    event = next(event for event in shop.events("payment_intent.succeeded") if event["data"]["object"]["id"] == intent)
    shop.fake.knob("POST", f"events/{event['id']}/send")
    shop.fake.knob("POST", "wait", timeout_s=30)
    listed = account.request("GET", "/v1/billing/payments").json()["data"]
    assert [(one["id"], one["refunded"]) for one in listed] == [(payment, "4.00")]
    assert posted(account) == 600 * CENT


def test_what_is_not_signed_by_stripe_changes_nothing(shop):
    account = shop.account()
    body = json.dumps({"id": "evt_forged", "type": "payment_intent.succeeded", "created": 1,
                       "data": {"object": {"id": "pi_forged", "object": "payment_intent"}}}).encode()
    now = time.time()
    for signature in ("", "t=1,v1=00", signed(body, secret="whsec_other"), signed(body + b" "), signed(body, now - 301),
                      signed(body, now + 302), signed(body).replace("v1=", "v0=")):
        answer = told(shop, body, signature)
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, "Stripe-Signature"), signature
    assert told(shop, b"x" * (256 * 1024 + 1), signed(b"x")).status_code == 413
    # Signed, and about a payment that Stripe does not have: kept, and no credit.
    assert told(shop, body, signed(body, secret="whsec_old")).status_code == 200
    assert posted(account) == 0


def test_a_dispute_freezes_until_it_is_won(shop):
    account = shop.account()
    payment, session = shop.page(account, "10.00")
    intent = shop.pay(session)
    wait_until("the payment is credited", lambda: posted(account) == 1000 * CENT)
    dispute = shop.fake.knob("POST", "disputes", payment_intent=intent)
    wait_until("the money is gone", lambda: posted(account) == 0)
    assert account.show()["frozen"] is True
    assert shop.state(account, payment) == "disputed"
    refused = account.request("POST", "/v1/billing/refunds", {"payment": payment})
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "payment_conflict")
    shop.fake.knob("POST", f"disputes/{dispute['id']}/close", outcome="won")
    wait_until("the money is back", lambda: posted(account) == 1000 * CENT)
    assert account.show()["frozen"] is False


def test_unused_credit_goes_back_once(shop):
    account = shop.account()
    payment, session = shop.page(account, "10.00")
    shop.pay(session)
    wait_until("the payment is credited", lambda: posted(account) == 1000 * CENT)
    answers = [account.request("POST", "/v1/billing/refunds", {"payment": payment, "amount": "3.00"}, Idempotency_Key="r1")
               for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201], answers[0].text
    assert answers[0].json()["id"] == answers[1].json()["id"]
    assert (answers[0].json()["state"], posted(account)) == ("paid", 700 * CENT)
    other = account.request("POST", "/v1/billing/refunds", {"payment": payment, "amount": "4.00"}, Idempotency_Key="r1")
    assert other.status_code == 422
    too_much = account.request("POST", "/v1/billing/refunds", {"payment": payment, "amount": "7.01"})
    assert (too_much.status_code, too_much.json()["error"]["param"]) == (400, "amount")
    foreign = shop.account().request("POST", "/v1/billing/refunds", {"payment": payment})
    assert foreign.status_code == 404


def test_credit_that_runs_low_is_bought_once_and_not_above_the_cap(shop):
    account = shop.account()
    low = {"enabled": True, "threshold": "30.00", "amount": "25.00", "monthly_limit": "25.00"}
    without = account.request("PUT", "/v1/billing/topup", low)
    assert (without.status_code, without.json()["error"]["param"]) == (400, "enabled")
    _, session = shop.page(account, "10.00", save_card=True)
    shop.pay(session)
    wait_until("the payment is credited", lambda: posted(account) == 1000 * CENT)
    assert account.request("PUT", "/v1/billing/topup", low).status_code == 200
    wait_until("a card is charged", lambda: posted(account) == 3500 * CENT)
    high = {**low, "threshold": "100.00"}
    assert account.request("PUT", "/v1/billing/topup", high).status_code == 200
    wait_until("the cap is told", lambda: account.request("GET", "/v1/billing/topup").json()["problem"])
    assert "month" in account.request("GET", "/v1/billing/topup").json()["problem"]
    assert posted(account) == 3500 * CENT


def test_scopes_and_fields_are_checked(shop):
    account = shop.account()
    reader = shop.gateway.key(account.id, "--scope", "billing:read")
    assert reader.request("GET", "/v1/billing/payments").status_code == 200
    assert reader.request("POST", "/v1/billing/checkout", {"amount": "25.00", **PAGES}).status_code == 403
    nobody = shop.gateway.key(account.id, "--scope", "inference")
    assert nobody.request("GET", "/v1/billing/topup").status_code == 403
    for body, param in (({"amount": "1.00", **PAGES}, "amount"), ({"amount": "25.001", **PAGES}, "amount"),
                        ({"amount": "ten", **PAGES}, "amount"), ({**PAGES, "amount": "25", "success_url": "ftp://x"}, "success_url")):
        refused = account.request("POST", "/v1/billing/checkout", body)
        assert (refused.status_code, refused.json()["error"]["param"]) == (400, param), refused.text
    portal = account.request("POST", "/v1/billing/portal", {"return_url": "https://example.com/"})
    assert portal.status_code == 201 and portal.json()["url"].startswith(shop.fake.url)


def test_a_payment_of_which_nobody_told_is_found(asking_shop):
    shop, account = asking_shop, asking_shop.account()
    shop.tells(False)
    payment, session = shop.page(account)
    shop.pay(session)
    wait_until("the payment is credited", lambda: posted(account) == 2500 * CENT)
    # And what was told while the gateway was away.
    shop.gateway.service.clean_up()
    _, session = shop_page_after(shop, account)
    shop.pay(session)
    shop.gateway.start()
    wait_until("that one is credited too", lambda: posted(account) == 3500 * CENT)
    assert shop.state(account, payment) == "paid"


def shop_page_after(shop: Shop, account: Account) -> tuple[str, str]:
    shop.gateway.start()
    made = shop.page(account, "10.00")
    shop.gateway.service.clean_up()
    return made


def test_without_a_key_the_routes_say_so(own_world, monkeypatch):
    for name in ("STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRETS", "STRIPE_API_BASE"):
        monkeypatch.delenv(name, raising=False)
    gateway = own_world.gateway()
    account = gateway.account("1", "--scope", "admin")
    for method, path in (("POST", "/v1/billing/checkout"), ("GET", "/v1/billing/payments"), ("POST", "/v1/webhooks/stripe")):
        refused = account.request(method, path, {} if method == "POST" else None)
        assert (refused.status_code, refused.json()["error"]["code"]) == (501, "payments_off"), path
    assert "set STRIPE_SECRET_KEY" in gateway.service.log.read_text()
