"""OpenAI's SDK for Python: text that goes on from a prompt, and vectors of texts."""

import math
from array import array

import openai
import pytest

from harness import EMBEDDER, EMBEDDER_PRICE, REAL_ASK, REAL_MODEL
from harness.prices import cost_in_nanos, nanos

PROMPT = "The capital of France is"
# The same in the tokens of the demo model, read from its vocabulary.
TOKENS = [504, 3575, 282, 4649, 314]


@pytest.fixture(scope="module")
def client(market):
    return market.gateway.account("5").client


def complete(client, **changes):
    request = {"model": REAL_MODEL, "prompt": PROMPT, "max_tokens": 4, "temperature": 0, **changes}
    return client.completions.create(**request)


def test_a_prompt_goes_on(client):
    answer = complete(client)
    assert answer.object == "text_completion"
    assert answer.choices[0].text.startswith(" Paris")
    assert answer.choices[0].finish_reason == "length"
    # As it stands, without the words of a template around it.
    assert answer.usage.prompt_tokens == len(TOKENS)
    # What the node made, or less where the same text has fewer tokens.
    assert 3 <= answer.usage.completion_tokens <= 4
    assert nanos(answer.usage.cost) == cost_in_nanos(5, answer.usage.completion_tokens, *REAL_ASK)


def test_a_prompt_of_tokens_is_the_same_prompt(client):
    assert complete(client, prompt=TOKENS).choices[0].text == complete(client).choices[0].text


def test_an_echo_begins_with_the_prompt(client):
    assert complete(client, echo=True).choices[0].text.startswith(f"{PROMPT} Paris")


def test_several_prompts_have_an_answer_each(client):
    answer = complete(client, prompt=[PROMPT, "One, two, three,"], max_tokens=3)
    assert [choice.index for choice in answer.choices] == [0, 1]
    assert answer.choices[0].text.startswith(" Paris")
    assert "four" in answer.choices[1].text


def test_a_stream_says_the_same(client):
    whole = complete(client)
    chunks = list(complete(client, stream=True, stream_options={"include_usage": True}))
    assert "".join(choice.text for chunk in chunks for choice in chunk.choices) == whole.choices[0].text
    assert chunks[-1].choices == []
    assert chunks[-1].usage.completion_tokens == whole.usage.completion_tokens


def test_probabilities_of_tokens_with_their_places(client):
    answer = complete(client, logprobs=2).choices[0]
    logprobs = answer.logprobs
    assert "".join(logprobs.tokens) == answer.text
    assert logprobs.text_offset == [len("".join(logprobs.tokens[:place])) for place in range(4)]
    assert all(logprob <= 0 for logprob in logprobs.token_logprobs)
    assert all(token in top for token, top in zip(logprobs.tokens, logprobs.top_logprobs, strict=True))


def test_a_stop_text_ends_the_answer(client):
    assert " Paris" not in complete(client, stop=" Paris").choices[0].text


@pytest.mark.parametrize(("changes", "param"), [
    ({"prompt": []}, "prompt"),
    ({"prompt": ["a", 7]}, "prompt[1]"),
    ({"prompt": [10**6]}, "prompt"),
    ({"max_tokens": 0}, "max_tokens"),
    ({"suffix": "."}, "suffix"),
    ({"best_of": 3}, "best_of"),
])
def test_what_cannot_be_done_is_refused_by_name(client, changes, param):
    with pytest.raises(openai.BadRequestError) as caught:
        complete(client, **changes)
    assert caught.value.param.startswith(param)


def test_no_prompt_makes_a_healthy_node_look_broken(client, market):
    """A token that no vocabulary has, behind one that is fine: the caller's mistake, not the node's."""
    with pytest.raises(openai.BadRequestError):
        complete(client, prompt=[TOKENS, [10**6]])
    assert market.real.is_listed()
    assert complete(client).choices


class TestEmbeddings:
    """Base64 is what the SDK asks for by itself."""

    def embed(self, client, **changes):
        return client.embeddings.create(**{"model": EMBEDDER, "input": ["a cold day", "two"], **changes})

    def test_both_formats_hold_the_same_numbers(self, client):
        by_default, as_floats = self.embed(client), self.embed(client, encoding_format="float")
        assert [item.index for item in by_default.data] == [0, 1]
        # As they are in base64; written out, the last digits of a longer number may be anything.
        exact = [array("f", item.embedding) for item in by_default.data]
        assert exact == [array("f", item.embedding) for item in as_floats.data]
        for item in by_default.data:
            assert math.isclose(sum(number**2 for number in item.embedding), 1, abs_tol=1e-5)

    def test_the_order_of_the_texts_is_kept(self, client):
        both = self.embed(client).data
        assert self.embed(client, input="two").data[0].embedding == both[1].embedding != both[0].embedding

    def test_fewer_dimensions(self, client):
        assert [len(item.embedding) for item in self.embed(client, dimensions=3).data] == [3, 3]

    def test_the_prompt_is_what_is_paid(self, client):
        usage = self.embed(client).usage
        assert usage.prompt_tokens == usage.total_tokens == 4
        assert nanos(usage.cost) == cost_in_nanos(4, 0, EMBEDDER_PRICE, "0")

    def test_tokens_instead_of_text(self, client):
        assert self.embed(client, input=[TOKENS, TOKENS[:2]]).usage.prompt_tokens == 7

    @pytest.mark.parametrize(("changes", "param"), [
        ({"input": []}, "input"), ({"input": ""}, "input"), ({"input": ["a", ""]}, "input"),
        ({"dimensions": 0}, "dimensions"),
    ])
    def test_nothing_to_embed(self, client, changes, param):
        with pytest.raises(openai.BadRequestError) as caught:
            self.embed(client, **changes)
        assert caught.value.param.startswith(param)

    @pytest.mark.parametrize("model", [REAL_MODEL, "scripted"])
    def test_a_model_that_makes_text_makes_no_vectors(self, client, model):
        with pytest.raises(openai.BadRequestError) as caught:
            self.embed(client, model=model)
        assert (caught.value.code, caught.value.param) == ("no_endpoint_matches", "model")

    def test_a_model_that_makes_vectors_makes_no_text(self, client):
        with pytest.raises(openai.BadRequestError):
            client.chat.completions.create(model=EMBEDDER, messages=[{"role": "user", "content": "Hello"}])
