"""Who serves: what callers may wish, what they are told of it, and what a market looks like from outside."""

import json

import pytest

from harness import wait_until
from harness.asking import body, post, say, stream
from harness.prices import nanos

DONE = say("Done.")
# USD per million tokens read and written.
CHEAP, FAIR, DEAR = ("1", "1"), ("10", "10"), ("50", "50")


class Stalls:
    """A gateway and three nodes that differ in everything a caller may wish about."""

    def __init__(self, world):
        self.gateway = world.gateway()
        self.gateway.sell("other", world.gguf)
        self.gateway.sell("nobodys", world.gguf)

        def node(name, asks, operator, region, *more, model="scripted"):
            flags = ("--price-input", asks[0], "--price-output", asks[1], "--operator", operator, "--region", region)
            return world.scripted(name, self.gateway, *flags, *more, model=model)

        self.cheap = node("cheap", CHEAP, "ann", "eu", "--slots", "4")
        self.fair = node("fair", FAIR, "bob", "us", "--slots", "4")
        self.dear = node("dear", DEAR, "cid", "eu", "--slots", "4")
        self.other = node("other", FAIR, "ann", "eu", model="other")


@pytest.fixture(scope="module")
def stalls(world):
    return Stalls(world)


@pytest.fixture(scope="module")
def account(stalls):
    return stalls.gateway.account("5")


def served_by(answer):
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-peerway-node"] == answer.json()["provider"]
    return answer.json()["provider"]


def wish(account, **provider):
    return post(account, DONE, provider=provider)


def refused(answer, code, param=None):
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (400, code), answer.text
    if param:
        assert error["param"] == param
    return error["message"]


def test_without_a_wish_the_cheapest_serves(stalls, account):
    assert served_by(post(account, DONE)) == stalls.cheap.peer_id


def test_names_are_of_nodes_operators_and_regions(stalls, account):
    assert served_by(wish(account, only=[stalls.dear.peer_id])) == stalls.dear.peer_id
    assert served_by(wish(account, only=["bob"])) == stalls.fair.peer_id
    assert served_by(wish(account, ignore=["ann", "US"])) == stalls.dear.peer_id
    assert served_by(wish(account, order=["cid", "bob"])) == stalls.dear.peer_id
    assert served_by(wish(account, order=["nobody"])) == stalls.cheap.peer_id


def test_a_wish_that_nobody_meets_is_refused_with_a_reason_for_each(stalls, account):
    message = refused(wish(account, only=["nobody"]), "no_endpoint_matches", "provider.only")
    assert all(node.peer_id in message for node in (stalls.cheap, stalls.fair, stalls.dear)), message
    refused(wish(account, order=["nobody"], allow_fallbacks=False), "no_endpoint_matches", "provider.order")
    refused(wish(account, quantizations=["no-such"]), "no_endpoint_matches", "provider.quantizations")
    refused(wish(account, data_collection="deny"), "no_endpoint_matches", "provider.data_collection")
    # The fee of 5 % is in what is paid.
    message = refused(wish(account, max_price={"prompt": "1.04"}), "no_endpoint_matches", "provider.max_price.prompt")
    assert "$1.05" in message
    assert served_by(wish(account, max_price={"prompt": 1.05, "completion": "1.05"})) == stalls.cheap.peer_id


def test_a_wish_that_is_not_known_is_refused_by_name(account):
    answer = wish(account, favourite="ann")
    error = answer.json()["error"]
    assert answer.status_code == 400 and "favourite" in error["message"] and error["param"].startswith("provider")


@pytest.mark.parametrize(("path", "request_body"), [
    ("/v1/completions", {"prompt": DONE}),
    ("/v1/responses", {"input": DONE}),
    ("/v1/messages", {**body(DONE), "max_tokens": 20}),
])
def test_every_api_knows_wishes_and_models_to_fall_back_on(stalls, account, path, request_body):
    asked = {**request_body, "model": "nobodys", "models": ["scripted"], "provider": {"only": ["bob"]}}
    answer = account.request("POST", path, asked)
    assert answer.status_code == 200, answer.text
    assert (answer.json()["model"], answer.headers["x-peerway-node"]) == ("scripted", stalls.fair.peer_id)


def test_a_model_without_a_node_or_with_none_that_fits_falls_back(stalls, account):
    answer = post(account, DONE, model="nobodys", models=["other", "scripted"])
    assert (answer.json()["model"], served_by(answer)) == ("other", stalls.other.peer_id)
    answer = post(account, DONE, model="other", models=["scripted"], provider={"max_price": {"prompt": 2}})
    assert (answer.json()["model"], served_by(answer)) == ("scripted", stalls.cheap.peer_id)
    refused(post(account, DONE, model="other", provider={"max_price": {"prompt": 2}}), "no_endpoint_matches")


def test_a_stream_tells_the_model_that_serves_in_every_event(stalls, account):
    with stream(account, DONE, model="nobodys", models=["scripted"]) as response:
        events = [json.loads(line[6:]) for line in response.iter_lines() if line.startswith("data: {")]
    assert {event["model"] for event in events} == {"scripted"}
    assert events[-1]["usage"]


def test_a_model_whose_nodes_refuse_falls_back_and_is_paid_once(own_world):
    gateway = own_world.gateway()
    gateway.sell("other", own_world.gguf)
    own_world.scripted("busy", gateway, "--slots", "1", "--queue", "0")
    other = own_world.scripted("other", gateway, "--price-input", "7", "--price-output", "7", model="other")
    account, busier = gateway.account("1"), gateway.account("1")
    wait_until("it is sold", lambda: account.request("GET", "/v1/models/other").status_code == 200)
    with stream(busier, "[[tokens=2000]] [[every=5ms]]") as busy:
        assert busy.status_code == 200
        answer = post(account, DONE, models=["other"])
        assert answer.status_code == 200, answer.text
        assert (answer.json()["model"], served_by(answer)) == ("other", other.peer_id)
        refused_at_once = post(account, DONE)
        assert (refused_at_once.status_code, refused_at_once.json()["error"]["code"]) == (503, "no_healthy_node")
    charges = wait_until("the charge is in the ledger", lambda: gateway.charges(account))
    assert [charge["model"] for charge in charges] == ["other"]


def test_every_model_of_the_list_must_be_allowed(stalls):
    account = stalls.gateway.account("1", "--model", "scripted")
    answer = post(account, DONE, models=["other"])
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "model_not_allowed")
    assert served_by(post(account, DONE, model="scripted:nitro")) is not None


def test_an_unknown_model_is_skipped_but_not_if_there_is_no_other(account):
    assert post(account, DONE, model="no-such", models=["scripted"]).json()["model"] == "scripted"
    answer = post(account, DONE, model="no-such", models=["nor-this"])
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "model_not_found")


def test_suffixes_sort(stalls, account):
    answer = post(account, DONE, model="scripted:floor")
    assert (answer.json()["model"], served_by(answer)) == ("scripted", stalls.cheap.peer_id)
    assert post(account, DONE, model="scripted:nitro").json()["model"] == "scripted"
    assert post(account, DONE, model="scripted:else").status_code == 404


def test_a_choice_is_explained_to_who_asks(stalls, account):
    asked = body(DONE, provider={"ignore": ["cid"]})
    answer = account.request("POST", "/v1/chat/completions", asked, x_peerway_explain="true")
    told = json.loads(answer.headers["x-peerway-explain"])
    verdicts = {node["node"]: node["verdict"] for node in told["candidates"]}
    assert told["model"] == "scripted"
    assert verdicts == {
        stalls.cheap.peer_id: "try_1", stalls.fair.peer_id: "try_2", stalls.dear.peer_id: "provider.ignore",
    }
    first = told["candidates"][0]
    assert first["price"] == list(CHEAP) and first["cost"] > 0
    answer = account.request("POST", "/v1/chat/completions", {**asked, "stream": True}, x_peerway_explain="true")
    assert json.loads(answer.headers["x-peerway-explain"])["model"] == "scripted"
    assert "x-peerway-explain" not in post(account, DONE).headers


def test_embeddings_know_wishes(market):
    account = market.gateway.account("1")
    asked = {"model": "scripted-embeddings", "input": "a", "provider": {"only": ["nobody"]}}
    refused(account.request("POST", "/v1/embeddings", asked), "no_endpoint_matches", "provider.only")
    asked["provider"] = {"only": [market.embedder.peer_id]}
    answer = account.request("POST", "/v1/embeddings", asked)
    assert (answer.status_code, answer.json()["provider"]) == (200, market.embedder.peer_id)


def test_a_conversation_returns_to_the_node_that_knows_it_at_no_higher_price(stalls, account):
    said = [{"role": "user", "content": f"{'Remember this. ' * 200} {DONE}"}]
    first = account.request("POST", "/v1/chat/completions", {"model": "scripted", "messages": said}).json()
    said += [{"role": "assistant", "content": "Done."}, {"role": "user", "content": DONE}]
    second = account.request("POST", "/v1/chat/completions", {"model": "scripted", "messages": said}).json()
    assert first["provider"] == second["provider"] == stalls.cheap.peer_id
    assert nanos(second["usage"]["cost"]) > 0


def test_the_live_market_is_shown(stalls, account):
    post(account, DONE)
    endpoints = account.request("GET", "/v1/models/scripted/endpoints").json()["data"]["endpoints"]
    assert [node["operator"] for node in endpoints] == ["ann", "bob", "cid"]
    cheapest = endpoints[0]
    assert (cheapest["state"], cheapest["status"], cheapest["uptime"]) == ("healthy", 0, 1.0)
    assert (cheapest["region"], cheapest["slots"], cheapest["occupied"]) == ("eu", 4, 0)
    assert cheapest["measured"] > 0 and cheapest["context_length"] > 0


def test_prices_are_kept_over_a_restart(own_world):
    gateway = own_world.gateway()
    own_world.scripted("node", gateway, "--price-input", "10", "--price-output", "20")
    account = gateway.account("1")

    def points():
        answer = account.request("GET", "/v1/models/scripted/prices")
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]["points"]

    # A gateway looks at its start, which is before any node is there.
    before = wait_until("a price is noted", points)
    assert before[0]["nodes"] == 0 and before[0]["cheapest"] is None
    gateway.service.stop()
    gateway.start()
    assert points()[0] == before[0]
    answer = account.request("GET", "/v1/models/scripted/prices?step=1")
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "step")
    assert account.request("GET", "/v1/models/no-such/prices").status_code == 404
