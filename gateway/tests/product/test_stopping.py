"""SIGTERM: what runs is finished, what is new is refused or goes elsewhere, and the ledger has everything."""

import contextlib
import re

import httpx
import pytest

from harness import wait_until
from harness.asking import events, post, stream
from harness.load import Load
from harness.prices import nanos

PRICE = "1000"
TWO_SECONDS = "[[tokens=100]] [[every=20ms]]"


def test_a_stopping_gateway_finishes_its_streams_and_takes_no_more(own_world):
    gateway = own_world.gateway()
    own_world.scripted("scripted", gateway, "--price-output", PRICE)
    account = gateway.account("10")
    with stream(account, TWO_SECONDS) as response:
        pieces = events(response)
        first = next(pieces)
        gateway.service.terminate()
        wait_until("no new connection is taken or served", lambda: not is_ready(gateway))
        rest = list(pieces)
    words = [piece for piece in [first, *rest] if piece["choices"] and piece["choices"][0]["delta"].get("content")]
    assert len(words) == 100
    assert gateway.service.wait() == 0, gateway.service.last_words()
    [charge] = gateway.charges(account)
    assert charge["total"] == nanos(rest[-1]["usage"]["cost"])
    assert account.balance() == {
        "posted": 10**10 - charge["total"], "held": 0, "available": 10**10 - charge["total"]
    }


def is_ready(gateway):
    try:
        return httpx.get(f"{gateway.url}/ready", timeout=2).status_code == 200
    except httpx.TransportError:
        return False


def test_a_stopping_node_finishes_its_streams_and_is_asked_no_more(own_world):
    gateway = own_world.gateway()
    cheap = own_world.scripted("cheap", gateway, "--price-output", "100")
    dear = own_world.scripted("dear", gateway, "--price-output", "200")
    account = gateway.account("10")
    with stream(account, TWO_SECONDS) as response:
        assert response.headers["x-peerway-node"] == cheap.peer_id
        pieces = events(response)
        first = next(pieces)
        cheap.service.terminate()
        wait_until("its advert is withdrawn", lambda: gateway.healthy_nodes() == [dear.peer_id])
        assert post(account).headers["x-peerway-node"] == dear.peer_id
        rest = list(pieces)
    assert len([piece for piece in [first, *rest] if piece["choices"] and piece["choices"][0]["delta"].get("content")]) == 100
    assert cheap.service.wait() == 0, cheap.service.last_words()


def test_nodes_come_and_go_under_load_and_no_request_fails(own_world):
    gateway = own_world.gateway()
    cheap = own_world.scripted("cheap", gateway, "--price-output", "100", "--slots", "16")
    own_world.scripted("dear", gateway, "--price-output", "200", "--slots", "16")
    account = gateway.account("100")
    with Load(account, "[[tokens=20]] [[every=2ms]]") as load:
        for _ in range(3):
            seen = len(load.finished())
            wait_until("the cheap one serves", lambda: len(load.finished()) > seen + 20)
            assert cheap.service.stop() == 0
            seen = len(load.finished())
            wait_until("the dear one serves", lambda: len(load.finished()) > seen + 20)
            cheap.start()
    assert [asked for asked in load.asked if asked.failure or asked.words != 20] == []


@pytest.mark.parametrize("which", ["node", "gateway"])
def test_a_second_signal_stops_at_once(own_world, which):
    gateway = own_world.gateway()
    node = own_world.scripted("scripted", gateway, "--price-output", PRICE)
    account = gateway.account("10")
    service = {"node": node.service, "gateway": gateway.service}[which]
    with contextlib.suppress(httpx.TransportError), stream(account, "[[tokens=3000]] [[every=20ms]]") as response:
        pieces = events(response)
        next(pieces)
        service.terminate()
        service.wait_until("begins to stop", lambda: re.search("stopping|draining", service.log.read_text()))
        service.terminate()
        # As shells count an interrupt.
        assert service.wait(5) == 130
    if which == "gateway":
        gateway.start()
        wait_until("nothing is set aside", lambda: account.balance()["held"] == 0)
