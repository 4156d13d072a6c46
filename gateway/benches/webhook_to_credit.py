"""How long it takes from a webhook to the credit it is about, at a gateway that has nothing else to do.

A payer pays at the fake Stripe, whose own webhooks are lost; the signed event is posted here, and the account's credit is
asked for until it is there. Fails where the median or p99 is not below the bound. Run by `make bench`.
"""

import argparse
import hashlib
import hmac
import json
import os
import sys
import tempfile
import time
from pathlib import Path

import httpx

sys.path.insert(0, str(Path(__file__).parents[1] / "tests/product"))

from harness import Account, Gateway, World  # noqa: E402
from harness.fake_stripe import SECRET, FakeStripe  # noqa: E402

PAGES = {"success_url": "https://example.com/paid", "cancel_url": "https://example.com/"}
MOST_S = 0.1
# An account pays no more than some in a day.
PER_ACCOUNT = 10


def paid(fake: FakeStripe, account: Account) -> str:
    answer = account.request("POST", "/v1/billing/checkout", {"amount": "5.00", **PAGES})
    assert answer.status_code == 201, answer.text
    session = next(part for part in answer.json()["url"].split("/") if part.startswith("cs_"))
    return fake.knob("POST", f"checkout/{session}/pay", card="4242424242424242")["payment_intent"]


def told(intent: str) -> tuple[bytes, str]:
    body = json.dumps({"id": f"evt_{intent}", "type": "payment_intent.succeeded", "created": int(time.time()),
                       "data": {"object": {"id": intent, "object": "payment_intent"}}}).encode()
    stamp = int(time.time())
    mac = hmac.new(SECRET.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    return body, f"t={stamp},v1={mac}"


def measure(fake: FakeStripe, gateway: Gateway, payments: int) -> list[float]:
    took = []
    with httpx.Client(base_url=gateway.url, timeout=60) as client:
        while len(took) < payments:
            account = gateway.key(gateway.cli("account", "create", "payer")["id"], "--scope", "admin")
            for number in range(1, min(PER_ACCOUNT, payments - len(took)) + 1):
                intent = paid(fake, account)
                # The gateway and the fake come to rest.
                time.sleep(0.05)
                body, signature = told(intent)
                began = time.perf_counter()
                answer = client.post("/v1/webhooks/stripe", content=body, headers={"Stripe-Signature": signature})
                assert answer.status_code == 200, answer.text
                while client.get("/v1/credits", headers=account.headers).json()["data"]["total_credits"] != 5 * number:
                    assert time.perf_counter() - began < 30, "the payment is not credited"
                took.append(time.perf_counter() - began)
    return sorted(took)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--payments", type=int, default=200)
    payments = options.parse_args().payments
    binaries = {"gateway": os.environ["PEERWAY_BIN"], "node": os.environ["PEERWAY_NODE_BIN"],
                "scripted": os.environ["PEERWAY_SCRIPTED_NODE_BIN"]}
    with tempfile.TemporaryDirectory() as folder:
        fake = FakeStripe(Path(folder)).begin()
        toml = Path(folder) / "gateway.toml"
        toml.write_text("[stripe]\ntax = false\nreconcile_every_s = 3600\ntop_up_every_s = 3600\nreview_from = 1000\n")
        os.environ.update(STRIPE_SECRET_KEY="sk_test_peerway", STRIPE_WEBHOOK_SECRETS=SECRET, STRIPE_API_BASE=fake.url)
        world = World(Path(folder), binaries, os.environ["PEERWAY_DEMO_MODEL"])
        try:
            took = measure(fake, world.gateway("--config", str(toml)), payments)
        finally:
            world.close()
            fake.clean_up()
    median, late = took[len(took) // 2], took[len(took) * 99 // 100]
    print(f"webhook to credit, {payments} payments: p50 {median * 1000:.1f} ms, p99 {late * 1000:.1f} ms (must be < 100)")
    assert median < MOST_S and late < MOST_S


if __name__ == "__main__":
    main()
