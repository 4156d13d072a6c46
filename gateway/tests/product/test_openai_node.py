"""OpenAI's SDK for Node, whose helpers read streams more strictly than Python's."""

from array import array

import pytest

from harness import EMBEDDER, REAL_MODEL
from harness.asking import call, say

QUESTION = "What is the capital of France? Answer in one sentence."


@pytest.fixture(scope="module")
def account(market):
    return market.gateway.account("5")


def test_chat_whole_in_pieces_and_through_the_helper(account, scripts, official):
    seen = scripts.run("openai_chat", account, model=REAL_MODEL, prompt=QUESTION)
    official("CreateChatCompletionResponse", seen["whole"])
    text = seen["whole"]["choices"][0]["message"]["content"]
    assert "Paris" in text
    assert seen["whole"]["id"] == f"chatcmpl-{seen['requestId']}"
    assert seen["streamed"]["text"] == seen["helper"]["text"] == text
    assert seen["streamed"]["last"]["choices"] == []
    assert seen["helper"]["final"]["choices"][0]["message"]["content"] == text
    tokens = [usage["completion_tokens"] for usage in (
        seen["whole"]["usage"], seen["streamed"]["last"]["usage"], seen["helper"]["final"]["usage"],
    )]
    assert len(set(tokens)) == 1
    assert seen["refused"] == [
        {"name": "AuthenticationError", "status": 401, "code": "invalid_api_key", "param": None},
        {"name": "NotFoundError", "status": 404, "code": "model_not_found", "param": "model"},
        {"name": "BadRequestError", "status": 400, "code": None, "param": "temperature"},
    ]


@pytest.mark.parametrize("stream", [False, True])
def test_the_tools_runner_calls_and_comes_to_an_end(account, scripts, stream):
    prompt = call("weather", city="Oslo") + call("weather", city="Rome")
    seen = scripts.run(
        "openai_tools", account, model="scripted", prompt=prompt, result=f"cold {say('Put on a coat.')}", stream=stream,
    )
    assert seen == {
        "called": ["Oslo", "Rome"],
        "content": "Put on a coat.",
        "roles": ["user", "assistant", "tool", "tool", "assistant"],
    }


def test_responses_whole_in_events_and_one_after_the_other(account, scripts):
    seen = scripts.run("openai_responses", account, model="scripted", prompt=say("One two."), next=say("Three."))
    assert seen["whole"]["output_text"] == seen["text"] == seen["final"]["output_text"] == "One two."
    assert [event["place"] for event in seen["events"]] == list(range(len(seen["events"])))
    assert seen["events"][0]["type"] == "response.created"
    assert seen["events"][-1]["type"] == "response.completed"
    assert seen["next"]["output_text"] == "Three."
    assert seen["next"]["previous_response_id"] == seen["whole"]["id"]
    assert say("Three.") in str(seen["items"])


def test_embeddings_by_default_and_as_numbers(account, scripts):
    seen = scripts.run("openai_embeddings", account, model=EMBEDDER, input=["a cold day", "two"])
    by_default, as_floats = ([array("f", vector) for vector in seen[way]] for way in ("byDefault", "asFloats"))
    assert by_default == as_floats
    assert [len(vector) for vector in by_default] == [8, 8]
    assert seen["usage"]["prompt_tokens"] == 4
