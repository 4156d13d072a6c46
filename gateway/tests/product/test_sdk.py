"""The official OpenAI SDK against the real model, behind a gateway and two nodes with different prices."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from harness import REAL_MODEL, wait_until
from harness.prices import cost_in_nanos, nanos

CHEAP = ("0.05", "0.10")
DEAR = ("0.10", "0.20")
QUESTION = [{"role": "user", "content": "What is the capital of France? Answer in one sentence."}]


def prices(ask):
    return ["--price-input", ask[0], "--price-output", ask[1]]


@pytest.fixture(scope="module")
def gateway(world):
    return world.gateway()


@pytest.fixture(scope="module")
def nodes(world, gateway):
    """The cheap and the dear one."""
    started = [world.mistral("cheap", gateway, *prices(CHEAP)), world.mistral("dear", gateway, *prices(DEAR))]
    for node in started:
        node.wait_until_serving()
    return started


@pytest.fixture
def account(gateway, nodes):
    return gateway.account("1")


def ask(account, **changes):
    request = {"model": REAL_MODEL, "messages": QUESTION, "max_tokens": 16, "temperature": 0, **changes}
    return account.client.chat.completions.with_raw_response.create(**request)


def test_an_answer_has_text_usage_and_its_exact_cost(account, nodes, official):
    raw = ask(account)
    answer = raw.parse()
    official("CreateChatCompletionResponse", json.loads(raw.text))
    assert "Paris" in answer.choices[0].message.content
    assert answer.choices[0].message.role == "assistant"
    assert answer.choices[0].finish_reason in ("stop", "length")
    assert answer.model == REAL_MODEL
    assert answer.id == f"chatcmpl-{raw.headers['x-request-id']}"
    assert answer.provider == raw.headers["x-peerway-node"] == nodes[0].peer_id
    assert (raw.headers["x-peerway-price-input"], raw.headers["x-peerway-price-output"]) == ("0.05", "0.1")
    for header in ("x-peerway-queue-ms", "x-peerway-gateway-ms"):
        assert float(raw.headers[header]) >= 0
    usage = answer.usage
    assert 1 <= usage.completion_tokens <= 16
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    assert nanos(usage.cost) == cost_in_nanos(usage.prompt_tokens, usage.completion_tokens, *CHEAP)


def test_a_stream_ends_with_usage_and_says_the_same_as_the_whole_answer(account, official):
    whole = ask(account).parse()
    chunks = list(ask(account, stream=True, stream_options={"include_usage": True}).parse())
    for chunk in chunks:
        official("CreateChatCompletionStreamResponse", chunk.model_dump(mode="json", exclude_unset=True))
    *pieces, last = chunks
    assert last.choices == []
    assert nanos(last.usage.cost) == cost_in_nanos(last.usage.prompt_tokens, last.usage.completion_tokens, *CHEAP)
    assert pieces[0].choices[0].delta.role == "assistant"
    assert all(len(piece.choices) == 1 and piece.choices[0].index == 0 and piece.usage is None for piece in pieces)
    assert [piece.choices[0].finish_reason for piece in pieces if piece.choices[0].finish_reason] == [
        whole.choices[0].finish_reason
    ]
    assert len({chunk.id for chunk in chunks}) == 1
    assert "".join(piece.choices[0].delta.content or "" for piece in pieces) == whole.choices[0].message.content


def test_on_the_wire_a_stream_is_events_that_end_with_done(account, gateway):
    body = {"model": REAL_MODEL, "messages": QUESTION, "max_tokens": 4, "stream": True}
    raw = httpx.post(f"{gateway.url}/v1/chat/completions", headers=account.headers, json=body, timeout=60)
    assert raw.headers["content-type"].startswith("text/event-stream")
    events = raw.text.split("\n\n")
    assert events[-2:] == ["data: [DONE]", ""]
    # Not asked for, so that clients which do not know it never see it.
    assert all("usage" not in json.loads(event.removeprefix("data: ")) for event in events[:-2])


def test_the_balance_falls_by_exactly_the_sum_of_the_costs(account, gateway):
    costs = [nanos(ask(account, max_tokens=tokens).parse().usage.cost) for tokens in (1, 5, 9)]
    for tokens in (3, 7):
        *_, last = ask(account, max_tokens=tokens, stream=True, stream_options={"include_usage": True}).parse()
        costs.append(nanos(last.usage.cost))
    assert all(cost > 0 for cost in costs)
    wait_until("every charge is in the ledger", lambda: len(gateway.charges(account)) == len(costs))
    assert account.balance()["posted"] == 10**9 - sum(costs)
    assert sorted(charge["total"] for charge in gateway.charges(account)) == sorted(costs)


def test_node_and_gateway_count_the_same_tokens(account, gateway):
    conversation = [
        {"role": "system", "content": "You are terse."},
        {"role": "user", "content": "Name three colours — bitte auf Deutsch, 日本語 too."},
    ]
    ask(account, messages=conversation, max_tokens=12)
    latest = wait_until("the charge is in the ledger", lambda: account.show()["latest"])[0]
    billed, claimed = latest["billed"], latest["claimed"]
    assert (billed["prompt"], billed["completion"]) == (claimed["prompt"], claimed["completion"])
    assert billed["prompt"] > 20


def test_sampling_fields_reach_the_model(account):
    assert "capital" not in ask(account, stop="capital", max_tokens=24).parse().choices[0].message.content
    seeded = [
        ask(account, temperature=1.5, seed=7, max_tokens=12).parse().choices[0].message.content for _ in range(2)
    ]
    assert seeded[0] == seeded[1]
    logprobs = ask(account, logprobs=True, top_logprobs=2, max_tokens=3).parse().choices[0].logprobs.content
    assert len(logprobs) == 3
    assert all(token.logprob <= 0 and len(token.top_logprobs) == 2 for token in logprobs)


def test_models_are_listed_with_the_price_a_caller_pays(account, gateway, official):
    listed = httpx.get(f"{gateway.url}/v1/models", headers=account.headers).json()
    official("ListModelsResponse", listed)
    assert {model.id for model in account.client.models.list()} == {REAL_MODEL, "scripted"}
    model = account.client.models.retrieve(REAL_MODEL)
    # 0.05 and 0.10 USD per million tokens, and 5 % on top.
    assert (model.pricing["prompt"], model.pricing["completion"]) == ("0.0000000525", "0.000000105")
    assert model.context_length == 8192
    with pytest.raises(httpx.HTTPStatusError, match="404"):
        httpx.get(f"{gateway.url}/v1/models/none", headers=account.headers).raise_for_status()


def test_the_gateway_describes_itself(gateway, nodes):
    assert httpx.get(f"{gateway.url}/ready").status_code == 200
    document = httpx.get(f"{gateway.url}/openapi.json").json()
    assert document["openapi"].startswith("3.")
    assert "/v1/chat/completions" in document["paths"]
    assert "peerway_nodes 2" in httpx.get(f"{gateway.url}/metrics").text


def test_the_cheaper_node_serves_and_the_other_takes_over_while_it_is_away(account, nodes, gateway):
    cheap, dear = nodes
    done = threading.Event()
    served: list[str] = []

    # One caller: a node whose slots are all busy is passed by, however cheap, and on a CPU there is one.
    def keep_asking():
        while not done.is_set():
            # An error of any kind ends this thread and fails the test.
            served.append(ask(account, max_tokens=4).headers["x-peerway-node"])

    def next_ones_are_from(node):
        seen = len(served)
        return lambda: served[seen + 2:] and set(served[-2:]) == {node.peer_id}

    with ThreadPoolExecutor(1) as caller:
        asking = caller.submit(keep_asking)
        try:
            wait_until("the cheap one serves", next_ones_are_from(cheap), 30)
            assert set(served) == {cheap.peer_id}
            cheap.service.terminate()
            wait_until("the dear one takes over", next_ones_are_from(dear), 30)
            assert cheap.service.wait() == 0, cheap.service.last_words()
            cheap.start()
            wait_until("the cheap one is back", next_ones_are_from(cheap), 30)
        finally:
            done.set()
        asking.result()
