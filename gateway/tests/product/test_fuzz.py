"""Requests that chance has broken: each is answered, in time and in the right shape, and none is charged that was refused.

`PEERWAY_FUZZ_SEED` makes other ones; which were made is printed, so that a failure can be seen again.
"""

import json
import os
import time
from urllib.parse import quote

import httpx
import pytest

from harness import EMBEDDER, wait_until
from harness.mutations import Mutations
from harness.prices import nanos

SEED = os.environ.get("PEERWAY_FUZZ_SEED", "1")
# Of each kind of request.
CASES = 400
PATIENCE_S = 10
GRANTED = 50

DIRECTIVE = "[[tokens=2]]"
FUNCTION = {
    "name": "weather", "description": "d", "strict": True,
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
CHAT = {
    "model": "scripted",
    "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "name": "ada", "content": [{"type": "text", "text": "The weather?"}]},
        {"role": "assistant", "content": None, "tool_calls": [
            {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": "{\"city\":\"Oslo\"}"}},
        ]},
        {"role": "tool", "tool_call_id": "call_1", "content": "cold"},
        {"role": "user", "content": f"Thanks. {DIRECTIVE}"},
    ],
    "max_completion_tokens": 20, "temperature": 0.5, "top_p": 0.9, "n": 2, "stop": ["END"], "seed": 7, "user": "u",
    "frequency_penalty": 0.1, "presence_penalty": -0.1, "logit_bias": {"50": 1}, "metadata": {"a": "b"}, "store": False,
    "tools": [{"type": "function", "function": FUNCTION}], "tool_choice": "auto", "parallel_tool_calls": True,
    "response_format": {"type": "text"}, "stream": False,
}
STREAMED = {"stream": True, "stream_options": {"include_usage": True}}
TEXT = {
    "model": "scripted", "prompt": [DIRECTIVE, f"Once upon {DIRECTIVE}"], "max_tokens": 5, "n": 1, "temperature": 1,
    "echo": True, "stop": "END", "best_of": 1, "seed": 3, "suffix": None,
}
RESPONSE = {
    "model": "scripted", "instructions": "Be brief.", "max_output_tokens": 20, "temperature": 0.5, "store": False,
    "metadata": {"a": "b"},
    "input": [
        {"role": "user", "content": [{"type": "input_text", "text": "The weather?"}]},
        {"type": "function_call", "call_id": "call_1", "name": "weather", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "call_1", "output": "cold"},
        {"type": "message", "role": "user", "content": DIRECTIVE},
    ],
    "tools": [{"type": "function", **FUNCTION}], "tool_choice": "auto", "text": {"format": {"type": "text"}},
    "reasoning": {"effort": "low"}, "truncation": "disabled", "parallel_tool_calls": True,
}
MESSAGE = {
    "model": "scripted", "max_tokens": 20, "temperature": 0.5, "top_k": 5,
    "system": [{"type": "text", "text": "Be brief."}],
    "messages": [
        {"role": "user", "content": [{"type": "text", "text": "The weather?", "cache_control": {"type": "ephemeral"}}]},
        {"role": "assistant", "content": [
            {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Oslo"}},
        ]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": f"cold {DIRECTIVE}"}]},
    ],
    "tools": [{"name": "weather", "description": "d", "input_schema": FUNCTION["parameters"]}],
    "tool_choice": {"type": "auto"}, "stop_sequences": ["END"], "metadata": {"user_id": "u"},
}
KINDS = {
    "chat": ("POST", "/v1/chat/completions", CHAT),
    "chat, streamed": ("POST", "/v1/chat/completions", {**CHAT, **STREAMED}),
    "text": ("POST", "/v1/completions", TEXT),
    "text, streamed": ("POST", "/v1/completions", {**TEXT, **STREAMED}),
    "embeddings": ("POST", "/v1/embeddings", {
        "model": EMBEDDER, "input": ["a", "b c"], "encoding_format": "base64", "dimensions": 4, "user": "u",
    }),
    "responses": ("POST", "/v1/responses", RESPONSE),
    "responses, streamed": ("POST", "/v1/responses", {**RESPONSE, "stream": True}),
    "messages": ("POST", "/v1/messages", MESSAGE),
    "messages, streamed": ("POST", "/v1/messages", {**MESSAGE, "stream": True}),
    "tokens of messages": ("POST", "/v1/messages/count_tokens", {
        name: value for name, value in MESSAGE.items() if name in ("model", "system", "messages", "tools", "tool_choice")
    }),
    "minted tokens": ("POST", "/v1/auth/tokens", {"expires_in": 60, "models": ["scripted"], "max_spend_usd": "0.01"}),
    "keys": ("POST", "/v1/admin/keys", {
        "name": "n", "scopes": ["inference"], "expires_at": int(time.time()) + 10**6, "models": ["scripted"],
        "allowed_ips": ["127.0.0.0/8"], "budgets": {"day": "1", "lifetime": "2.5"},
        "limits": {"requests_per_minute": 5, "tokens_per_minute": 5, "concurrent": 5},
    }),
    "members": ("PUT", "/v1/admin/members/ada", {"role": "owner", "name": "Ada"}),
}
PATHS = [
    "/v1/models/{}", "/v1/models/{}/endpoints", "/v1/responses/{}", "/v1/responses/{}/input_items", "/v1/generation?id={}",
    "/v1/admin/keys/{}", "/v1/admin/members/{}", "/v1/admin/audit?limit={}", "/v1/admin/audit?after={}",
    "/v1/responses/x/input_items?limit={}&order={}",
]


@pytest.fixture(scope="module")
def gateway(world):
    return world.gateway()


@pytest.fixture(scope="module")
def nodes(world, gateway):
    flags = ("--price-input", "1", "--price-output", "1000", "--slots", "16", "--capability", "reasoning_effort")
    return world.scripted("scripted", gateway, *flags), world.embedder(gateway)


@pytest.fixture
def account(gateway, nodes):
    return gateway.account(str(GRANTED), "--scope", "admin")


@pytest.mark.parametrize("kind", KINDS)
def test_a_broken_request_is_answered_and_costs_what_it_says(gateway, account, kind):
    print(f"PEERWAY_FUZZ_SEED={SEED}")
    method, path, good = KINDS[kind]
    mutations = Mutations(f"{SEED} {kind}")
    told, refused, statuses = {}, set(), []
    with httpx.Client(base_url=gateway.url, headers=account.headers, timeout=PATIENCE_S) as client:
        assert client.request(method, path, json=good).status_code in (200, 201)
        for case in range(CASES):
            content = mutations.of(good)
            answer = client.request(method, path, content=content)
            what = f"{kind} {case}: {content[:2000]!r} got {answer.status_code} {answer.text[:500]}"
            statuses.append(answer.status_code)
            assert answer.status_code < 500 or answer.status_code in (502, 503), what
            if answer.status_code < 400:
                told[answer.headers["x-request-id"]] = cost(answer)
            else:
                assert is_error(answer, path), what
                refused.add(answer.headers["x-request-id"])
    # A test that only made nonsense, or nothing wrong, would be none.
    assert {200, 201} & set(statuses) and 400 in statuses
    assert sum(status >= 500 for status in statuses) <= CASES // 20, statuses
    charges = {charge["request_id"]: charge["total"] for charge in settled_charges(gateway, account)}
    assert not refused & charges.keys()
    assert {id: charges.get(id) for id, cost in told.items() if cost} == {id: cost for id, cost in told.items() if cost}
    account.wait_until_spent(GRANTED * 10**9, sum(charges.values()))


def settled_charges(gateway, account):
    """The account's charges, with that of a last request, before which all others were made."""
    asked = account.request("POST", "/v1/chat/completions", {**CHAT, "n": 1})
    assert asked.status_code == 200, asked.text
    last = asked.headers["x-request-id"]

    def found():
        charges = gateway.charges(account)
        return charges if any(charge["request_id"] == last for charge in charges) else None

    return wait_until("the last request is charged", found)


def cost(answer):
    """Nano-USD, as told in the answer or in the last event of a stream that tells any. 0 where it is free or untold."""
    if not answer.headers["content-type"].startswith("text/event-stream"):
        documents = [answer.json()] if answer.content else []
    else:
        documents = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: {")]
    found = 0
    for document in documents:
        usage = document.get("usage") or (document.get("response") or {}).get("usage") or {}
        found = usage.get("cost") or found
    return nanos(found)


def is_error(answer, path):
    error = answer.json()
    if path.startswith("/v1/messages"):
        return error["type"] == "error" and error["error"]["message"] and error["error"]["type"]
    return set(error["error"]) == {"message", "type", "param", "code"} and error["error"]["message"]


def test_odd_names_in_paths_are_not_there_or_refused(gateway, account):
    print(f"PEERWAY_FUZZ_SEED={SEED}")
    mutations, faults = Mutations(f"{SEED} paths"), set()
    with httpx.Client(base_url=gateway.url, headers=account.headers, timeout=PATIENCE_S) as client:
        for path in PATHS:
            for _ in range(20):
                odd = [encoded(mutations.text()) for _ in range(path.count("{}"))]
                answer = client.get(path.format(*odd))
                if not is_fine(answer, path, odd):
                    faults.add(f"{path} with {odd[0][:40]}: {answer.status_code} {answer.text[:100]}")
    assert not faults, "\n".join(sorted(faults))
    account.wait_until_spent(GRANTED * 10**9, 0)


def is_fine(answer, path, odd):
    if answer.status_code >= 400:
        is_refusal = answer.headers["content-type"] == "application/json" and is_error(answer, path)
        return is_refusal and answer.status_code in (400, 404, 405, 414, 431)
    # Only a list can be asked for by a limit that chance has found; nothing has a name that it made up.
    return not path.partition("?")[0].endswith("{}") or not odd[0]


def encoded(text):
    return quote(text.encode("utf-8", "surrogatepass"), safe="")
