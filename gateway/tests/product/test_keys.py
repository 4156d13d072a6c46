"""Keys as their owner manages them over HTTP and as an operator does at the command line, and what each key may do."""

import json
import time

import httpx
import pytest

from harness import wait_until
from harness.asking import post


@pytest.fixture(scope="module")
def gateway(world):
    return world.gateway()


@pytest.fixture(scope="module")
def node(world, gateway):
    return world.scripted("scripted", gateway, "--price-output", "1", "--slots", "16")


@pytest.fixture
def account(gateway, node):
    return gateway.account("1")


@pytest.fixture
def admin(gateway, account):
    return gateway.key(account.id, "--scope", "admin")


def make(admin, **policy):
    """A new key, as one meets it who holds it, and what was answered."""
    answer = admin.request("POST", "/v1/admin/keys", {"name": "made", **policy})
    assert answer.status_code == 201, answer.text
    return admin.with_secret(answer.json()["secret"]), answer.json()


def works(account):
    return post(account, "[[tokens=1]]").status_code == 200


def refusal(answer):
    return answer.status_code, answer.json()["error"]["code"]


def within_a_second(what, condition):
    started = time.monotonic()
    wait_until(what, condition, 5)
    assert time.monotonic() - started < 1.5


def test_a_key_is_shown_once_and_then_only_listed(admin):
    key, made = make(admin, name="for the app")
    assert made["secret"].startswith("sk-pw-")
    one = admin.request("GET", f"/v1/admin/keys/{made['id']}")
    listed = admin.request("GET", "/v1/admin/keys")
    assert one.json()["name"] == "for the app"
    assert [entry for entry in listed.json()["data"] if entry["id"] == made["id"]] == [one.json()]
    for answer in (one, listed):
        assert made["secret"] not in answer.text and "secret" not in answer.json()
    assert works(key)


def test_a_policy_is_kept_as_it_was_given(admin):
    policy = {
        "scopes": ["inference"], "expires_at": int(time.time()) + 3600, "models": ["scripted"],
        "allowed_ips": ["127.0.0.0/8"], "budgets": {"day": "1.5", "month": "20"},
        "limits": {"requests_per_minute": 60, "tokens_per_minute": 10_000, "concurrent": 4},
    }
    key, made = make(admin, **policy)
    assert works(key)
    kept = admin.request("GET", f"/v1/admin/keys/{made['id']}").json()
    for field in ("scopes", "expires_at", "models", "allowed_ips", "limits"):
        assert kept[field] == policy[field], field
    assert {name: float(usd) for name, usd in kept["budgets"].items() if usd is not None} == {"day": 1.5, "month": 20}


def test_a_change_counts_within_a_second(admin):
    key, made = make(admin)
    assert works(key)
    changed = admin.request("PATCH", f"/v1/admin/keys/{made['id']}", {"models": ["other"]})
    assert (changed.status_code, changed.json()["models"]) == (200, ["other"])
    # What was not named stays.
    assert changed.json()["name"] == "made"
    within_a_second("the model is refused", lambda: not works(key))
    assert admin.request("PATCH", f"/v1/admin/keys/{made['id']}", {"models": None}).status_code == 200
    within_a_second("any model is served", lambda: works(key))


def test_a_revoked_key_has_stopped_within_a_second_and_is_still_listed(admin):
    key, made = make(admin)
    assert works(key)
    assert admin.request("DELETE", f"/v1/admin/keys/{made['id']}").status_code in (200, 204)
    within_a_second("it has stopped", lambda: post(key).status_code == 401)
    assert admin.request("GET", f"/v1/admin/keys/{made['id']}").json()["revoked_at"]
    # Once and for all.
    assert admin.request("DELETE", f"/v1/admin/keys/{made['id']}").status_code in (200, 204, 404)
    assert admin.request("PATCH", f"/v1/admin/keys/{made['id']}", {"name": "x"}).status_code in (400, 404)


def test_a_key_that_is_rotated_works_on_for_the_overlap(admin):
    old, made = make(admin, models=["scripted"])
    rotated = admin.request("POST", f"/v1/admin/keys/{made['id']}/rotate", {"overlap_s": 2})
    assert rotated.status_code in (200, 201), rotated.text
    new = admin.with_secret(rotated.json()["secret"])
    assert rotated.json()["secret"] != made["secret"]
    assert rotated.json()["models"] == ["scripted"]
    assert works(new) and works(old)
    wait_until("the old one has ended", lambda: post(old).status_code == 401, 5)
    assert works(new)


def test_a_rotation_without_overlap_ends_the_old_key_at_once(admin):
    old, made = make(admin)
    rotated = admin.request("POST", f"/v1/admin/keys/{made['id']}/rotate", {"overlap_s": 0})
    within_a_second("the old one has ended", lambda: post(old).status_code == 401)
    assert works(admin.with_secret(rotated.json()["secret"]))


def test_a_key_ends_when_it_says(admin):
    key, _ = make(admin, expires_at=int(time.time()) + 2)
    assert works(key)
    wait_until("it has ended", lambda: post(key).status_code == 401, 5)


def test_a_key_asks_only_its_models_and_sees_no_others(admin):
    key, _ = make(admin, models=["other"])
    assert refusal(post(key)) == (403, "model_not_allowed")
    assert key.request("GET", "/v1/models").json()["data"] == []
    for path in ("scripted", "scripted/endpoints", "scripted/prices"):
        assert refusal(key.request("GET", f"/v1/models/{path}")) == (403, "model_not_allowed")
    key, _ = make(admin, models=["scripted"])
    assert [model["id"] for model in key.request("GET", "/v1/models").json()["data"]] == ["scripted"]
    assert key.request("GET", "/v1/models/scripted/endpoints").status_code == 200


@pytest.mark.parametrize(("networks", "may"), [
    (["127.0.0.1"], True), (["10.0.0.0/8", "127.0.0.0/8"], True), (["::ffff:127.0.0.0/104"], True),
    (["10.0.0.0/8"], False), (["127.0.0.2"], False), (["::1"], False),
])
def test_a_key_works_only_from_its_networks(admin, networks, may):
    key, _ = make(admin, allowed_ips=networks)
    answer = post(key, "[[tokens=1]]")
    assert (answer.status_code == 200) is may
    if not may:
        assert answer.status_code == 403
        # Whoever writes these headers chooses what they say.
        claimed = key.request("GET", "/v1/models", X_Forwarded_For="10.0.0.1", Forwarded="for=10.0.0.1", X_Real_IP="::1")
        assert claimed.status_code == 403


def test_a_proxy_that_is_trusted_says_where_its_callers_are(own_world):
    config = own_world.folder / "proxy.toml"
    config.write_text('trusted_proxies = ["127.0.0.1"]\n')
    gateway = own_world.gateway("--config", str(config))
    account = gateway.account("1", "--allow-ip", "192.0.2.0/24")

    def status(forwarded):
        return account.request("GET", "/v1/models", X_Forwarded_For=forwarded).status_code

    assert status("192.0.2.7") == 200
    assert status("198.51.100.1") == 403
    # What stands before the proxy's own word was written by the caller.
    assert status("192.0.2.7, 198.51.100.1") == 403
    assert status("198.51.100.1, 192.0.2.7") == 200
    assert account.request("GET", "/v1/models").status_code == 403


@pytest.mark.parametrize(("scope", "allowed"), [
    ("inference", {"ask"}),
    ("usage:read", {"usage"}),
    ("keys:read", {"list keys"}),
    ("keys:write", {"make keys"}),
    ("members:read", {"list members"}),
    ("audit:read", {"read the log"}),
    ("admin", {"ask", "usage", "list keys", "make keys", "list members", "read the log"}),
])
def test_a_scope_allows_one_thing_and_admin_all(gateway, account, scope, allowed):
    key = gateway.key(account.id, "--scope", scope)
    statuses = {
        "ask": post(key, "[[tokens=1]]").status_code,
        "usage": key.request("GET", "/v1/credits").status_code,
        "list keys": key.request("GET", "/v1/admin/keys").status_code,
        "make keys": key.request("POST", "/v1/admin/keys", {"name": "x", "scopes": [scope]}).status_code,
        "list members": key.request("GET", "/v1/admin/members").status_code,
        "read the log": key.request("GET", "/v1/admin/audit").status_code,
    }
    assert {what for what, status in statuses.items() if status in (200, 201)} == allowed
    assert {status for what, status in statuses.items() if what not in allowed} <= {403}


def test_no_key_gives_what_it_does_not_have(gateway, account):
    writer = gateway.key(account.id, "--scope", "keys:write", "--scope", "keys:read")
    for scopes in (["admin"], ["inference"], ["members:write"], ["keys:write", "admin"]):
        answer = writer.request("POST", "/v1/admin/keys", {"name": "more", "scopes": scopes})
        assert answer.status_code == 403, scopes
    made = writer.request("POST", "/v1/admin/keys", {"name": "as much", "scopes": ["keys:read"]})
    assert made.status_code == 201
    widened = writer.request("PATCH", f"/v1/admin/keys/{made.json()['id']}", {"scopes": ["admin"]})
    assert widened.status_code == 403
    # Nor does it take over a key that may do more.
    stronger = gateway.cli("key", "create", account.id, "--scope", "admin")["id"]
    assert writer.request("POST", f"/v1/admin/keys/{stronger}/rotate", {"overlap_s": 0}).status_code == 403


def test_the_keys_of_another_account_are_not_there(gateway, admin):
    stranger = gateway.account("1", "--scope", "admin")
    path = f"/v1/admin/keys/{stranger.key_id}"
    for method, below, body in (
        ("GET", "", None), ("PATCH", "", {"name": "mine"}), ("POST", "/rotate", {"overlap_s": 0}), ("DELETE", "", None),
    ):
        assert admin.request(method, path + below, body).status_code == 404
    assert stranger.key_id not in admin.request("GET", "/v1/admin/keys").text
    assert stranger.request("GET", "/v1/admin/keys").status_code == 200


@pytest.mark.parametrize(("wrong", "param"), [
    ({"name": 7}, "name"),
    ({"name": "x" * 1000}, "name"),
    ({"scopes": []}, "scopes"),
    ({"scopes": ["everything"]}, "scopes"),
    ({"expires_at": 1}, "expires_at"),
    ({"expires_at": "tomorrow"}, "expires_at"),
    ({"models": []}, "models"),
    ({"allowed_ips": ["home"]}, "allowed_ips"),
    ({"budgets": {"day": "-1"}}, "budgets"),
    ({"budgets": {"day": "1e400"}}, "budgets"),
    ({"budgets": {"year": "1"}}, "budgets"),
    ({"limits": {"requests_per_minute": 0}}, "limits"),
    ({"limits": {"rpm": 1}}, "limits"),
    ({"limit": {"requests_per_minute": 1}}, "limit"),
])
def test_a_policy_that_makes_no_sense_is_refused_by_name(admin, wrong, param):
    before = admin.request("GET", "/v1/admin/keys").json()["data"]
    answer = admin.request("POST", "/v1/admin/keys", {"name": "made", **wrong})
    assert answer.status_code == 400, answer.text
    assert (answer.json()["error"]["param"] or "").startswith(param)
    assert admin.request("GET", "/v1/admin/keys").json()["data"] == before


def test_the_command_line_makes_the_same_keys(gateway, account, admin):
    at = int(time.time()) + 3600
    made = gateway.cli(
        "key", "create", account.id, "--name", "by hand", "--scope", "inference", "--scope", "keys:read",
        "--expires", str(at), "--model", "scripted", "--allow-ip", "127.0.0.0/8", "--budget-day", "1.00",
        "--budget-week", "2", "--budget-month", "3", "--budget-lifetime", "4", "--rpm", "60", "--tpm", "10000",
        "--concurrent", "2",
    )
    seen = admin.request("GET", f"/v1/admin/keys/{made['id']}").json()
    assert (seen["name"], sorted(seen["scopes"])) == ("by hand", ["inference", "keys:read"])
    assert (seen["expires_at"], seen["models"], seen["allowed_ips"]) == (at, ["scripted"], ["127.0.0.0/8"])
    assert {window: float(usd) for window, usd in seen["budgets"].items()} == {"day": 1, "week": 2, "month": 3, "lifetime": 4}
    assert seen["limits"] == {"requests_per_minute": 60, "tokens_per_minute": 10_000, "concurrent": 2}
    assert works(account.with_secret(made["secret"]))


def test_no_secret_is_ever_written(gateway, admin):
    """Neither in a log, nor in the ledger, nor in anything else that the gateway keeps."""
    key, made = make(admin)
    rotated = admin.request("POST", f"/v1/admin/keys/{made['id']}/rotate", {"overlap_s": 1}).json()["secret"]
    assert works(key) and works(admin.with_secret(rotated))
    for secret in (key.key, rotated):
        assert secret not in gateway.service.log.read_text()
        for path in gateway.data.rglob("*"):
            assert not path.is_file() or secret.encode() not in path.read_bytes(), path


def test_what_a_key_has_used(gateway, admin):
    key, made = make(admin, name="for the app", budgets={"lifetime": "0.5"})
    cost = post(key, "[[tokens=100]]").json()["usage"]["cost"]
    told = wait_until("it is counted", lambda: used(key))
    assert (told["label"], told["limit"]) == ("for the app", 0.5)
    assert told["usage"] == told["usage_daily"] == told["usage_weekly"] == told["usage_monthly"] == cost
    assert told["limit_remaining"] == pytest.approx(0.5 - cost)
    assert {"is_free_tier", "rate_limit"} <= told.keys()
    credits = key.request("GET", "/v1/credits").json()["data"]
    assert credits == {"total_credits": 1, "total_usage": cost, "spend_rate": None, "runs_out_at": None}


def used(key):
    told = key.request("GET", "/v1/key").json()["data"]
    return told if told["usage"] else None


def test_what_became_of_a_request(gateway, admin, node):
    key, _ = make(admin)
    answer = post(key, "[[tokens=7]]")
    for id in (answer.json()["id"], answer.headers["x-request-id"]):
        told = wait_until("it is told", lambda: generation(key, id))
        assert told["total_cost"] == answer.json()["usage"]["cost"]
        assert told["provider_name"] == node.peer_id
        assert (told["model"], told["finish_reason"], told["tokens_completion"]) == ("scripted", "stop", 7)
    stranger = gateway.account("1")
    assert stranger.request("GET", f"/v1/generation?id={answer.json()['id']}").status_code == 404
    assert key.request("GET", "/v1/generation?id=none").status_code == 404
    assert key.request("GET", "/v1/generation").status_code == 400


def generation(key, id):
    answer = key.request("GET", f"/v1/generation?id={id}")
    return answer.json()["data"] if answer.status_code == 200 else None


def test_admin_paths_are_behind_the_key_like_all_others(gateway):
    for path in ("/v1/admin/keys", "/v1/admin/members", "/v1/admin/audit", "/v1/credits", "/v1/key"):
        answer = httpx.get(f"{gateway.url}{path}", timeout=10)
        assert (answer.status_code, json.loads(answer.text)["error"]["code"]) == (401, "invalid_api_key")
