"""A caller who leaves: the engine stops within a second, and only what was made until then is paid."""

import contextlib
import itertools
import json
import socket
import time

import httpx
import pytest

from harness import REAL_MODEL, wait_until
from harness.asking import body, events, post, stream
from harness.prices import cost_in_nanos

PRICE = "1000"
ENDLESS = "[[tokens=3000]] [[every=5ms]]"


@pytest.fixture(scope="module")
def gateway(world):
    return world.gateway()


@pytest.fixture(scope="module")
def node(world, gateway):
    return world.scripted("scripted", gateway, "--price-output", PRICE)


def within_a_second(what, condition):
    started = time.monotonic()
    wait_until(what, condition, 5)
    assert time.monotonic() - started < 1


def test_leaving_a_stream_stops_the_engine(gateway, node):
    account = gateway.account("10")
    before = node.counters()
    with stream(account, ENDLESS) as response:
        # Kept: a generator that is thrown away closes the response.
        pieces = events(response)
        assert len(list(itertools.islice(pieces, 20))) == 20
        assert node.counters()["running"] == 1
    within_a_second("the engine stops", lambda: node.counters()["running"] == 0)
    assert node.counters()["cancelled"] == before["cancelled"] + 1
    within_a_second("the gateway sees the node free", lambda: node.occupied() == 0)
    charge = wait_until("the charge is in the ledger", lambda: account.show()["latest"])[0]
    made = node.counters()["words"] - before["words"]
    assert charge["outcome"] == "caller_left"
    assert 10 <= charge["billed"]["completion"] <= made
    assert charge["paid"]["total"] == cost_in_nanos(0, charge["billed"]["completion"], "0", PRICE)
    assert account.balance()["posted"] == 10 * 10**9 - charge["paid"]["total"]


def test_leaving_before_a_whole_answer_is_there_stops_the_engine(gateway, node):
    account = gateway.account("10")
    before = node.counters()
    with contextlib.closing(raw_request(gateway, account)):
        wait_until("the engine works", lambda: node.counters()["running"] == 1)
    within_a_second("the engine stops", lambda: node.counters()["running"] == 0)
    assert node.counters()["cancelled"] == before["cancelled"] + 1


def test_leaving_before_the_first_token_stops_the_engine_and_is_free(gateway, node):
    account = gateway.account("10")
    with contextlib.closing(raw_request(gateway, account, "[[delay_first=30s]]")):
        wait_until("the engine works", lambda: node.counters()["running"] == 1)
    within_a_second("the engine stops", lambda: node.counters()["running"] == 0)
    assert post(account, "[[tokens=1]]").status_code == 200
    wait_until("only the other is charged", lambda: len(gateway.charges(account)) == 1)
    assert account.balance()["posted"] == 10 * 10**9 - cost_in_nanos(0, 1, "0", PRICE)


def test_leaving_stops_the_real_engine(world, gateway):
    real = world.mistral("real", gateway, "--slots", "1", "--queue", "0")
    real.wait_until_serving()
    account = gateway.account("1")
    story = {"model": REAL_MODEL, "messages": [{"role": "user", "content": "Tell me a very long story."}]}
    url = f"{gateway.url}/v1/chat/completions"
    with httpx.stream("POST", url, headers=account.headers, json={**story, "stream": True}, timeout=60) as response:
        lines = response.iter_lines()
        next(lines)
        wait_until("the node works", lambda: real.occupied() == 1)
    within_a_second("the gateway sees the node free", lambda: real.occupied() == 0)
    # Its only slot is free again, not only said to be.
    again = httpx.post(url, headers=account.headers, json={**story, "max_tokens": 2}, timeout=60)
    assert again.status_code == 200


def raw_request(gateway, account, directives=ENDLESS):
    """A connection on which a request for a whole answer has been sent."""
    payload = json.dumps(body(directives)).encode()
    connection = socket.create_connection(("127.0.0.1", gateway.port), timeout=10)
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {account.key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(payload)}\r\n\r\n"
    )
    connection.sendall(head.encode() + payload)
    return connection
