"""A node that dies or hangs in mid-answer: another goes on from the last token, the answer is whole, and there is one bill."""

import itertools
import json
import signal

import httpx
import pytest

from harness import wait_until
from harness.asking import body, events, post, stream

CHEAP, DEAR = "500", "800"
WORDS = 20
ASK = f"[[tokens={WORDS}]]"
GRANTED = 10 * 10**9


def node(world, name, gateway, price, script="", *flags):
    """A node; the cheaper one is asked first. Its operator has its name."""
    asks = ("--price-input", "10", "--price-output", price, "--operator", name, "--slots", "8")
    return world.scripted(name, gateway, *asks, *(("--script", script) if script else ()), *flags)


def pieces(account, directives=ASK, **changes):
    with stream(account, directives, **changes) as response:
        assert response.status_code == 200
        return list(events(response))


def text_of(told):
    return "".join(choice["delta"].get("content") or "" for piece in told for choice in piece["choices"])


@pytest.fixture
def whole(own_world):
    """What a node that does not fail says."""
    gateway = own_world.gateway()
    node(own_world, "reference", gateway, CHEAP)
    told = text_of(pieces(gateway.account("10")))
    assert len(told.split()) == WORDS
    return told


def the_charge(gateway, account):
    """The only charge, with its transfer."""
    wait_until("the charge is in the ledger", lambda: gateway.charges(account))
    [found] = [line for line in gateway.exported() if line["charge"] and line["charge"]["account"] == account.id]
    return found


def assert_two_parts(gateway, account, first, whole_words=WORDS, names=("dies", "sound")):
    """One bill of two parts: the first node is paid its words alone, the second the prompt as well."""
    transfer = the_charge(gateway, account)
    charge, parts = transfer["charge"], transfer["parts"]
    assert [part["operator"] for part in parts] == list(names)
    assert [part["completion"] for part in parts] == [first, whole_words - first]
    assert (parts[0]["prompt"], parts[1]["prompt"]) == (0, charge["prompt"])
    assert charge["prompt"] > 0 and charge["completion"] == whole_words
    # Thousands of nano-USD a token at so many USD per million.
    rest = charge["prompt"] * 10 + (whole_words - first) * int(DEAR)
    earned = [first * int(CHEAP) * 1000, rest * 1000]
    assert [part["earned"] for part in parts] == earned
    assert charge["total"] == charge["earned"] + charge["fee"] and charge["earned"] == sum(earned)
    wait_until("it is paid", lambda: account.balance()["posted"] == GRANTED - charge["total"])
    gateway.assert_sound()
    return charge


@pytest.mark.parametrize("after", [1, 2, 7, 19, 20])
def test_a_stream_goes_on_wherever_its_node_fails(own_world, whole, after):
    gateway = own_world.gateway()
    script = f"[[die_after={after}]]" if after < WORDS else "[[error_finish]]"
    node(own_world, "dies", gateway, CHEAP, script)
    node(own_world, "sound", gateway, DEAR)
    account = gateway.account("10")
    told = pieces(account)
    assert text_of(told) == whole
    assert len({piece["id"] for piece in told}) == 1
    choices = [choice for piece in told for choice in piece["choices"]]
    assert sum("role" in choice["delta"] for choice in choices) == 1
    assert [choice["finish_reason"] for choice in choices if choice["finish_reason"]] == ["stop"]
    assert not any("token_ids" in choice for choice in choices)
    assert told[-1]["usage"]["completion_tokens"] == WORDS
    if after < WORDS:
        charge = assert_two_parts(gateway, account, after)
        assert charge["outcome"] == "finished"
    else:
        # The second said nothing more than that it is over: the first delivered all, and earns all.
        transfer = the_charge(gateway, account)
        assert transfer["charge"]["operator"] == "dies" and "parts" not in transfer


def test_a_node_killed_in_mid_stream(own_world, whole):
    gateway = own_world.gateway()
    victim = node(own_world, "dies", gateway, CHEAP, "[[every=100ms]]")
    node(own_world, "sound", gateway, DEAR)
    account = gateway.account("10")
    with stream(account, ASK) as response:
        coming = events(response)
        told = list(itertools.islice(coming, 5))
        victim.service.kill()
        told += coming
    assert text_of(told) == whole
    transfer = the_charge(gateway, account)
    assert [part["operator"] for part in transfer["parts"]] == ["dies", "sound"]
    assert_two_parts(gateway, account, transfer["parts"][0]["completion"])
    generation = account.request("GET", f"/v1/generation?id={told[0]['id'].removeprefix('chatcmpl-')}").json()["data"]
    assert [part["tokens_completion"] for part in generation["parts"]] == [
        part["completion"] for part in transfer["parts"]
    ]


def test_a_node_that_stands_still_in_mid_stream(own_world, whole):
    """Its system still takes what is sent to it, so nothing breaks; it says nothing any more, and comes back later."""
    gateway = own_world.gateway()
    victim = node(own_world, "dies", gateway, CHEAP, "[[every=100ms]]")
    node(own_world, "sound", gateway, DEAR)
    account = gateway.account("10")
    try:
        with stream(account, ASK) as response:
            coming = events(response)
            told = list(itertools.islice(coming, 5))
            victim.service.process.send_signal(signal.SIGSTOP)
            told += coming
        assert text_of(told) == whole
        assert not victim.is_listed()
    finally:
        victim.service.process.send_signal(signal.SIGCONT)
    wait_until("it is back", victim.is_listed, 20)
    transfer = the_charge(gateway, account)
    assert_two_parts(gateway, account, transfer["parts"][0]["completion"])


def test_what_goes_on_elsewhere_costs_no_more_than_was_set_aside(own_world, whole):
    """The credit is for fewer words than there are: they end where it ends, whoever writes them."""
    gateway = own_world.gateway()
    node(own_world, "dies", gateway, CHEAP, "[[die_after=7]]")
    node(own_world, "sound", gateway, DEAR)
    account = gateway.account("0.012")
    told = pieces(account)
    words = text_of(told).split()
    assert 7 < len(words) < WORDS and whole.split()[:len(words)] == words
    assert [choice["finish_reason"] for piece in told for choice in piece["choices"] if choice["finish_reason"]] == ["length"]
    transfer = the_charge(gateway, account)
    assert [part["operator"] for part in transfer["parts"]] == ["dies", "sound"]
    assert 0 <= account.balance()["posted"] == 12 * 10**6 - transfer["charge"]["total"]
    gateway.assert_sound()


def test_a_whole_answer_is_gone_on_with(own_world, whole):
    gateway = own_world.gateway()
    node(own_world, "dies", gateway, CHEAP, "[[die_after=7]]")
    sound = node(own_world, "sound", gateway, DEAR)
    account = gateway.account("10")
    answer = post(account, ASK).json()
    assert answer["choices"][0]["message"]["content"] == whole
    assert sound.counters()["words"] == WORDS - 7, "what the first had said is not said again"
    assert_two_parts(gateway, account, 7)


def test_the_other_apis_do_not_notice(own_world):
    gateway = own_world.gateway()
    node(own_world, "dies", gateway, CHEAP, "[[die_after=3]]")
    node(own_world, "sound", gateway, DEAR)
    account = gateway.account("10")
    said = "one two three four five"
    asked = f"[[say={said}]]"
    message = account.request("POST", "/v1/messages", {
        "model": "scripted", "max_tokens": 50, "messages": [{"role": "user", "content": asked}],
    })
    assert message.json()["content"] == [{"type": "text", "text": said}], message.text
    wait_until("the node is asked again", lambda: len(gateway.healthy_nodes()) == 2)
    response = account.client.responses.create(model="scripted", input=asked)
    assert (response.status, response.output_text) == ("completed", said)
    wait_until("the node is asked again", lambda: len(gateway.healthy_nodes()) == 2)
    completed = account.client.completions.create(model="scripted", prompt=asked, max_tokens=50)
    assert completed.choices[0].text == said
    wait_until("three bills", lambda: len(gateway.charges(account)) == 3)
    assert all(len(line.get("parts", [])) == 2 for line in gateway.exported() if line["charge"])
    gateway.assert_sound()


def test_a_node_that_hangs_is_left(own_world, whole):
    gateway = own_world.gateway()
    node(own_world, "dies", gateway, CHEAP, "[[hang_after=12]]")
    node(own_world, "sound", gateway, DEAR)
    account = gateway.account("10")
    # Far sooner than after the thirty seconds that any node may take.
    with httpx.stream("POST", f"{gateway.url}/v1/chat/completions", headers=account.headers, timeout=20,
                      json=body(ASK, stream=True)) as response:
        assert text_of(list(events(response))) == whole
    assert_two_parts(gateway, account, 12)


def test_a_node_that_is_told_to_stop_finishes_what_it_began(own_world, whole):
    gateway = own_world.gateway()
    leaving = node(own_world, "leaving", gateway, CHEAP, "[[every=100ms]]")
    other = node(own_world, "other", gateway, DEAR)
    account = gateway.account("10")
    with stream(account, ASK) as response:
        coming = events(response)
        told = list(itertools.islice(coming, 5))
        leaving.service.terminate()
        # New requests do not wait until it is gone.
        wait_until("no request goes there", lambda: not leaving.is_listed())
        assert post(account, ASK).headers["x-peerway-node"] == other.peer_id
        told += coming
    assert text_of(told) == whole
    assert {piece["provider"] for piece in told if piece.get("provider")} == {leaving.peer_id}
    assert leaving.service.wait() == 0
    wait_until("both are charged", lambda: len(gateway.charges(account)) == 2)
    charged = [line for line in gateway.exported() if line["charge"]]
    assert {line["charge"]["operator"] for line in charged} == {"leaving", "other"}
    assert not any("parts" in line for line in charged)
    gateway.assert_sound()


HEDGED = {"x_peerway_hedge": "true"}


def slow_and_quick(world):
    """A gateway with a cheap node that is slow to begin, and a dear one that is not."""
    gateway = world.gateway()
    slow = node(world, "slow", gateway, CHEAP, "[[delay_first=3s]]")
    return gateway, slow, node(world, "quick", gateway, DEAR)


def test_a_late_node_loses_to_a_quick_one_where_the_caller_asks(own_world, whole):
    gateway, slow, quick = slow_and_quick(own_world)
    account = gateway.account("10")
    answer = account.request("POST", "/v1/chat/completions", body(ASK), **HEDGED)
    assert answer.json()["choices"][0]["message"]["content"] == whole
    assert (answer.headers["x-peerway-node"], answer.headers["x-peerway-attempts"]) == (quick.peer_id, "2")
    counters = slow.at_rest()
    assert (counters["words"], counters["cancelled"], counters["failed"]) == (0, 1, 0)
    assert 'peerway_hedges_total{result="won"} 1' in httpx.get(f"{gateway.url}/metrics").text
    transfer = the_charge(gateway, account)
    assert transfer["charge"]["operator"] == "quick" and "parts" not in transfer
    wait_until("nothing is held", lambda: account.balance()["posted"] == GRANTED - transfer["charge"]["total"])
    # To be slow is no failure: it is asked again, and serves who does not mind.
    assert slow.is_listed()
    assert post(account, ASK).headers["x-peerway-node"] == slow.peer_id
    assert quick.counters()["served"] == 1
    gateway.assert_sound()


@pytest.mark.parametrize(("path", "asked"), [
    ("/v1/chat/completions", body(ASK, stream=True)),
    ("/v1/completions", {"model": "scripted", "prompt": ASK, "max_tokens": 50}),
    ("/v1/responses", {"model": "scripted", "input": ASK}),
    ("/v1/messages", {"model": "scripted", "max_tokens": 50, "messages": [{"role": "user", "content": ASK}]}),
])
def test_every_api_can_be_hedged(own_world, path, asked):
    gateway, slow, quick = slow_and_quick(own_world)
    account = gateway.account("10")
    refused = account.request("POST", path, asked, x_peerway_hedge="perhaps")
    assert refused.status_code == 400 and "x-peerway-hedge" in refused.json()["error"]["message"]
    answer = account.request("POST", path, asked, **HEDGED)
    assert (answer.status_code, answer.headers["x-peerway-node"]) == (200, quick.peer_id), answer.text
    assert slow.at_rest()["words"] == 0
    assert the_charge(gateway, account)["charge"]["operator"] == "quick"


def test_only_a_node_with_the_same_weights_goes_on(own_world):
    gateway = own_world.gateway()
    node(own_world, "dies", gateway, CHEAP, "[[die_after=7]]")
    other = node(own_world, "other", gateway, DEAR, "", "--quantization", "Q4_0")
    account = gateway.account("10")
    told = pieces(account)
    assert told[-1]["error"]["code"] == "stream_broken"
    assert len(text_of(told[:-1]).split()) == 7
    assert other.counters()["words"] == 0
    charge = wait_until("the charge", lambda: gateway.charges(account))[0]
    assert (charge["outcome"], charge["completion"]) == ("node_failed", 7)
    gateway.assert_sound()


@pytest.mark.parametrize("asked", [
    ({"n": 2}, ASK),
    ({"tools": [{"type": "function", "function": {"name": "f"}}]}, '[[tool=f:{"a":"a long argument of many letters"}]]'),
])
def test_what_cannot_be_gone_on_with_exactly_ends_with_an_error(own_world, asked):
    changes, directives = asked
    gateway = own_world.gateway()
    node(own_world, "dies", gateway, CHEAP, "[[die_after=3]]")
    node(own_world, "sound", gateway, DEAR)
    account = gateway.account("10")
    told = pieces(account, directives, **changes)
    assert told[-1]["error"]["code"] == "stream_broken"
    gateway.assert_sound()


def test_callers_have_no_part_in_it(own_world):
    gateway = own_world.gateway()
    sound = node(own_world, "sound", gateway, CHEAP)
    account = gateway.account("10")
    refused = post(account, ASK, peerway={"resume": {"text": " the", "token_ids": [0]}})
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "peerway")
    assert sound.counters()["words"] == 0
    assert json.dumps(post(account, ASK).json()).count("token_ids") == 0
