"""The gateway describes itself: every operation that it documents is asked here, and answers as documented.

Whoever adds an operation adds a sample of it to this file, or the first test fails.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import quote

import httpx
import pytest

from harness import EMBEDDER, Account
from harness.asking import body, call, say
from harness.openapi import Description

DONE = say("Done.")
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
FUNCTION = {"type": "function", "function": {"name": "weather", "parameters": SCHEMA}}
CHAT = body(DONE)
RESPONSE = {"model": "scripted", "input": DONE}
MESSAGE = {**CHAT, "max_tokens": 20}
WITH_USAGE = {"stream": True, "stream_options": {"include_usage": True}}


@dataclass
class Asked:
    """The account that asks, and the ids that earlier samples have made for later ones."""

    account: Account
    made: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Sample:
    """One way to ask an operation. `path` has the values of its parameters, or makes them."""

    operation: str
    path: str | Callable[[Asked], str]
    body: object = None
    # Under which name the answer's `id` is kept.
    makes: str | None = None


def id_of(name: str, path: str) -> Callable[[Asked], str]:
    return lambda asked: path.format(quote(asked.made.get(name, "none"), safe=""))


def post(path: str, content: object, makes: str | None = None) -> Sample:
    return Sample(f"POST {path}", path, content, makes)


def get(path: str) -> Sample:
    return Sample(f"GET {path}", path)


# In the order in which they are asked.
SAMPLES = [
    *map(get, ("/health", "/ready", "/metrics", "/openapi.json", "/docs/")),
    get("/v1/models"), Sample("GET /v1/models/{}", "/v1/models/scripted"),
    Sample("GET /v1/models/{}/endpoints", "/v1/models/scripted/endpoints"),
    Sample("GET /v1/models/{}/prices", "/v1/models/scripted/prices?step=3600"),
    post("/v1/chat/completions", CHAT, "chat"),
    post("/v1/chat/completions", {**CHAT, **WITH_USAGE}),
    post("/v1/chat/completions", {**CHAT, "n": 2, "stop": ["END"], "temperature": 0}),
    post("/v1/chat/completions", {**body(call("weather", city="Oslo") + call("weather")), "tools": [FUNCTION]}),
    post("/v1/chat/completions", {**body(call("weather", city="Oslo")), "tools": [FUNCTION], **WITH_USAGE}),
    post("/v1/chat/completions", {**body("[[think=3]]" + DONE), "reasoning_effort": "low"}),
    post("/v1/chat/completions", {**body("[[think=3]]" + DONE), **WITH_USAGE}),
    post("/v1/chat/completions", {**body(DONE + "[[stop_reason=END]]"), "stop": "END"}),
    post("/v1/chat/completions", {
        **CHAT, "model": "scripted:floor", "models": [EMBEDDER],
        "provider": {"order": ["eu"], "ignore": ["nobody"], "sort": "price", "max_price": {"prompt": "99", "completion": 5000}},
    }),
    post("/v1/completions", {"model": "scripted", "prompt": DONE, "echo": True}),
    post("/v1/completions", {"model": "scripted", "prompt": [DONE, DONE], **WITH_USAGE}),
    post("/v1/embeddings", {"model": EMBEDDER, "input": ["a", "b"]}),
    post("/v1/embeddings", {"model": EMBEDDER, "input": [[1, 2]], "encoding_format": "base64"}),
    post("/v1/responses", RESPONSE, "response"),
    post("/v1/responses", {**RESPONSE, "stream": True}),
    post("/v1/responses", {
        "model": "scripted", "input": call("weather", city="Oslo"),
        "tools": [{"type": "function", "name": "weather", "parameters": SCHEMA}],
    }),
    post("/v1/responses", {
        "model": "scripted", "input": call("weather", city="Oslo"), "stream": True,
        "tools": [{"type": "function", "name": "weather", "parameters": SCHEMA}],
    }),
    post("/v1/responses", {"model": "scripted", "input": "[[think=3]]" + DONE, "stream": True}),
    post("/v1/responses", {**RESPONSE, "input": "[[tokens=2000]] [[every=5ms]]", "background": True}, "background"),
    Sample("GET /v1/responses/{}", id_of("response", "/v1/responses/{}")),
    Sample("GET /v1/responses/{}", id_of("background", "/v1/responses/{}")),
    Sample("GET /v1/responses/{}/input_items", id_of("response", "/v1/responses/{}/input_items")),
    Sample("POST /v1/responses/{}/cancel", id_of("background", "/v1/responses/{}/cancel")),
    Sample("DELETE /v1/responses/{}", id_of("response", "/v1/responses/{}")),
    post("/v1/messages", MESSAGE),
    post("/v1/messages", {**MESSAGE, "stream": True}),
    post("/v1/messages", {
        **body("[[think=3]]" + call("weather", city="Oslo")), "max_tokens": 64, "stream": True,
        "tools": [{"name": "weather", "input_schema": SCHEMA}],
    }),
    post("/v1/messages/count_tokens", CHAT),
    get("/v1/credits"), get("/v1/key"),
    Sample("GET /v1/generation", id_of("chat", "/v1/generation?id={}")),
    post("/v1/auth/tokens", {"expires_in": 60, "models": ["scripted"], "max_spend_usd": "0.01"}),
    post("/v1/admin/keys", {"name": "sample", "budgets": {"day": "1"}, "limits": {"concurrent": 3}}, "key"),
    get("/v1/admin/keys"),
    Sample("GET /v1/admin/keys/{}", id_of("key", "/v1/admin/keys/{}")),
    Sample("PATCH /v1/admin/keys/{}", id_of("key", "/v1/admin/keys/{}"), {"name": "changed", "models": ["scripted"]}),
    Sample("POST /v1/admin/keys/{}/rotate", id_of("key", "/v1/admin/keys/{}/rotate"), {"overlap_s": 60}, "rotated"),
    Sample("DELETE /v1/admin/keys/{}", id_of("rotated", "/v1/admin/keys/{}")),
    Sample("PUT /v1/admin/members/{}", "/v1/admin/members/boss", {"role": "owner", "name": "Boss"}),
    Sample("PUT /v1/admin/members/{}", "/v1/admin/members/ada", {"role": "developer", "name": "Ada"}),
    get("/v1/admin/members"), Sample("GET /v1/admin/members/{}", "/v1/admin/members/ada"),
    Sample("DELETE /v1/admin/members/{}", "/v1/admin/members/ada"),
    get("/v1/admin/audit"),
    get("/v1/usage"), get("/v1/ledger/checkpoint"),
    Sample("PUT /v1/admin/alerts", "/v1/admin/alerts", {"url": "https://alerts.example/hook", "budgets": {"day": "1"}}),
    get("/v1/admin/alerts"), Sample("DELETE /v1/admin/alerts", "/v1/admin/alerts"),
]
# Asked elsewhere: payments need a Stripe (test_stripe.py), and a proof a checkpoint that is younger than the charge.
ELSEWHERE = ("/v1/billing/", "/v1/webhooks/", "/v1/ledger/proof")


def is_elsewhere(name):
    return any(path in name for path in ELSEWHERE)


@pytest.fixture(scope="module")
def account(market):
    return market.gateway.account("5", "--scope", "admin")


@pytest.fixture(scope="module")
def description(market):
    return Description(httpx.get(f"{market.gateway.url}/openapi.json", timeout=10).json())


def test_every_operation_has_a_sample_and_every_sample_its_operation(description):
    documented, sampled = set(description.operations()), {sample.operation for sample in SAMPLES}
    assert sorted(name for name in documented - sampled if not is_elsewhere(name)) == []
    assert sorted(sampled - documented) == []


def test_the_document_is_whole(description):
    assert description.document["openapi"].startswith("3.1")
    assert description.dangling() == []
    ids = [operation["operationId"] for operation in description.operations().values()]
    assert len(ids) == len(set(ids))
    assert all(operation["summary"] for operation in description.operations().values())


def test_every_answer_is_as_documented(account, description):
    asked, faults = Asked(account), {}
    operations = description.operations()
    for place, sample in enumerate(SAMPLES):
        path = sample.path if isinstance(sample.path, str) else sample.path(asked)
        method, what = sample.operation.partition(" ")[0], f"{place}: {sample.operation}"
        answer = account.request(method, path, sample.body)
        if answer.status_code >= 300:
            faults[what] = [answer.text]
            continue
        operation = operations.get(sample.operation)
        found = ["it is not documented"] if operation is None else description.faults_of_answer(operation, answer)
        if operation and sample.body is not None:
            found += [f"request {fault}" for fault in description.faults_of_request(operation, sample.body)]
        if found:
            faults[what] = found
        if sample.makes:
            asked.made[sample.makes] = answer.json()["id"]
    assert not faults, listed(faults)


def listed(faults):
    return "\n".join(f"{what}: {fault}" for what, found in faults.items() for fault in found)


def test_every_refusal_is_as_documented(account, description):
    faults = {}
    for name, operation in description.operations().items():
        if operation.get("security") == []:
            continue
        method, path = name.replace("{}", "none").split()
        send = {"method": method, "url": f"{account.gateway.url}{path}", "timeout": 10}
        refused = [
            httpx.request(**send),
            httpx.request(**send, headers={"Authorization": "Bearer sk-pw-wrong"}),
        ]
        assert [answer.status_code for answer in refused] == [401, 401], name
        if "requestBody" in operation:
            refused.append(httpx.request(**send, headers=account.headers, content=b"{"))
            # What is not there can be said before what was sent is looked at.
            # Where no payments can be made, that is said first.
            expected = (501,) if "/v1/billing/" in name else (400, 404) if "{}" in name else (400,)
            assert refused[-1].status_code in expected, name
        elif "{}" in name and method == "GET":
            refused.append(httpx.request(**send, headers=account.headers))
            assert refused[-1].status_code == 404, name
        found = [fault for answer in refused for fault in description.faults_of_answer(operation, answer)]
        if found:
            faults[name] = found
    assert not faults, listed(faults)


def test_what_the_key_must_be_allowed_is_documented(market, description):
    """A key that may only look is refused by every operation that does something, and that status is documented."""
    looker = market.gateway.account("1", "--scope", "usage:read")
    for name, operation in description.operations().items():
        if operation.get("security") == [] or "requestBody" not in operation or is_elsewhere(name):
            continue
        method, path = name.replace("{}", "none").split()
        sample = next(sample for sample in SAMPLES if sample.operation == name)
        answer = looker.request(method, path, sample.body)
        assert answer.status_code == 403, name
        assert description.faults_of_answer(operation, answer) == [], name


def test_the_pages_for_people_are_all_there_and_fetch_nothing_from_elsewhere(market):
    with httpx.Client(timeout=10, follow_redirects=True) as client:
        page = client.get(f"{market.gateway.url}/docs")
        assert page.status_code == 200
        assert page.headers["content-type"].startswith("text/html")
        used = re.findall(r"""(?:src|href)=["']([^"'#]+)""", page.text)
        assert used
        # Relative ones are looked for where the redirect led to.
        texts = [page.text]
        for link in used:
            assert not link.startswith(("http:", "https:", "//")), link
            part = client.get(page.url.join(link))
            assert part.status_code == 200, link
            texts.append(part.text)
    assert any("/openapi.json" in text for text in texts)
