"""Tokens that the gateway mints for who has a key: for a while, for some models, for some money.

An app hands them to its users' browsers, so what they may do must end where they say.
"""

import base64
import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness import wait_until
from harness.asking import body, post
from harness.prices import cost_in_nanos, nanos

ASK = ("0", "1000")
TEN = cost_in_nanos(0, 10, *ASK)


@pytest.fixture(scope="module")
def gateway(world):
    return world.gateway()


@pytest.fixture(scope="module")
def node(world, gateway):
    return world.scripted("scripted", gateway, "--price-output", ASK[1], "--slots", "16")


@pytest.fixture
def account(gateway, node):
    return gateway.account("1")


def mint(account, **wanted):
    return account.request("POST", "/v1/auth/tokens", wanted)


def minted(account, **wanted):
    answer = mint(account, **wanted)
    assert answer.status_code in (200, 201), answer.text
    return account.with_secret(answer.json()["token"])


def usd(nanos):
    return f"0.{nanos:09}"


def refusal(answer):
    return answer.status_code, answer.json()["error"]["code"]


def test_a_token_asks_and_its_account_pays(account):
    before = time.time()
    made = mint(account, expires_in=600).json()
    assert made["object"] == "auth.token"
    assert before + 599 <= made["expires_at"] <= time.time() + 601
    answer = post(account.with_secret(made["token"]), "[[tokens=10]]")
    assert (answer.status_code, nanos(answer.json()["usage"]["cost"])) == (200, TEN)
    account.wait_until_spent(10**9, TEN)


def test_it_serves_only_the_models_that_it_names(account):
    token = minted(account, expires_in=600, models=["other"])
    assert refusal(post(token)) == (403, "model_not_allowed")
    assert post(minted(account, expires_in=600, models=["other", "scripted"])).status_code == 200


def test_it_spends_no_more_than_it_may(account):
    token = minted(account, expires_in=600, max_spend_usd=usd(2 * TEN))
    for _ in range(2):
        assert post(token, "[[tokens=10]]", max_tokens=10).status_code == 200
    answer = post(token, "[[tokens=10]]", max_tokens=10)
    assert answer.status_code == 402
    # What is spent by the token is spent; its key has more.
    assert post(account, "[[tokens=10]]", max_tokens=10).status_code == 200
    account.wait_until_spent(10**9, 3 * TEN)


def test_it_spends_no_more_than_it_may_from_many_hands_at_once(account):
    token = minted(account, expires_in=600, max_spend_usd=usd(3 * TEN))
    with ThreadPoolExecutor(12) as callers:
        asked = [callers.submit(post, token, "[[tokens=10]] [[every=5ms]]", max_tokens=10) for _ in range(12)]
        statuses = sorted(answer.result().status_code for answer in asked)
    assert statuses == [200] * 3 + [402] * 9
    account.wait_until_spent(10**9, 3 * TEN)


def test_it_ends_when_it_says(account):
    token = minted(account, expires_in=1)
    wait_until("it has ended", lambda: post(token, "[[tokens=1]]").status_code == 401, 4)


def test_it_ends_with_its_key(gateway, account):
    key = gateway.key(account.id)
    token = minted(key, expires_in=600)
    assert post(token, "[[tokens=1]]").status_code == 200
    gateway.cli("key", "revoke", key.key_id)
    revoked = time.monotonic()
    wait_until("it has ended", lambda: post(token, "[[tokens=1]]").status_code == 401, 4)
    assert time.monotonic() - revoked < 1.5


def test_it_may_do_no_more_than_its_key(gateway, account):
    limited = gateway.key(account.id, "--model", "other")
    answer = mint(limited, expires_in=600, models=["scripted"])
    if answer.status_code < 300:
        assert refusal(post(account.with_secret(answer.json()["token"]))) == (403, "model_not_allowed")
    else:
        assert answer.status_code in (400, 403)
    ended = gateway.key(account.id, "--budget-lifetime", usd(TEN))
    token = minted(ended, expires_in=600, max_spend_usd="1")
    assert post(token, "[[tokens=10]]", max_tokens=10).status_code == 200
    assert post(token, "[[tokens=10]]", max_tokens=10).status_code == 402
    quick = minted(gateway.key(account.id, "--rpm", "1"), expires_in=600)
    assert [post(quick, "[[tokens=1]]").status_code for _ in range(2)] == [200, 429]


def test_it_mints_nothing_and_changes_nothing(gateway, account):
    token = minted(gateway.key(account.id, "--scope", "admin", "--scope", "inference"), expires_in=600)
    assert mint(token, expires_in=60).status_code == 403
    assert token.request("POST", "/v1/admin/keys", {"name": "x"}).status_code == 403
    assert post(token, "[[tokens=1]]").status_code == 200


def test_who_has_no_inference_to_give_mints_none(gateway, account):
    reader = gateway.key(account.id, "--scope", "usage:read")
    answer = mint(reader, expires_in=60)
    if answer.status_code < 300:
        assert post(account.with_secret(answer.json()["token"])).status_code == 403
    else:
        assert answer.status_code == 403


@pytest.mark.parametrize(("wanted", "param"), [
    ({"expires_in": 3601}, "expires_in"),
    ({"expires_in": 0}, "expires_in"),
    ({"expires_in": -1}, "expires_in"),
    ({"expires_in": "soon"}, "expires_in"),
    ({"expires_in": 60, "models": "scripted"}, "models"),
    ({"expires_in": 60, "models": []}, "models"),
    ({"expires_in": 60, "max_spend_usd": "much"}, "max_spend_usd"),
    ({"expires_in": 60, "max_spend_usd": "-1"}, "max_spend_usd"),
    ({"expires_in": 60, "max_spend_usd": "0"}, "max_spend_usd"),
])
def test_what_cannot_be_minted(account, wanted, param):
    answer = account.request("POST", "/v1/auth/tokens", wanted)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


def test_a_token_that_was_changed_is_no_token(account):
    token = minted(account, expires_in=60, models=["other"]).key
    *before, claims, signature = token.split(".")
    padded = claims + "=" * (-len(claims) % 4)
    said = json.loads(base64.urlsafe_b64decode(padded))
    widened = json.dumps({**said, "models": ["scripted"], "exp": said["exp"] + 10**6}).encode()
    changed = ".".join([*before, base64.urlsafe_b64encode(widened).rstrip(b"=").decode(), signature])
    assert post(account.with_secret(changed)).status_code == 401
    assert post(account.with_secret(token[:-4] + "AAAA")).status_code == 401


def test_another_gateway_believes_none_of_it(own_world, account):
    stranger = own_world.gateway()
    token = minted(account, expires_in=60)
    answer = stranger.account("1").with_secret(token.key).request("POST", "/v1/chat/completions", body(""))
    assert answer.status_code == 401


def test_it_outlives_a_restart_of_the_gateway(own_world):
    gateway = own_world.gateway()
    node = own_world.scripted("scripted", gateway, "--price-output", ASK[1])
    account = gateway.account("1")
    token = minted(account, expires_in=600, max_spend_usd=usd(TEN))
    assert post(token, "[[tokens=10]]", max_tokens=10).status_code == 200
    assert gateway.service.stop() == 0
    gateway.start()
    node.wait_until_serving()
    # And what it has spent is not forgotten.
    assert post(token, "[[tokens=10]]", max_tokens=10).status_code == 402
    account.wait_until_spent(10**9, TEN)
