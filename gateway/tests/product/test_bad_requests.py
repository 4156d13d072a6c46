"""Every bad request gets the status, the field and the shape that OpenAI's SDKs know, and costs nothing."""

import json
import time

import httpx
import openai
import pytest

from harness.asking import body

GOOD = json.dumps(body("[[tokens=1]]"))


@pytest.fixture(scope="module")
def gateway(world):
    return world.gateway()


@pytest.fixture(scope="module")
def node(world, gateway):
    return world.scripted("scripted", gateway, "--price-output", "1")


@pytest.fixture(scope="module")
def account(gateway, node):
    return gateway.account("1")


def send(account, content, **headers):
    url = f"{account.gateway.url}/v1/chat/completions"
    return httpx.post(url, headers={**account.headers, **headers}, content=content, timeout=60)


def refusal(response, official):
    official("ErrorResponse", response.json())
    error = response.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["message"]
    return error


def test_a_good_request_passes(account):
    assert send(account, GOOD).status_code == 200


@pytest.mark.parametrize("key", ["sk-pw-" + "x" * 43, "sk-" + "x" * 40, "x", "sk-pw-"])
def test_a_wrong_key(account, official, key):
    response = send(account, GOOD, Authorization=f"Bearer {key}")
    assert response.status_code == 401
    assert refusal(response, official)["code"] == "invalid_api_key"


@pytest.mark.parametrize("header", ["", "Basic abc", "Bearer"])
def test_no_key(account, official, header):
    response = send(account, GOOD, Authorization=header)
    assert response.status_code == 401
    assert refusal(response, official)["code"] == "invalid_api_key"


def test_the_sdk_knows_a_wrong_key_for_what_it_is(gateway):
    client = openai.OpenAI(base_url=f"{gateway.url}/v1", api_key="sk-pw-wrong", max_retries=0)
    with pytest.raises(openai.AuthenticationError):
        client.chat.completions.create(model="scripted", messages=[{"role": "user", "content": "x"}])
    with pytest.raises(openai.AuthenticationError):
        client.models.list()


def test_a_revoked_key_stops_within_a_second(gateway, node, official):
    account = gateway.account("1")
    assert send(account, GOOD).status_code == 200
    gateway.cli("key", "revoke", account.key_id)
    revoked = time.monotonic()
    while (response := send(account, GOOD)).status_code == 200:
        assert time.monotonic() - revoked < 1, "a revoked key still works"
    assert response.status_code == 401
    assert refusal(response, official)["code"] == "invalid_api_key"
    [listed] = gateway.cli("key", "list", account.id)
    assert listed["revoked_at"]
    assert account.key not in json.dumps(listed)


def test_an_unknown_model(account, official):
    response = send(account, GOOD.replace("scripted", "gpt-17"))
    assert response.status_code == 404
    error = refusal(response, official)
    assert (error["code"], error["param"]) == ("model_not_found", "model")
    with pytest.raises(openai.NotFoundError):
        account.client.chat.completions.create(model="gpt-17", messages=[{"role": "user", "content": "x"}])


def test_a_model_that_no_node_serves(account, official):
    response = send(account, GOOD.replace("scripted", "smollm2-135m-instruct"))
    assert response.status_code == 503
    assert refusal(response, official)["code"] == "no_healthy_node"
    assert int(response.headers["retry-after"]) >= 1


def test_paths_and_methods_that_are_not_there(account, official):
    missing = httpx.get(f"{account.gateway.url}/v1/nothing", headers=account.headers)
    assert (missing.status_code, refusal(missing, official)["code"]) == (404, "unknown_path")
    wrong = httpx.get(f"{account.gateway.url}/v1/chat/completions", headers=account.headers)
    assert (wrong.status_code, refusal(wrong, official)["code"]) == (405, "method_not_allowed")


def changed(**changes):
    return json.dumps({**json.loads(GOOD), **changes})


def deep(levels):
    return GOOD[:-1] + ', "x": ' + "[" * levels + "]" * levels + "}"


@pytest.mark.parametrize(("content", "param"), [
    ("", None),
    ("{", None),
    ("null", None),
    ("[]", None),
    (GOOD[:-2], "messages"),
    (GOOD + "}", None),
    ("not json", None),
    (GOOD.encode().replace(b"Please", b"Pl\xffase"), None),
    ("{}", "model"),
    (changed(messages=None), "messages"),
    (changed(messages=[]), "messages"),
    (changed(messages="hello"), "messages"),
    (changed(messages=[{"content": "x"}]), "messages[0].role"),
    (changed(messages=[{"role": "user"}]), "messages[0].content"),
    (changed(messages=[{"role": "user", "content": 7}]), "messages[0].content"),
    (changed(model=7), "model"),
    (changed(model=""), "model"),
    (changed(temperature="hot"), "temperature"),
    (changed(temperature=3), "temperature"),
    (changed(temperature=float("nan")), "temperature"),
    (changed(temperature=0.5).replace("0.5", "1e400"), "temperature"),
    (changed(max_tokens=-1), "max_tokens"),
    (changed(max_tokens=0), "max_tokens"),
    (changed(max_tokens=1.5), "max_tokens"),
    (changed(max_tokens=2**40), "max_tokens"),
    (changed(n=0), "n"),
    (changed(n=129), "n"),
    (changed(stream="yes"), "stream"),
    (changed(stop=["a", "b", "c", "d", "e"]), "stop"),
    (changed(top_p=2), "top_p"),
    (changed(tools="none"), "tools"),
    (deep(200), None),
    (deep(100_000), None),
])
def test_a_body_that_cannot_be_served(account, node, official, content, param):
    response = send(account, content)
    assert response.status_code == 400
    error = refusal(response, official)
    assert (error["type"], error["param"]) == ("invalid_request_error", param)


def test_a_prompt_that_does_not_fit(account, official):
    response = send(account, changed(messages=[{"role": "user", "content": "word " * 20_000}]))
    assert response.status_code == 400
    error = refusal(response, official)
    assert (error["code"], error["param"]) == ("context_length_exceeded", "messages")


def test_a_body_of_50_megabytes(account, official):
    response = send(account, changed(messages=[{"role": "user", "content": "x" * 50_000_000}]))
    assert response.status_code == 413
    assert refusal(response, official)["code"] == "body_too_large"
    assert send(account, GOOD).status_code == 200


def test_unknown_fields_are_dropped(account):
    odd = changed(shell="rm -rf /", store=True, metadata={"a": "b"}, logprobs=None, seed=None, tools=[])
    assert send(account, odd).status_code == 200


def test_none_of_it_cost_anything(gateway, account, node):
    """Last in this file: what was refused above has left no trace."""
    served = len(gateway.charges(account))
    refused = [send(account, content) for content in ("{", changed(messages=[]), GOOD.replace("scripted", "none"))]
    assert [response.status_code for response in refused] == [400, 400, 404]
    assert len(gateway.charges(account)) == served
    spent = sum(charge["total"] for charge in gateway.charges(account))
    assert account.balance()["posted"] == 10**9 - spent
