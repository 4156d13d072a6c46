"""Vercel's AI SDK, which apps in TypeScript use: through chat completions and through responses."""

import pytest

from harness import EMBEDDER, REAL_MODEL
from harness.asking import call, say

EVERY_WAY = pytest.mark.parametrize("through", ["compatible", "chat", "responses"])


@pytest.fixture(scope="module")
def account(market):
    return market.gateway.account("5")


@EVERY_WAY
def test_text_whole_and_in_pieces(account, scripts, through):
    seen = scripts.run("ai_text", account, through=through, model="scripted", prompt=say("One two three."))
    for told in (seen["whole"], seen["streamed"]):
        assert (told["text"], told["finish"]) == ("One two three.", "stop")
        assert told["usage"]["inputTokens"] > 0 and told["usage"]["outputTokens"] >= 3
    assert seen["streamed"]["pieces"] > 1


def test_text_of_the_real_model_and_vectors(account, scripts):
    prompt = "What is the capital of France? Answer in one sentence."
    seen = scripts.run("ai_text", account, through="compatible", model=REAL_MODEL, prompt=prompt, embedder=EMBEDDER)
    assert "Paris" in seen["whole"]["text"] and "Paris" in seen["streamed"]["text"]
    assert seen["vectors"]["lengths"] == [8, 8]
    assert seen["vectors"]["usage"]["tokens"] == 3


def test_thoughts_come_apart_from_the_answer(account, scripts):
    prompt = "[[think=3]]" + say("Yes.")
    seen = scripts.run("ai_text", account, through="compatible", model="scripted", prompt=prompt)
    assert seen["whole"]["text"] == "Yes."
    assert len(seen["whole"]["reasoning"].split()) == 3


@EVERY_WAY
@pytest.mark.parametrize("stream", [False, True])
def test_a_tool_is_called_and_its_result_answered(account, scripts, through, stream):
    seen = scripts.run(
        "ai_tools", account, through=through, model="scripted", stream=stream,
        prompt=call("weather", city="Oslo"), result=f"cold {say('Put on a coat.')}",
    )
    assert seen == {"called": ["Oslo"], "text": "Put on a coat.", "finishes": ["tool-calls", "stop"]}


@EVERY_WAY
def test_an_object_of_a_given_shape(account, scripts, through):
    """From the real model, which a grammar holds to the schema."""
    seen = scripts.run("ai_object", account, through=through, model=REAL_MODEL, prompt="The capital of France, as JSON.")
    for told in (seen["object"], seen["output"]):
        assert told["city"] in ("Paris", "Rome") and isinstance(told["is_capital"], bool)
    assert seen["finishReason"] == "stop"
