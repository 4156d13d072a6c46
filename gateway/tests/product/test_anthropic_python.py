"""Anthropic's SDK for Python, for the many programs that speak nothing else."""

import anthropic
import httpx
import pytest

from harness import REAL_MODEL, SCRIPTED_ASK
from harness.asking import call, say
from harness.prices import cost_in_nanos, nanos

WEATHER = {
    "name": "weather", "description": "The weather in a city",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


@pytest.fixture(scope="module")
def account(market):
    return market.gateway.account("5")


@pytest.fixture(scope="module")
def client(account):
    return client_of(account)


def client_of(account):
    return anthropic.Anthropic(base_url=account.gateway.url, api_key=account.key, max_retries=0, timeout=60)


def request(prompt, **changes):
    return {"model": "scripted", "max_tokens": 64, "messages": [{"role": "user", "content": prompt}], **changes}


def test_a_message_has_text_usage_and_its_exact_cost(client, market):
    answer = client.messages.create(**request(say("Good morning."), system="Be polite."))
    assert (answer.type, answer.role, answer.stop_reason) == ("message", "assistant", "end_turn")
    assert [(block.type, block.text) for block in answer.content] == [("text", "Good morning.")]
    assert answer.id.startswith("msg_")
    usage = answer.usage
    assert nanos(usage.cost) == cost_in_nanos(usage.input_tokens, usage.output_tokens, *SCRIPTED_ASK)
    assert answer.provider == market.scripted.peer_id


def test_the_real_model_answers(client):
    question = "What is the capital of France? Answer in one sentence."
    answer = client.messages.create(**request(question, model=REAL_MODEL, max_tokens=16, extra_body={"temperature": 0}))
    assert "Paris" in answer.content[0].text
    assert answer.stop_reason in ("end_turn", "max_tokens")


def test_a_stream_says_the_same_as_the_whole(client):
    whole = client.messages.create(**request(say("One two three.")))
    with client.messages.stream(**request(say("One two three."))) as stream:
        events = list(stream)
        final = stream.get_final_message()
    assert events[0].type == "message_start" and events[-1].type == "message_stop"
    assert final.content[0].text == whole.content[0].text == "One two three."
    assert final.stop_reason == whole.stop_reason
    assert (final.usage.input_tokens, final.usage.output_tokens) == (whole.usage.input_tokens, whole.usage.output_tokens)
    assert told_cost(events) == nanos(whole.usage.cost)


def told_cost(events):
    """Told with the end of a message; the SDK's own sum has only what it knows."""
    [cost] = [event.usage.cost for event in events if event.type == "message_delta"]
    return nanos(cost)


def test_events_are_named_and_in_order(client):
    events = client.messages.create(**request(say("One two.")), stream=True)
    kinds = [event.type for event in events if event.type != "ping"]
    assert kinds[:2] == ["message_start", "content_block_start"]
    assert kinds[-3:] == ["content_block_stop", "message_delta", "message_stop"]
    assert set(kinds[2:-3]) == {"content_block_delta"}


@pytest.mark.parametrize("is_stream", [False, True])
def test_a_tool_is_used_and_its_result_answered(client, is_stream):
    asked = request(call("weather", city="Oslo") + call("weather", city="Rome"), tools=[WEATHER])
    if is_stream:
        with client.messages.stream(**asked) as stream:
            first = stream.get_final_message()
    else:
        first = client.messages.create(**asked)
    assert first.stop_reason == "tool_use"
    assert [(block.type, block.name, block.input) for block in first.content] == [
        ("tool_use", "weather", {"city": "Oslo"}), ("tool_use", "weather", {"city": "Rome"}),
    ]
    results = [
        {"type": "tool_result", "tool_use_id": block.id, "content": f"cold {say('Put on a coat.')}"}
        for block in first.content
    ]
    said = [{"role": "assistant", "content": first.content}, {"role": "user", "content": results}]
    asked["messages"] += said
    assert client.messages.create(**asked).content[0].text == "Put on a coat."


def test_the_real_model_uses_the_tool_that_it_must(client):
    # Few words to choose among: a small model would go on and on where it may.
    cities = {"type": "object", "properties": {"city": {"enum": ["Oslo", "Paris"]}}, "required": ["city"],
              "additionalProperties": False}
    answer = client.messages.create(**request(
        "What is the weather in Oslo?", model=REAL_MODEL, tools=[{**WEATHER, "input_schema": cities}],
        tool_choice={"type": "tool", "name": "weather"}, extra_body={"temperature": 0},
    ))
    [used] = [block for block in answer.content if block.type == "tool_use"]
    assert used.name == "weather" and used.input["city"] in ("Oslo", "Paris")


def test_thoughts_are_a_block_of_their_own(client):
    answer = client.messages.create(**request("[[think=3]]" + say("Yes.")))
    assert [block.type for block in answer.content] == ["thinking", "text"]
    assert len(answer.content[0].thinking.split()) == 3


def test_why_an_answer_ended(client):
    assert client.messages.create(**request("[[tokens=40]]", max_tokens=5)).stop_reason == "max_tokens"
    stopped = client.messages.create(**request(say("One.") + "[[stop_reason=END]]", stop_sequences=["END"]))
    assert (stopped.stop_reason, stopped.stop_sequence) == ("stop_sequence", "END")


def test_tokens_are_counted_as_they_would_be_charged_and_for_free(market):
    account = market.gateway.account("1")
    client = client_of(account)
    asked = {"model": REAL_MODEL, "system": "Be brief.", "messages": [{"role": "user", "content": "Hello there."}]}
    counted = client.messages.count_tokens(**asked).input_tokens
    assert account.balance()["posted"] == 10**9
    usage = client.messages.create(**asked, max_tokens=1).usage
    assert counted == usage.input_tokens + usage.cache_read_input_tokens


def test_the_sum_of_the_costs_is_what_is_gone(market):
    account = market.gateway.account("1")
    client = client_of(account)
    costs = [nanos(client.messages.create(**request(f"[[tokens={tokens}]]")).usage.cost) for tokens in (1, 5)]
    costs.append(told_cost(client.messages.create(**request("[[tokens=7]]"), stream=True)))
    account.wait_until_spent(10**9, sum(costs))


def test_the_key_may_come_in_either_header(account):
    """Older versions of the SDK, and `curl` lines in manuals, send `x-api-key`."""
    for headers in ({"x-api-key": account.key}, {"Authorization": f"Bearer {account.key}"}):
        answer = httpx.post(
            f"{account.gateway.url}/v1/messages", headers={**headers, "anthropic-version": "2023-06-01"},
            json=request("[[tokens=1]]"), timeout=60,
        )
        assert answer.status_code == 200, answer.text


class TestErrors:
    """In Anthropic's envelope, as the exceptions of its SDK."""

    def test_a_wrong_key(self, client):
        with pytest.raises(anthropic.AuthenticationError) as caught:
            client.copy(api_key="sk-pw-wrong").messages.create(**request("x"))
        assert caught.value.body["type"] == "error"
        assert caught.value.body["error"]["type"] == "authentication_error"

    def test_an_unknown_model(self, client):
        with pytest.raises(anthropic.NotFoundError) as caught:
            client.messages.create(**request("x", model="none"))
        assert caught.value.body["error"]["type"] == "not_found_error"

    @pytest.mark.parametrize(("changes", "field"), [
        ({"max_tokens": 0}, "max_tokens"),
        ({"extra_body": {"temperature": 1.5}}, "temperature"),
        ({"messages": []}, "messages"),
        ({"stop_sequences": ["a", "b", "c", "d", "e"]}, "stop_sequences"),
    ])
    def test_a_bad_field(self, client, changes, field):
        with pytest.raises(anthropic.BadRequestError) as caught:
            client.messages.create(**request("x", **changes))
        assert caught.value.body["error"]["type"] == "invalid_request_error"
        assert field in caught.value.body["error"]["message"]

    def test_too_many_requests(self, account):
        limited = client_of(account.gateway.key(account.id, "--rpm", "1"))
        limited.messages.create(**request("[[tokens=1]]"))
        with pytest.raises(anthropic.RateLimitError) as caught:
            limited.messages.create(**request("[[tokens=1]]"))
        assert int(caught.value.response.headers["retry-after"]) >= 1
        assert caught.value.body["error"]["type"] == "rate_limit_error"

    def test_no_credit(self, market):
        with pytest.raises(anthropic.APIStatusError) as caught:
            client_of(market.gateway.account("0.000000001")).messages.create(**request("x"))
        assert (caught.value.status_code, caught.value.body["error"]["type"]) == (402, "billing_error")

    def test_a_stream_that_breaks(self, client, breaks_nodes):
        with pytest.raises(anthropic.APIError), client.messages.stream(**request("[[tokens=9]] [[die_after=2]]")) as stream:
            list(stream)
