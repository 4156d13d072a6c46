"""Responses, OpenAI's newer API, through its SDK: the gateway keeps what was said, and goes on from it."""

from typing import Literal

import httpx
import openai
import pytest
from pydantic import BaseModel

from harness import REAL_MODEL, SCRIPTED_ASK, wait_until
from harness.asking import call, say
from harness.prices import cost_in_nanos, nanos

SLOW = "[[tokens=400]] [[every=10ms]]"
WEATHER = {
    "type": "function", "name": "weather", "strict": True,
    "parameters": {
        "type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": False,
    },
}


class City(BaseModel):
    name: Literal["Paris", "Rome"]


@pytest.fixture(scope="module")
def account(market):
    return market.gateway.account("20")


@pytest.fixture(scope="module")
def client(account):
    return account.client


def create(client, prompt, **changes):
    return client.responses.create(**{"model": "scripted", "input": prompt, **changes})


def test_a_response_has_text_usage_and_its_exact_cost(client, market):
    answer = create(client, say("Good morning."), instructions="Be polite.")
    assert (answer.object, answer.status, answer.output_text) == ("response", "completed", "Good morning.")
    assert answer.id.startswith("resp_")
    assert [(item.type, item.role, item.status) for item in answer.output] == [("message", "assistant", "completed")]
    assert answer.instructions == "Be polite."
    usage = answer.usage
    assert usage.total_tokens == usage.input_tokens + usage.output_tokens
    assert usage.input_tokens_details.cached_tokens == 0
    assert nanos(usage.cost) == cost_in_nanos(usage.input_tokens, usage.output_tokens, *SCRIPTED_ASK)
    assert answer.provider == market.scripted.peer_id


def test_the_real_model_answers(client):
    question = "What is the capital of France? Answer in one sentence."
    answer = create(client, question, model=REAL_MODEL, max_output_tokens=16, temperature=0)
    assert "Paris" in answer.output_text


def test_events_come_in_order_and_say_the_same_as_the_whole(client):
    events = list(create(client, say("One two three."), stream=True))
    assert [event.sequence_number for event in events] == list(range(len(events)))
    kinds = [event.type for event in events]
    assert kinds[:4] == [
        "response.created", "response.in_progress", "response.output_item.added", "response.content_part.added",
    ]
    assert kinds[-4:] == [
        "response.output_text.done", "response.content_part.done", "response.output_item.done", "response.completed",
    ]
    assert set(kinds[4:-4]) == {"response.output_text.delta"}
    assert "".join(event.delta for event in events[4:-4]) == "One two three." == events[-4].text
    final = events[-1].response
    assert final.output_text == "One two three."
    assert final.usage.output_tokens == create(client, say("One two three.")).usage.output_tokens
    assert {event.item_id for event in events[3:-2]} == {final.output[0].id}


def test_the_stream_helper_comes_to_the_final_response(client):
    with client.responses.stream(model="scripted", input=say("One two.")) as stream:
        text = "".join(event.delta for event in stream if event.type == "response.output_text.delta")
        assert stream.get_final_response().output_text == text == "One two."


def test_a_conversation_goes_on_from_a_response(client):
    first = create(client, f"I am Ada, remember that. {say('Hello Ada.')}")
    second = create(client, say("Yes."), previous_response_id=first.id)
    alone = create(client, say("Yes."))
    assert second.previous_response_id == first.id
    # All that was said before is in the prompt, and paid.
    assert second.usage.input_tokens >= first.usage.input_tokens + alone.usage.input_tokens
    third = create(client, say("No."), previous_response_id=second.id)
    assert third.usage.input_tokens > second.usage.input_tokens


def test_a_conversation_goes_on_from_nothing_that_is_not_there(client):
    with pytest.raises(openai.NotFoundError) as caught:
        create(client, "x", previous_response_id="resp_none")
    assert caught.value.param == "previous_response_id"


def test_a_response_is_kept_until_it_is_deleted(client):
    made = create(client, say("Kept."), metadata={"room": "blue"})
    kept = client.responses.retrieve(made.id)
    assert kept == made
    assert kept.metadata == {"room": "blue"}
    [item] = client.responses.input_items.list(made.id)
    assert (item.role, item.content[0].type, item.content[0].text) == ("user", "input_text", say("Kept."))
    client.responses.delete(made.id)
    for gone in (client.responses.retrieve, client.responses.input_items.list, client.responses.delete):
        with pytest.raises(openai.NotFoundError):
            gone(made.id)


def test_a_streamed_response_is_kept_too(client):
    *_, last = create(client, say("Kept."), stream=True)
    assert client.responses.retrieve(last.response.id).output_text == "Kept."


def test_nothing_is_kept_where_the_caller_says_so(client):
    made = create(client, say("Forget it."), store=False)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(made.id)


def test_what_an_account_said_is_hidden_from_others(client, market):
    made = create(client, say("A secret."))
    stranger = market.gateway.account("1").client
    with pytest.raises(openai.NotFoundError):
        stranger.responses.retrieve(made.id)
    with pytest.raises(openai.NotFoundError):
        stranger.responses.delete(made.id)
    with pytest.raises(openai.NotFoundError):
        create(stranger, "What was it?", previous_response_id=made.id)
    assert client.responses.retrieve(made.id).output_text == "A secret."


@pytest.mark.parametrize("is_stream", [False, True])
def test_a_tool_is_called_and_its_result_answered(client, is_stream):
    prompt = call("weather", city="Oslo") + call("weather", city="Rome")
    if is_stream:
        events = list(create(client, prompt, tools=[WEATHER], stream=True))
        kinds = [event.type for event in events]
        assert kinds.count("response.function_call_arguments.done") == 2
        assert "response.function_call_arguments.delta" in kinds
        first = events[-1].response
    else:
        first = create(client, prompt, tools=[WEATHER])
    assert [(item.type, item.name, item.arguments) for item in first.output] == [
        ("function_call", "weather", '{"city":"Oslo"}'), ("function_call", "weather", '{"city":"Rome"}'),
    ]
    results = [
        {"type": "function_call_output", "call_id": item.call_id, "output": f"cold {say('Put on a coat.')}"}
        for item in first.output
    ]
    second = create(client, results, previous_response_id=first.id, tools=[WEATHER])
    assert second.output_text == "Put on a coat."
    # The same without the gateway's memory: the caller sends everything.
    everything = [{"role": "user", "content": prompt}, *[item.to_dict() for item in first.output], *results]
    assert create(client, everything, tools=[WEATHER], store=False).output_text == "Put on a coat."


def test_parse_gives_an_object_of_the_callers_class(client):
    answer = client.responses.parse(
        model=REAL_MODEL, input="The capital of France, as JSON.", text_format=City, max_output_tokens=40, temperature=0,
    )
    assert isinstance(answer.output_parsed, City)


def test_thoughts_are_an_item_of_their_own(client):
    answer = create(client, "[[think=3]]" + say("Yes."), reasoning={"effort": "low"})
    assert [item.type for item in answer.output] == ["reasoning", "message"]
    assert answer.output_text == "Yes."


def test_an_answer_that_was_cut_says_so(client):
    answer = create(client, "[[tokens=40]]", max_output_tokens=16)
    assert (answer.status, answer.incomplete_details.reason) == ("incomplete", "max_output_tokens")
    *_, last = create(client, "[[tokens=40]]", max_output_tokens=16, stream=True)
    assert last.type == "response.incomplete"


def test_a_stream_that_breaks_says_so(client, breaks_nodes):
    """With the SDK's last event or its exception, and never as if it were whole."""
    kinds = []
    try:
        kinds.extend(event.type for event in create(client, "[[tokens=9]] [[die_after=2]]", stream=True))
    except openai.APIError:
        kinds.append("error")
    assert kinds[-1] in ("response.failed", "error")
    assert "response.completed" not in kinds


def test_a_background_response_goes_on_by_itself(client):
    begun = create(client, "[[tokens=20]] [[every=10ms]]", background=True)
    assert begun.status in ("queued", "in_progress")
    assert begun.background is True
    done = wait_until("it is completed", lambda: completed(client, begun.id))
    assert len(done.output_text.split()) == 20
    assert done.usage.output_tokens == 20


def completed(client, response):
    found = client.responses.retrieve(response)
    return found if found.status == "completed" else None


def test_the_events_of_a_background_response_can_be_read_from_any_on(client):
    begun = create(client, "[[tokens=20]] [[every=10ms]]", background=True, stream=True)
    first = [next(begun) for _ in range(5)]
    # As where a connection breaks: the rest is read over another one.
    begun.close()
    rest = list(client.responses.retrieve(first[0].response.id, stream=True, starting_after=first[-1].sequence_number))
    events = first + rest
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert events[-1].type == "response.completed"
    text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    assert text == events[-1].response.output_text
    assert len(text.split()) == 20


def test_a_background_response_can_be_cancelled(client, market):
    before = market.scripted.at_rest()
    begun = create(client, SLOW, background=True)
    wait_until("the engine works", lambda: market.scripted.counters()["running"] == 1)
    assert client.responses.cancel(begun.id).status == "cancelled"
    wait_until("the engine stops", lambda: market.scripted.counters()["cancelled"] == before["cancelled"] + 1)
    assert client.responses.retrieve(begun.id).status == "cancelled"
    # Again changes nothing.
    assert client.responses.cancel(begun.id).status == "cancelled"


def test_only_what_runs_in_the_background_can_be_cancelled(client):
    with pytest.raises(openai.BadRequestError):
        client.responses.cancel(create(client, say("Done.")).id)
    with pytest.raises(openai.NotFoundError):
        client.responses.cancel("resp_none")


def test_a_background_response_must_be_kept(client):
    with pytest.raises(openai.BadRequestError):
        create(client, "x", background=True, store=False)


def test_a_background_response_that_fails_says_why_and_is_free(market):
    account = market.gateway.account("1")
    begun = create(account.client, "[[refuse=bad_request]]", background=True)
    failed = wait_until("it has failed", lambda: failure(account.client, begun.id))
    assert failed.message
    assert account.balance()["posted"] == 10**9


def failure(client, response):
    found = client.responses.retrieve(response)
    return found.error if found.status == "failed" else None


@pytest.mark.parametrize(("changes", "param"), [
    ({"input": 7}, "input"),
    ({"input": [{"role": "nobody", "content": "x"}]}, "input"),
    ({"max_output_tokens": 0}, "max_output_tokens"),
    ({"tools": [{"type": "web_search"}]}, "tools"),
    ({"temperature": 3}, "temperature"),
    ({"conversation": "conv_1"}, "conversation"),
])
def test_what_cannot_be_done_is_refused_by_name(client, changes, param):
    with pytest.raises(openai.BadRequestError) as caught:
        create(client, "x", **changes)
    assert caught.value.param.startswith(param)


def test_the_sum_of_the_costs_is_what_is_gone(market):
    account = market.gateway.account("1")
    costs = [create(account.client, f"[[tokens={tokens}]]").usage.cost for tokens in (1, 5)]
    *_, last = create(account.client, "[[tokens=7]]", stream=True)
    costs.append(last.response.usage.cost)
    begun = create(account.client, "[[tokens=9]]", background=True)
    costs.append(wait_until("it is completed", lambda: completed(account.client, begun.id)).usage.cost)
    account.wait_until_spent(10**9, sum(map(nanos, costs)))


def test_a_caller_who_leaves_a_stream_is_not_left_with_a_running_response(client, market, account):
    before = market.scripted.at_rest()
    body = {"model": "scripted", "input": SLOW, "stream": True}
    url = f"{market.gateway.url}/v1/responses"
    with httpx.stream("POST", url, headers=account.headers, json=body, timeout=60) as response:
        # Kept: a generator that is thrown away closes the response.
        lines = response.iter_lines()
        assert next(lines) == "event: response.created"
        wait_until("the engine works", lambda: market.scripted.counters()["running"] == 1)
    wait_until("the engine stops", lambda: market.scripted.counters()["cancelled"] == before["cancelled"] + 1)
