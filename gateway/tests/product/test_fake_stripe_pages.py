"""The fake Stripe's pages as a browser meets them, and its command line."""

import subprocess
import sys
import pytest
import requests

from harness import free_port
from harness.fake_stripe import ROOT, FakeStripe

TITLE = "Fake Stripe: nothing is paid"
BACK = "https://example.com/thanks"


def checkout(api, name: str = "Credit", **more: object):
    return api.checkout.sessions.create({
        "mode": "payment", "success_url": f"{BACK}?session={{CHECKOUT_SESSION_ID}}", "cancel_url": "https://example.com/no",
        "line_items": [{"quantity": 1, "price_data": {"currency": "usd", "unit_amount": 2500,
                                                      "product_data": {"name": name}}}]} | more)


def typed(card: str, **more: str) -> dict[str, str]:
    return {"card": card, "expiry": "12/34", "name": "A", "country": "US", "postal_code": "94107", "email": "a@example.com"} | more


def get(url: str) -> requests.Response:
    return requests.get(url, allow_redirects=False, timeout=20)


def post(url: str, **form: str) -> requests.Response:
    return requests.post(url, data=form, allow_redirects=False, timeout=20)


def test_every_page_says_that_nothing_is_paid(fake, api):
    session = checkout(api)
    customer = api.customers.create({})
    portal = api.billing_portal.sessions.create({"customer": customer.id, "return_url": BACK})
    for url in (fake.url, session.url, portal.url, f"{fake.url}/nowhere"):
        page = get(url)
        assert page.text.count(TITLE) == 2, url
        assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert "25.00 USD" in get(session.url).text


def test_a_browser_pays(api):
    session = checkout(api, customer_creation="always")
    done = post(session.url, **typed("4242424242424242"))
    assert (done.status_code, done.headers["Location"]) == (303, f"{BACK}?session={session.id}")
    paid = api.checkout.sessions.retrieve(session.id, {"expand": ["customer"]})
    assert (paid.payment_status, paid.customer.email) == ("paid", "a@example.com")
    assert get(session.url).headers["Location"] == f"{BACK}?session={session.id}"


def test_paying_twice_pays_once(fake, api):
    session = checkout(api)
    for _ in range(2):
        assert post(session.url, **typed("4242424242424242")).status_code == 303
    intent = api.checkout.sessions.retrieve(session.id).payment_intent
    assert len(api.charges.list({"payment_intent": intent}).data) == 1


@pytest.mark.parametrize(("card", "message"), [
    ("4000000000000002", "Your card was declined."),
    ("4242424242424241", "Your card number is incorrect."),
    ("4111111111111111", "used a non test card"),
    ("4000000000009995", "insufficient funds"),
])
def test_a_browser_is_told_why_a_card_fails(api, card, message):
    session = checkout(api)
    page = post(session.url, **typed(card))
    assert (page.status_code, message in page.text) == (402, True)
    assert post(session.url, **typed("4242424242424242")).status_code == 303


def test_a_browser_confirms_with_the_bank(fake, api):
    session = checkout(api)
    asked = post(session.url, **typed("4000002500003155"))
    challenge = fake.url + asked.headers["Location"]
    assert "is it you" in get(challenge).text
    assert "unable to authenticate" in post(challenge, agreed="no").text
    assert api.checkout.sessions.retrieve(session.id).status == "open"
    challenge = fake.url + post(session.url, **typed("4000002500003155")).headers["Location"]
    assert post(challenge, agreed="yes").headers["Location"] == f"{BACK}?session={session.id}"
    assert api.checkout.sessions.retrieve(session.id).payment_status == "paid"


def test_a_browser_confirms_a_payment_without_a_checkout(api):
    intent = api.payment_intents.create({"amount": 900, "currency": "usd", "payment_method": "pm_card_threeDSecure2Required",
                                         "confirm": True, "return_url": f"{BACK}?a=1"})
    done = post(intent.next_action.redirect_to_url.url, agreed="yes").headers["Location"]
    assert done.startswith(f"{BACK}?a=1&payment_intent={intent.id}&") and done.endswith("redirect_status=succeeded")
    assert api.payment_intents.retrieve(intent.id).status == "succeeded"


def test_a_name_cannot_become_a_script(api):
    page = get(checkout(api, name="<script>alert(1)</script>").url).text
    assert "<script>" not in page and "&lt;script&gt;" in page


def test_an_ended_checkout_takes_nothing(api):
    session = checkout(api)
    api.checkout.sessions.expire(session.id)
    assert post(session.url, **typed("4242424242424242")).status_code == 410


def test_an_operator_is_onboarded_once_a_link(fake, api):
    account = api.accounts.create({"type": "express", "capabilities": {"transfers": {"requested": True}}})
    wanted = {"account": account.id, "type": "account_onboarding", "refresh_url": "https://example.com/again", "return_url": BACK}
    link = api.account_links.create(wanted).url
    assert api.accounts.retrieve(account.id).requirements.disabled_reason == "requirements.past_due"
    assert post(link).headers["Location"] == BACK
    assert api.accounts.retrieve(account.id).capabilities.transfers == "active"
    assert get(link).headers["Location"] == "https://example.com/again"
    late = api.account_links.create(wanted).url
    fake.knob("POST", "clock", advance_s=301)
    assert get(late).headers["Location"] == "https://example.com/again"


def test_the_portal_removes_a_card(api):
    customer = api.customers.create({})
    card = api.payment_methods.attach("pm_card_visa", {"customer": customer.id})
    portal = api.billing_portal.sessions.create({"customer": customer.id, "return_url": BACK}).url
    assert "ending in 4242" in get(portal).text
    assert post(portal, detach=card.id).status_code == 303
    assert api.payment_methods.list({"customer": customer.id}).data == []


def test_an_invoice_has_a_page(api):
    session = checkout(api, invoice_creation={"enabled": True})
    post(session.url, **typed("4242424242424242"))
    invoice = api.checkout.sessions.retrieve(session.id, {"expand": ["invoice"]}).invoice
    page = get(invoice.hosted_invoice_url).text
    assert invoice.number in page and "25.00 USD" in page


def test_it_listens_on_loopback_only_unless_told(tmp_path):
    command = [sys.executable, str(ROOT / "billing/stripe/fake"), "--port", str(free_port())]
    refused = subprocess.run([*command, "--host", "0.0.0.0"], capture_output=True, text=True, timeout=20)  # noqa: S104
    assert refused.returncode == 2
    assert "--anyone" in refused.stderr
    assert subprocess.run([*command, "--host", "nowhere"], capture_output=True, timeout=20).returncode == 2
    unsigned = subprocess.run([*command, "--webhook-url", "http://127.0.0.1:1/"], capture_output=True, text=True, timeout=20)
    assert "--webhook-secret" in unsigned.stderr


def test_it_says_why_it_cannot_start(fake, tmp_path):
    (tmp_path / "torn.json").write_text('{"objects": {')
    for more, told in ((["--port", str(fake.port)], "cannot listen"),
                       (["--port", "0", "--state-file", str(tmp_path / "torn.json")], "move it away")):
        done = subprocess.run([sys.executable, str(ROOT / "billing/stripe/fake"), *more], capture_output=True, text=True,
                              timeout=20)
        assert (done.returncode, told in done.stderr) == (1, True)


def test_it_remembers_in_a_file(tmp_path):
    fake = FakeStripe(tmp_path, "--state-file", str(tmp_path / "state.json")).begin()
    card = {"amount": 700, "currency": "usd", "payment_method": "pm_card_visa", "confirm": True, "off_session": True}
    paid = fake.client().v1.payment_intents.create(card, {"idempotency_key": "before"})
    fake.kill()
    fake.begin()
    again = fake.client().v1.payment_intents.create(card, {"idempotency_key": "before"})
    assert (again.id, fake.knob("GET", "totals")["usd"]["succeeded"]) == (paid.id, 700)
    assert fake.client().v1.refunds.create({"payment_intent": paid.id}).status == "succeeded"
    assert fake.stop() == 0
