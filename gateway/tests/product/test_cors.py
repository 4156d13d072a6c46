"""Apps in a browser: the gateway lets any page ask, and no page use what it was not given.

Keys come in a header that a page must write itself, never in a cookie; so any origin may ask, and none with credentials.
"""

import httpx
import pytest

from harness.asking import body

PAGE = "https://app.example"
# What OpenAI's SDK sends from a browser, and what the gateway understands besides.
SENT = [
    "authorization", "content-type", "idempotency-key", "x-stainless-arch", "x-stainless-lang", "x-stainless-os",
    "x-stainless-package-version", "x-stainless-retry-count", "x-stainless-runtime", "x-stainless-runtime-version",
    "x-stainless-timeout", "x-api-key", "anthropic-version", "anthropic-dangerous-direct-browser-access",
]
READ = [
    "x-request-id", "retry-after", "x-ratelimit-limit-requests", "x-ratelimit-remaining-requests",
    "x-ratelimit-reset-requests", "x-ratelimit-remaining-tokens", "x-peerway-node",
]


@pytest.fixture(scope="module")
def account(market):
    return market.gateway.account("1")


def names(header):
    return {name.strip().lower() for name in (header or "").split(",")}


def preflight(account, path, method, headers=SENT):
    return httpx.options(f"{account.gateway.url}{path}", timeout=10, headers={
        "Origin": PAGE, "Access-Control-Request-Method": method, "Access-Control-Request-Headers": ",".join(headers),
    })


@pytest.mark.parametrize(("path", "method"), [
    ("/v1/chat/completions", "POST"), ("/v1/completions", "POST"), ("/v1/embeddings", "POST"), ("/v1/messages", "POST"),
    ("/v1/responses", "POST"), ("/v1/responses/resp_1", "DELETE"), ("/v1/models", "GET"), ("/v1/key", "GET"),
])
def test_a_browser_is_told_that_it_may_ask_before_it_does(account, path, method):
    answer = preflight(account, path, method)
    # Browsers send no key with this question.
    assert answer.status_code in (200, 204)
    assert answer.headers["access-control-allow-origin"] in ("*", PAGE)
    assert method.lower() in names(answer.headers["access-control-allow-methods"])
    allowed = names(answer.headers["access-control-allow-headers"])
    # A star stands for every header but this one.
    assert "authorization" in allowed
    assert "*" in allowed or set(SENT) <= allowed
    assert int(answer.headers["access-control-max-age"]) >= 60
    assert answer.content == b""


@pytest.mark.parametrize("status", [200, 400, 401, 404])
def test_a_page_can_read_every_answer_and_what_it_tells_in_headers(account, status):
    changes = {200: {}, 400: {"temperature": 3}, 401: {}, 404: {"model": "none"}}[status]
    asking = account.with_secret("sk-pw-wrong") if status == 401 else account
    answer = asking.request("POST", "/v1/chat/completions", body("[[tokens=1]]", **changes), Origin=PAGE)
    assert answer.status_code == status
    assert answer.headers["access-control-allow-origin"] in ("*", PAGE)
    readable = names(answer.headers["access-control-expose-headers"])
    assert "*" in readable or set(READ) <= readable


def test_a_page_can_read_a_refusal_for_too_many_requests(account):
    limited = account.gateway.key(account.id, "--rpm", "1")
    answers = [limited.request("POST", "/v1/chat/completions", body("[[tokens=1]]"), Origin=PAGE) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 429]
    assert answers[1].headers["access-control-allow-origin"] in ("*", PAGE)


def test_a_stream_can_be_read(account):
    answer = account.request("POST", "/v1/chat/completions", body("[[tokens=1]]", stream=True), Origin=PAGE)
    assert answer.headers["access-control-allow-origin"] in ("*", PAGE)


@pytest.mark.parametrize("origin", [PAGE, "null", "https://evil.example"])
def test_no_page_asks_with_what_a_browser_adds_by_itself(account, origin):
    for answer in (
        preflight(account, "/v1/chat/completions", "POST"),
        account.request("GET", "/v1/models", Origin=origin),
    ):
        assert "access-control-allow-credentials" not in answer.headers
        # Where the answer depends on who asks, caches must know.
        if answer.headers["access-control-allow-origin"] != "*":
            assert "origin" in names(answer.headers.get("vary"))


def test_who_is_no_browser_gets_the_same_answer(account):
    plain, from_page = (account.request("GET", "/v1/models", **headers) for headers in ({}, {"Origin": PAGE}))
    assert plain.status_code == from_page.status_code == 200
    assert plain.json()["object"] == from_page.json()["object"]


def test_an_operator_may_name_the_pages_that_may_ask(own_world):
    config = own_world.folder / "cors.toml"
    config.write_text(f'cors_origins = ["{PAGE}"]\n')
    account = own_world.gateway("--config", str(config)).account("1")
    allowed, refused = (account.request("GET", "/v1/models", Origin=origin) for origin in (PAGE, f"{PAGE}.evil.example"))
    assert allowed.headers["access-control-allow-origin"] == PAGE
    assert "access-control-allow-origin" not in refused.headers
