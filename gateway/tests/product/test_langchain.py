"""LangChain's classes for OpenAI, pointed at the gateway."""

import pytest
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from pydantic import BaseModel

from harness import EMBEDDER, REAL_MODEL
from harness.asking import call, say

QUESTION = "What is the capital of France? Answer in one sentence."


class Answer(BaseModel):
    """Whether it is so."""

    yes: bool


@tool
def weather(city: str) -> str:
    """The weather in a city."""
    return f"It is cold in {city}. {say('Put on a coat.')}"


@pytest.fixture(scope="module")
def chat(market):
    account = market.gateway.account("5")

    def chat(model, **settings):
        return ChatOpenAI(
            model=model, base_url=f"{account.gateway.url}/v1", api_key=account.key, max_retries=0, timeout=60, **settings,
        )

    return chat


def test_a_message_whole(chat):
    answer = chat(REAL_MODEL, max_tokens=12, temperature=0).invoke(QUESTION)
    assert "Paris" in answer.content
    assert answer.usage_metadata["output_tokens"] <= 12
    assert answer.response_metadata["finish_reason"] in ("stop", "length")


def test_a_stream_with_usage(chat):
    chunks = list(chat("scripted", stream_usage=True).stream(say("One two three.")))
    assert "".join(chunk.content for chunk in chunks) == "One two three."
    [usage] = [chunk.usage_metadata for chunk in chunks if chunk.usage_metadata]
    assert usage["output_tokens"] >= 3 and usage["total_tokens"] > usage["output_tokens"]


@pytest.mark.parametrize("is_stream", [False, True])
def test_a_bound_tool_is_called_and_its_result_answered(chat, is_stream):
    bound = chat("scripted").bind_tools([weather])

    def ask(messages):
        if not is_stream:
            return bound.invoke(messages)
        first, *rest = bound.stream(messages)
        return sum(rest, start=first)

    question = HumanMessage(call("weather", city="Oslo"))
    first = ask([question])
    [made] = first.tool_calls
    assert (made["name"], made["args"]) == ("weather", {"city": "Oslo"})
    result = weather.invoke(made)
    assert isinstance(result, ToolMessage)
    assert ask([question, first, result]).content == "Put on a coat."


@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
def test_an_object_of_the_callers_class(chat, method):
    """From the real model, which is held to the schema: as the text of the answer, or as a tool's arguments."""
    structured = chat(REAL_MODEL, max_tokens=48, temperature=0).with_structured_output(Answer, method=method)
    assert isinstance(structured.invoke("Is Paris the capital of France?"), Answer)


def test_responses(chat):
    answer = chat("scripted", use_responses_api=True).invoke(say("One two."))
    assert answer.text == "One two."
    assert answer.usage_metadata["output_tokens"] >= 2


def test_embeddings(market):
    account = market.gateway.account("5")
    embeddings = OpenAIEmbeddings(
        model=EMBEDDER, base_url=f"{account.gateway.url}/v1", api_key=account.key, max_retries=0,
        # It would fetch OpenAI's own tokenizer to cut long texts with.
        check_embedding_ctx_length=False,
    )
    vectors = embeddings.embed_documents(["a cold day", "two"])
    assert [len(vector) for vector in vectors] == [8, 8]
    assert embeddings.embed_query("two") == vectors[1]
