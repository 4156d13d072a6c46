"""Who is let in with a token of an identity provider, and what becomes of one that the gateway should not believe."""

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

import httpx
import pytest

from harness import wait_until
from harness.asking import post
from harness.forged_tokens import forged
from harness.identity_provider import ALGORITHMS, IdentityProvider
from harness.prices import cost_in_nanos, nanos

PRICE = "1000"


@pytest.fixture(scope="module")
def provider():
    made = IdentityProvider()
    yield made
    made.go_down()


def trusting(folder, provider, *more):
    """A configuration that trusts this provider."""
    config = folder / "identity.toml"
    lines = ["[[identity_providers]]", f'issuer = "{provider.issuer}"', 'audience = "peerway"', *more]
    config.write_text("\n".join([*lines, ""]))
    return str(config)


@pytest.fixture(scope="module")
def gateway(world, provider):
    return world.gateway("--config", trusting(world.folder, provider))


@pytest.fixture(scope="module")
def node(world, gateway):
    return world.scripted("scripted", gateway, "--price-output", PRICE, "--slots", "16")


@pytest.fixture(scope="module")
def account(gateway, node):
    return gateway.account("10")


def ask(account, token):
    return post(account.with_secret(token), "[[tokens=1]]")


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_token_is_as_good_as_a_key(account, provider, algorithm):
    answer = ask(account, provider.token(account.id, algorithm))
    assert answer.status_code == 200, answer.text
    assert nanos(answer.json()["usage"]["cost"]) == cost_in_nanos(0, 1, "0", PRICE)


def test_the_account_that_the_token_names_pays(gateway, provider, account):
    payer = gateway.account("1")
    cost = nanos(ask(account, provider.token(payer.id)).json()["usage"]["cost"])
    payer.wait_until_spent(10**9, cost)


def test_one_of_several_audiences_is_enough(account, provider):
    assert ask(account, provider.token(account.id, aud=["other", "peerway"])).status_code == 200


def test_no_forged_token_is_believed(gateway, account, provider, official, node):
    assert ask(account, provider.token(account.id)).status_code == 200
    made, before = forged(provider, account.id), node.counters()
    answers = {name: ask(account, token) for name, token in made.items()}
    assert {name: answer.status_code for name, answer in answers.items() if answer.status_code != 401} == {}
    for name, answer in answers.items():
        official("ErrorResponse", answer.json())
        assert answer.json()["error"]["code"] == "invalid_api_key", name
        # What is wrong with it is said, and what it says is not repeated.
        assert made[name] not in answer.text
    assert node.counters() == before
    # Keys are fetched from where the configuration says, and from nowhere that a token says.
    assert set(provider.asked) <= {"/.well-known/openid-configuration", "/jwks"}


@pytest.mark.parametrize("named", ["acct_none", "", None, 7, ["acct_none"], {"id": "acct_none"}])
def test_a_good_token_for_no_account_of_this_gateway(account, provider, node, named):
    before = node.counters()
    assert ask(account, provider.token(account.id, peerway_account=named)).status_code in (401, 403)
    assert node.counters() == before


def test_keys_that_are_not_known_do_not_make_the_gateway_ask_its_provider_again_and_again(account, provider):
    before = len(provider.asked)
    with ThreadPoolExecutor(8) as callers:
        tokens = [provider.token(account.id, header={"kid": f"made-up-{number}"}) for number in range(60)]
        assert {answer.status_code for answer in callers.map(lambda token: ask(account, token), tokens)} == {401}
    assert len(provider.asked) - before <= 4


def test_a_token_of_100_kilobytes(account, provider, node):
    before = node.counters()
    answer = ask(account, provider.token(account.id, padding="x" * 100_000))
    assert answer.status_code in (400, 401, 431)
    assert ask(account, provider.token(account.id, padding="x" * 12_000)).status_code == 401
    assert node.counters() == before
    assert ask(account, account.key).status_code == 200


def raw_status(account, *header_lines):
    """The status of a request with exactly these header lines."""
    with socket.create_connection(("127.0.0.1", account.gateway.port), timeout=10) as connection:
        lines = ["GET /v1/models HTTP/1.1", "Host: localhost", "Connection: close", *header_lines, "", ""]
        connection.sendall("\r\n".join(lines).encode())
        return int(connection.makefile("rb").readline().split()[1])


def test_one_authorization_and_no_more(account, provider):
    key, token = (f"Authorization: Bearer {secret}" for secret in (account.key, provider.token(account.id)))
    assert raw_status(account, key) == raw_status(account, token) == 200
    for lines in ([token, token], [key, token], [token, key], [key, key], [f"{key}, {token.split()[-1]}"]):
        assert raw_status(account, *lines) == 401, lines
    # Two different ways to say who one is: which of them counts would be a guess.
    assert raw_status(account, token, "x-api-key: sk-pw-other") == 401


def test_a_secret_in_the_url_is_refused_and_written_nowhere(gateway, account, provider):
    token = provider.token(account.id)
    for name in ("api_key", "key", "access_token", "token"):
        for secret in (account.key, token):
            url = f"{gateway.url}/v1/models?{name}={quote(secret)}"
            assert httpx.get(url, timeout=10).status_code == 401
    assert httpx.get(f"{gateway.url}/v1/models/{account.key}", headers=account.headers, timeout=10).status_code == 404
    log = gateway.service.log.read_text()
    assert "401" in log
    assert account.key not in log and token not in log and token.rpartition(".")[2] not in log


class TestScopes:
    """What a token may do: what it says, else what its bearer is to the account, else to ask models."""

    def may(self, account, token):
        listed = account.with_secret(token).request("GET", "/v1/admin/keys").status_code
        asked = ask(account, token).status_code
        return {(200, 200): "both", (403, 200): "ask", (200, 403): "list", (403, 403): "neither"}[listed, asked]

    @pytest.mark.parametrize(("scope", "may"), [
        ("inference", "ask"), ("admin", "both"), ("keys:read", "list"), ("inference keys:read", "both"),
        (["keys:read", "inference"], "both"), ("profile openid", "neither"), ("", "neither"), ([], "neither"),
        ("inferenceadmin", "neither"), (None, "ask"),
    ])
    def test_the_scopes_that_it_names(self, account, provider, scope, may):
        assert self.may(account, provider.token(account.id, scope=scope)) == may

    def test_the_role_of_its_bearer(self, gateway, account, provider):
        admin = gateway.key(account.id, "--scope", "admin")
        # An account with members has an owner among them.
        assert admin.request("PUT", "/v1/admin/members/boss", {"role": "owner", "name": "Boss"}).status_code in (200, 201)
        subject = quote(f"{provider.issuer}|grace", safe="")
        for role, may in (("viewer", "list"), ("developer", "both"), ("billing", "list"), ("owner", "both")):
            changed = admin.request("PUT", f"/v1/admin/members/{subject}", {"role": role, "name": "Grace"})
            assert changed.status_code in (200, 201), changed.text
            token = provider.token(account.id, sub="grace", scope=None)
            wait_until(f"a {role} may do this", lambda: self.may(account, token) == may, 2)
        # Of another account they are nobody.
        other = gateway.account("1")
        assert self.may(other, provider.token(other.id, sub="grace", scope=None)) == "ask"

    def test_who_made_a_change_with_a_token_is_in_the_audit_log(self, gateway, account, provider):
        token = provider.token(account.id, sub="linus", scope="admin")
        made = account.with_secret(token).request("POST", "/v1/admin/keys", {"name": "by token"})
        assert made.status_code == 201
        log = account.with_secret(token).request("GET", "/v1/admin/audit").json()["data"]
        assert f"subject:{provider.issuer}|linus" in [entry["actor"] for entry in log]


def test_one_account_for_all_who_have_a_token(own_world, provider):
    gateway = own_world.gateway()
    node = own_world.scripted("scripted", gateway, "--price-output", PRICE)
    account = gateway.account("1")
    gateway.service.command += ["--config", trusting(own_world.folder, provider, f'account = "{account.id}"')]
    assert gateway.service.stop() == 0
    gateway.start()
    node.wait_until_serving()
    # Whatever account the token names.
    cost = nanos(ask(account, provider.token("acct_other")).json()["usage"]["cost"])
    account.wait_until_spent(10**9, cost)


class TestKeysOfTheProvider:
    """The provider's keys change, and it is not always there."""

    @pytest.fixture
    def provider(self):
        made = IdentityProvider()
        yield made
        made.go_down()

    @pytest.fixture
    def account(self, own_world, provider):
        gateway = own_world.gateway("--config", trusting(own_world.folder, provider, "refresh_s = 1"))
        own_world.scripted("scripted", gateway, "--price-output", PRICE)
        return gateway.account("1")

    def test_known_keys_go_on_while_the_provider_is_away(self, account, provider):
        assert ask(account, provider.token(account.id)).status_code == 200
        provider.go_down()
        assert ask(account, provider.token(account.id, "ES256")).status_code == 200
        # A key that only the provider could tell of: it is not the bearer's fault, and not believed either.
        assert ask(account, provider.token(account.id, header={"kid": "new"})).status_code in (401, 503)

    def test_a_gateway_that_starts_while_the_provider_is_away_learns_its_keys_later(self, own_world, provider):
        provider.go_down()
        gateway = own_world.gateway("--config", trusting(own_world.folder, provider))
        own_world.scripted("scripted", gateway, "--price-output", PRICE)
        account = gateway.account("1")
        away = ask(account, provider.token(account.id))
        assert (away.status_code, away.json()["error"]["code"]) == (503, "identity_unavailable")
        assert int(away.headers["retry-after"]) >= 1
        # Keys of the gateway's own do not wait for anyone.
        assert ask(account, account.key).status_code == 200
        provider.go_up()
        wait_until("tokens are believed", lambda: ask(account, provider.token(account.id)).status_code == 200, 20)

    def test_new_keys_are_followed_at_once_and_old_ones_forgotten_in_the_end(self, account, provider):
        old = provider.token(account.id)
        assert ask(account, old).status_code == 200
        provider.rotate("second")
        wait_until("a new key is believed", lambda: ask(account, provider.token(account.id)).status_code == 200, 20)
        wait_until("the old one is not", lambda: ask(account, old).status_code == 401, 20)

    def test_a_slow_provider_holds_up_nobody_else(self, account, provider):
        assert ask(account, provider.token(account.id)).status_code == 200
        provider.is_awake.clear()
        asked = len(provider.asked)
        wait_until("the gateway asks for keys", lambda: len(provider.asked) > asked)
        with ThreadPoolExecutor(1) as callers:
            unknown = callers.submit(ask, account, provider.token(account.id, header={"kid": "new"}))
            started = time.monotonic()
            assert ask(account, provider.token(account.id)).status_code == 200
            assert ask(account, account.key).status_code == 200
            assert time.monotonic() - started < 1
            # Who shows an unknown key is told so while the provider still sleeps.
            assert unknown.result(timeout=30).status_code in (401, 503)
            provider.is_awake.set()

    @pytest.mark.parametrize("unusable", [
        {}, {"keys": "none"}, {"keys": []}, {"keys": [{"kty": "oct", "kid": "first-RS256", "k": "c2VjcmV0"}]},
        {"keys": [{"kty": "RSA", "kid": "first-RS256", "n": "AQAB", "e": "AQAB"}]},
    ])
    def test_a_provider_without_usable_keys_is_believed_nothing(self, own_world, provider, unusable):
        provider.key_set = unusable
        gateway = own_world.gateway("--config", trusting(own_world.folder, provider))
        own_world.scripted("scripted", gateway, "--price-output", PRICE)
        account = gateway.account("1")
        assert ask(account, provider.token(account.id)).status_code in (401, 503)
        assert ask(account, account.key).status_code == 200

    @pytest.mark.parametrize("broken", [{}, {"keys": []}, {"keys": "none"}])
    def test_keys_that_are_broken_later_do_not_lock_everybody_out(self, account, provider, broken):
        assert ask(account, provider.token(account.id)).status_code == 200
        provider.key_set = broken
        asked = len(provider.asked)
        # Each look at the keys is two questions: where they are, and what they are.
        wait_until("the gateway has looked twice", lambda: len(provider.asked) >= asked + 4)
        assert ask(account, provider.token(account.id)).status_code == 200
