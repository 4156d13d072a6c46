"""OpenAI's SDK for Python: chat in all its forms, and errors as the exceptions that programs catch.

The real model answers what a small one can: text, shapes that a grammar enforces, probabilities. Calls of tools come from
the scripted node, which makes them to order.
"""

import base64
import json
import re
from typing import Literal

import openai
import pytest
from pydantic import BaseModel

from harness import REAL_ASK, REAL_MODEL
from harness.asking import call, say
from harness.prices import cost_in_nanos, nanos

QUESTION = [{"role": "user", "content": "What is the capital of France? Answer in one sentence."}]
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather in a city",
        "parameters": {
            "type": "object", "properties": {"city": {"enum": ["Oslo", "Paris"]}}, "required": ["city"],
            "additionalProperties": False,
        },
        "strict": True,
    },
}
CLOCK = {"type": "function", "function": {"name": "clock", "parameters": {"type": "object", "properties": {}}}}


class City(BaseModel):
    name: Literal["Paris", "Rome"]
    is_capital: bool


@pytest.fixture(scope="module")
def account(market):
    return market.gateway.account("5")


@pytest.fixture(scope="module")
def client(account):
    return account.client


def asked(directives):
    return [{"role": "user", "content": f"Please. {directives}"}]


def test_several_answers_to_one_prompt_that_is_paid_once(client):
    one = client.chat.completions.create(model=REAL_MODEL, messages=QUESTION, max_tokens=6, temperature=0)
    several = client.chat.completions.create(model=REAL_MODEL, messages=QUESTION, max_tokens=6, temperature=0, n=2)
    assert [choice.index for choice in several.choices] == [0, 1]
    assert {choice.message.content for choice in several.choices} == {one.choices[0].message.content}
    assert several.usage.prompt_tokens == one.usage.prompt_tokens
    assert several.usage.completion_tokens == 2 * one.usage.completion_tokens
    # What the node had in its cache has a price of its own, here that of any other token.
    assert nanos(several.usage.cost) == cost_in_nanos(
        several.usage.prompt_tokens, several.usage.completion_tokens, *REAL_ASK
    )


def test_several_answers_in_one_stream(client):
    stream = client.chat.completions.create(
        model="scripted", messages=asked("[[tokens=5]]"), n=3, stream=True, stream_options={"include_usage": True},
    )
    texts, finished, usage = ["", "", ""], [], None
    for chunk in stream:
        for choice in chunk.choices:
            texts[choice.index] += choice.delta.content or ""
            if choice.finish_reason:
                finished.append((choice.index, choice.finish_reason))
        usage = chunk.usage or usage
    assert all(len(text.split()) == 5 for text in texts)
    assert sorted(finished) == [(0, "stop"), (1, "stop"), (2, "stop")]
    assert usage.completion_tokens == 15


def test_the_stream_helper_tells_the_same_as_the_whole_answer(client):
    request = {"model": REAL_MODEL, "messages": QUESTION, "max_tokens": 8, "temperature": 0}
    whole = client.chat.completions.create(**request)
    with client.chat.completions.stream(**request, stream_options={"include_usage": True}) as stream:
        text = "".join(event.delta for event in stream if event.type == "content.delta")
        final = stream.get_final_completion()
    assert text == final.choices[0].message.content == whole.choices[0].message.content
    assert final.usage.completion_tokens == whole.usage.completion_tokens


def test_probabilities_of_tokens(client):
    answer = client.chat.completions.create(
        model=REAL_MODEL, messages=QUESTION, max_tokens=4, temperature=0, logprobs=True, top_logprobs=3,
    )
    tokens = answer.choices[0].logprobs.content
    assert "".join(token.token for token in tokens) == answer.choices[0].message.content
    for token in tokens:
        assert token.logprob <= 0 and bytes(token.bytes).decode() == token.token
        best = max(token.top_logprobs, key=lambda top: top.logprob)
        # At temperature 0 the likeliest is taken.
        assert (len(token.top_logprobs), best.token) == (3, token.token)


@pytest.mark.parametrize("is_stream", [False, True])
def test_parallel_calls_of_tools(client, is_stream):
    messages = asked(call("weather", city="Oslo") + call("clock"))
    request = {"model": "scripted", "messages": messages, "tools": [WEATHER, CLOCK]}
    if is_stream:
        with client.chat.completions.stream(**request) as stream:
            kinds = [event.type for event in stream]
            choice = stream.get_final_completion().choices[0]
        assert kinds.count("tool_calls.function.arguments.done") == 2
        assert "tool_calls.function.arguments.delta" in kinds
    else:
        choice = client.chat.completions.create(**request).choices[0]
    assert choice.finish_reason == "tool_calls"
    calls = choice.message.tool_calls
    assert [(made.type, made.function.name) for made in calls] == [("function", "weather"), ("function", "clock")]
    assert [json.loads(made.function.arguments) for made in calls] == [{"city": "Oslo"}, {}]
    assert len({made.id for made in calls}) == 2


def test_on_the_wire_each_call_begins_with_its_id_and_goes_on_with_text(account):
    request = {"model": "scripted", "messages": asked(call("weather", city="Oslo") + call("clock")), "stream": True}
    raw = account.request("POST", "/v1/chat/completions", {**request, "tools": [WEATHER, CLOCK]})
    events = [json.loads(line[6:]) for line in raw.text.splitlines() if line.startswith("data: {")]
    deltas = [
        delta for event in events for choice in event["choices"] for delta in choice["delta"].get("tool_calls") or []
    ]
    seen = set()
    for delta in deltas:
        assert isinstance(delta["function"]["arguments"], str)
        if delta["index"] in seen:
            assert not delta.get("id") and not delta["function"].get("name")
        else:
            assert delta["id"] and delta["type"] == "function" and delta["function"]["name"]
        seen.add(delta["index"])
    assert seen == {0, 1}


def test_a_tools_result_goes_back_to_the_model(client):
    messages = asked(call("weather", city="Oslo"))
    first = client.chat.completions.create(model="scripted", messages=messages, tools=[WEATHER]).choices[0].message
    result = {"role": "tool", "tool_call_id": first.tool_calls[0].id, "content": f"2 degrees {say('It is cold.')}"}
    second = client.chat.completions.create(model="scripted", messages=[*messages, first, result], tools=[WEATHER])
    assert second.choices[0].message.content == "It is cold."
    assert second.choices[0].finish_reason == "stop"


def test_one_call_at_a_time_where_the_caller_says_so(client):
    messages = asked(call("weather", city="Oslo") + call("clock"))
    answer = client.chat.completions.create(
        model="scripted", messages=messages, tools=[WEATHER, CLOCK], parallel_tool_calls=False,
    )
    assert [made.function.name for made in answer.choices[0].message.tool_calls] == ["weather"]


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "weather"}}])
def test_the_real_model_calls_the_tool_that_it_must(client, choice):
    answer = client.chat.completions.create(
        model=REAL_MODEL, messages=[{"role": "user", "content": "What is the weather in Oslo?"}],
        tools=[WEATHER], tool_choice=choice, max_tokens=48, temperature=0,
    )
    [made] = answer.choices[0].message.tool_calls
    assert made.function.name == "weather"
    assert json.loads(made.function.arguments)["city"] in ("Oslo", "Paris")
    assert answer.choices[0].finish_reason == "tool_calls"


def test_the_real_model_calls_nothing_where_it_must_not(client):
    answer = client.chat.completions.create(
        model=REAL_MODEL, messages=QUESTION, tools=[WEATHER], tool_choice="none", max_tokens=8,
    )
    assert not answer.choices[0].message.tool_calls
    assert answer.choices[0].message.content


def test_parse_gives_an_object_of_the_callers_class(client):
    answer = client.chat.completions.parse(
        model=REAL_MODEL, messages=QUESTION, response_format=City, max_tokens=40, temperature=0,
    )
    # Constrained to the schema, so that even a small model gives the shape, and mostly the truth.
    assert isinstance(answer.choices[0].message.parsed, City)
    assert answer.choices[0].finish_reason == "stop"


@pytest.mark.parametrize(("response_format", "fits"), [
    ({"type": "json_object"}, lambda text: isinstance(json.loads(text), dict)),
    ({"type": "regex", "regex": "(Paris|Rome), [A-Z]{2}"}, lambda text: re.fullmatch("(Paris|Rome), [A-Z]{2}", text)),
    ({"type": "grammar", "grammar": 'start: "yes" | "no"'}, lambda text: text in ("yes", "no")),
])
def test_other_shapes_of_an_answer(client, response_format, fits):
    ask = [{"role": "user", "content": 'Answer with {"city": "Paris"} and nothing else.'}]
    answer = client.chat.completions.create(
        model=REAL_MODEL, messages=ask, response_format=response_format, max_tokens=48, temperature=0,
    )
    choice = answer.choices[0]
    # Any object will do, so that it may not have come to its end at the limit; its beginning must be one then.
    if answer.usage.completion_tokens == 48:
        assert choice.finish_reason == "length" and choice.message.content.lstrip().startswith("{")
    else:
        assert choice.finish_reason == "stop" and fits(choice.message.content)


def test_thoughts_come_apart_from_the_answer(client):
    messages = asked("[[think=3]]" + say("Yes."))
    answer = client.chat.completions.create(model="scripted", messages=messages, reasoning_effort="low")
    assert answer.choices[0].message.content == "Yes."
    assert len(answer.choices[0].message.reasoning_content.split()) == 3
    assert answer.usage.completion_tokens >= 4
    silent = client.chat.completions.create(model="scripted", messages=messages, reasoning_effort="none")
    assert not getattr(silent.choices[0].message, "reasoning_content", None)


def test_pictures_reach_a_node_that_sees_and_no_other(client):
    url = "data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"\0" * 24).decode()
    picture = [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": url}}]
    answer = client.chat.completions.create(model="scripted", messages=[{"role": "user", "content": picture}])
    assert answer.choices[0].message.content == "image of 32 bytes"
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(model=REAL_MODEL, messages=[{"role": "user", "content": picture}])


def test_models_are_listed_and_retrieved(client):
    listed = {model.id: model for model in client.models.list()}
    assert {REAL_MODEL, "scripted"} <= listed.keys()
    assert all(isinstance(model.created, int) and model.owned_by for model in listed.values())
    assert client.models.retrieve(REAL_MODEL) == listed[REAL_MODEL]
    assert "tools" in listed[REAL_MODEL].supported_parameters


def test_the_nodes_behind_a_model_are_listed_with_their_prices(account, market):
    listed = account.request("GET", f"/v1/models/{REAL_MODEL}/endpoints").json()["data"]
    [endpoint] = listed["endpoints"]
    assert listed["id"] == REAL_MODEL
    assert market.real.peer_id in json.dumps(endpoint)
    # USD per token, and 5 % on top.
    assert endpoint["pricing"]["prompt"] == "0.0000000525"


class TestErrors:
    """One exception class for each kind of mistake, as the SDK's users catch them."""

    def ask(self, client, **changes):
        request = {"model": "scripted", "messages": asked("[[tokens=1]]"), **changes}
        return client.chat.completions.create(**request)

    def test_a_wrong_key(self, client):
        with pytest.raises(openai.AuthenticationError) as caught:
            self.ask(client.copy(api_key="sk-pw-wrong"))
        assert caught.value.code == "invalid_api_key"

    def test_an_unknown_model(self, client):
        with pytest.raises(openai.NotFoundError) as caught:
            self.ask(client, model="none")
        assert (caught.value.code, caught.value.param) == ("model_not_found", "model")

    def test_a_bad_field(self, client):
        with pytest.raises(openai.BadRequestError) as caught:
            self.ask(client, temperature=3)
        assert (caught.value.type, caught.value.param) == ("invalid_request_error", "temperature")

    def test_a_model_that_the_key_may_not_use(self, account):
        limited = account.gateway.key(account.id, "--model", REAL_MODEL)
        with pytest.raises(openai.PermissionDeniedError) as caught:
            self.ask(limited.client)
        assert caught.value.code == "model_not_allowed"

    def test_too_many_requests(self, account):
        limited = account.gateway.key(account.id, "--rpm", "1").client
        self.ask(limited)
        with pytest.raises(openai.RateLimitError) as caught:
            self.ask(limited)
        assert caught.value.code == "rate_limit_exceeded"
        assert 1 <= int(caught.value.response.headers["retry-after"]) <= 60

    def test_no_credit(self, market):
        poor = market.gateway.account("0.000000001").client
        with pytest.raises(openai.APIStatusError) as caught:
            self.ask(poor)
        assert (caught.value.status_code, caught.value.code) == (402, "insufficient_credit")

    def test_a_stream_that_breaks(self, client, breaks_nodes):
        with pytest.raises(openai.APIError, match="."):
            list(self.ask(client, messages=asked("[[tokens=9]] [[die_after=2]]"), stream=True))

    def test_an_answer_that_takes_too_long(self, client):
        with pytest.raises(openai.APITimeoutError):
            self.ask(client.copy(timeout=0.5), messages=asked("[[delay_first=20s]]"))
