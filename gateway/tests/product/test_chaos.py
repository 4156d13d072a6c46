"""A market on a network of hosts that die, are cut off, lose packets, move, or stand behind NAT. The caller notices nothing.

Short as part of all tests; `make chaos` runs it long, and prints what it measured.
"""

import contextlib
import itertools
import os
import statistics
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest

from harness import REAL_MODEL, Net, wait_until
from harness.asking import events, stream
from harness.net import why_impossible
from harness.prices import nanos

LONG = os.environ.get("PEERWAY_CHAOS") == "long"
STREAMS = 1000 if LONG else 120
CALLERS, NODES, WORDS = 64 if LONG else 24, 8, 40
ASKS = ("--price-input", "0.05", "--price-output", "0.10", "--slots", "16")

IMPOSSIBLE = why_impossible()
pytestmark = pytest.mark.skipif(IMPOSSIBLE is not None, reason=str(IMPOSSIBLE))


@pytest.fixture
def net():
    with Net() as made:
        yield made


@dataclass
class Told:
    """What became of one stream."""

    request: str | None = None
    text: str = ""
    ids: frozenset[str] = frozenset()
    cost: int | None = None
    failure: str | None = None
    longest_pause: float = 0.0
    # Nodes that were asked; when it was asked, and its first piece.
    attempts: int = 0
    began: float = 0.0
    first: float = 0.0


def told(account, directives: str, **changes) -> Told:
    """One stream to its end, whatever that is."""
    out, ids = Told(began=time.monotonic()), set()
    try:
        with stream(account, directives, **changes) as response:
            out.request = response.headers.get("x-request-id")
            if response.status_code != 200:
                return Told(out.request, failure=response.read().decode())
            out.attempts = int(response.headers.get("x-peerway-attempts", 0))
            last = out.first = time.monotonic()
            for event in events(response):
                out.longest_pause, last = max(out.longest_pause, time.monotonic() - last), time.monotonic()
                if "error" in event:
                    out.failure = event["error"]["message"]
                    continue
                ids.add(event["id"])
                out.text += "".join(choice["delta"].get("content") or "" for choice in event["choices"])
                if event.get("usage"):
                    out.cost = nanos(event["usage"]["cost"])
    except httpx.TransportError as error:
        out.failure = repr(error)
    out.ids = frozenset(ids)
    return out


def all_told(accounts, directives: str, streams: int, callers: int, **changes) -> list[list[Told]]:
    """Many streams at once, in turn to each of the accounts; what became of them, by account."""
    numbers, found = itertools.count(), [[] for _ in accounts]

    def keep_asking() -> None:
        while (number := next(numbers)) < streams:
            found[number % len(accounts)].append(told(accounts[number % len(accounts)], directives, **changes))

    threads = [threading.Thread(target=keep_asking) for _ in range(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def naming(gateway) -> tuple[str, str]:
    """The flags by which another gateway knows this one."""
    return "--peer-gateway", f"{gateway.address}/p2p/{gateway.peer_id}"


def linked(world, net):
    """Two gateways on hosts of their own that share their nodes. Who a gateway is is known once it has run."""
    here = net.host()
    one = world.gateway(host=here)
    other = world.gateway(*naming(one), host=net.host())
    one.service.clean_up()
    one.settle(here, *naming(other))
    return one.start(), other


@contextlib.contextmanager
def killing_one_a_second(nodes) -> Iterator[list[tuple[str, float]]]:
    """Kills the nodes in turn and starts each again. Who was killed, and when, as it comes to be."""
    done, killed = threading.Event(), []

    def kill() -> None:
        for node in itertools.cycle(nodes):
            if done.wait(1.0):
                return
            # The moment before: whoever notices at once does not notice too soon.
            killed.append((node.peer_id, time.monotonic()))
            node.service.kill()
            node.service.start()

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        yield killed
    finally:
        done.set()
        killer.join()


def test_nodes_that_are_killed_cost_no_stream_a_word(own_world, net, capsys):
    """A node is killed every second, and comes back. Callers of two gateways have every stream whole and pay for it once."""
    one, other = linked(own_world, net)
    nodes = [own_world.scripted(f"n{number}", one, *ASKS, host=net.host()) for number in range(NODES)]
    wait_until("the second gateway knows them all", lambda: len(other.healthy_nodes()) == NODES, 20)
    ask = f"[[tokens={WORDS}]] [[every=40ms]]"
    accounts = [gateway.account("100") for gateway in (one, other)]
    whole = told(accounts[0], ask)
    assert whole.failure is None and len(whole.text.split()) == WORDS

    with killing_one_a_second(nodes) as killed:
        found = all_told(accounts, ask, STREAMS, CALLERS)
    every = [each for of_one in found for each in of_one]
    complete = [each for each in every if each.failure is None and each.text == whole.text and each.cost is not None]
    pauses = sorted(each.longest_pause for each in every)
    with capsys.disabled():
        print(f"\n{len(complete)} of {len(every)} streams whole, {len(killed)} nodes killed; longest pause in a stream: "
              f"median {statistics.median(pauses) * 1000:.0f} ms, p99 {pauses[len(pauses) * 99 // 100] * 1000:.0f} ms")
    assert len(complete) >= 0.999 * len(every), [each.failure or each.text for each in every if each not in complete][:3]
    assert len(killed) >= 3 and all(len(each.ids) == 1 for each in complete)
    for account, of_one, before in zip(accounts, found, (whole.cost, 0), strict=True):
        assert_charged_as_told(account, of_one, before)


FIRST_PIECE = 0.2


def test_a_node_that_is_killed_before_it_begins_costs_no_error_and_little_time(own_world, net, capsys):
    """Every node takes a while to begin, and one a second is killed: whoever waited there is answered by another.

    What it adds is counted from the kill: what another node takes to begin, beyond what any node takes.
    """
    gateway = own_world.gateway(host=net.host())
    nodes = [own_world.scripted(f"n{number}", gateway, *ASKS, host=net.host()) for number in range(NODES)]
    account = gateway.account("100")
    ask = f"[[delay_first={FIRST_PIECE * 1000:.0f}ms]] [[tokens=3]]"
    whole = told(account, ask)
    assert whole.failure is None and whole.attempts == 1
    with killing_one_a_second(nodes) as killed:
        [found] = all_told([account], ask, 4 * STREAMS, CALLERS)
    usual = statistics.median(each.first - each.began for each in found if each.attempts == 1 and each.failure is None)
    added = sorted(each.first - at - usual for each in found if each.attempts == 2 and each.failure is None
                   for at in [max((at for _, at in killed if each.began < at < each.first), default=None)] if at)
    with capsys.disabled():
        print(f"\n{len(killed)} nodes killed, {len(added)} of {len(found)} requests waited for one and were answered by "
              f"another: added median {statistics.median(added) * 1000:.0f} ms, "
              f"p99 {added[len(added) * 99 // 100] * 1000:.0f} ms; usually {usual * 1000:.0f} ms")
    failures = [each.failure or each.text for each in found if each.failure is not None or each.text != whole.text]
    assert failures == [], failures[:3]
    assert len(killed) >= 3 and added
    # As much as the network's own time is lost in the noise of a switch in memory.
    assert not LONG or added[len(added) * 99 // 100] < 0.1, "who was answered by another waited too long for it"


def assert_charged_as_told(account, of_one: list[Told], before: int) -> None:
    """Each stream was charged once, what its caller was told; `before` was spent before them."""
    costs = {each.request: each.cost for each in of_one if each.cost is not None}

    def bills() -> dict[str, int]:
        return {charge["request_id"]: charge["total"] for charge in account.gateway.charges(account)}

    wait_until("all is charged", lambda: costs.keys() <= bills().keys())
    charged = bills()
    assert {request: charged[request] for request in costs} == costs, "what was told is not what was charged"
    if len(costs) == len(of_one):
        assert sum(charged.values()) == sum(costs.values()) + before, "somebody was charged for what they were not told of"


def test_a_host_that_is_cut_off_is_left_at_once(own_world, net, capsys):
    """No packet comes any more and nobody says so: the node is out within seconds, and its streams go on elsewhere."""
    gateway = own_world.gateway(host=net.host())
    hosts = [net.host() for _ in range(3)]
    nodes = [own_world.scripted(f"n{number}", gateway, *ASKS, host=host) for number, host in enumerate(hosts)]
    account = gateway.account("100")
    ask = f"[[tokens={WORDS}]] [[every=200ms]]"
    whole = told(account, ask)
    found: list[list[Told]] = []
    asking = threading.Thread(target=lambda: found.extend(all_told([account], ask, 9, 9)))
    asking.start()
    try:
        wait_until("all streams run", lambda: sum(node["occupied"] for node in gateway.nodes()) == 9)
        busiest = max(gateway.nodes(), key=lambda node: node["occupied"])
        lost = next(number for number, node in enumerate(nodes) if node.peer_id == busiest["node"])
        hosts[lost].cut_off()
        began = time.monotonic()
        wait_until("the node is out", lambda: nodes[lost].peer_id not in gateway.healthy_nodes(), 10)
        took = time.monotonic() - began
    finally:
        asking.join()
    with capsys.disabled():
        print(f"\na host that was cut off was out after {took:.1f} s; longest pause in a stream: "
              f"{max(each.longest_pause for each in found[0]):.1f} s")
    assert busiest["occupied"] > 0 and took < 6, took
    assert [(each.failure, each.text) for each in found[0]] == [(None, whole.text)] * 9
    hosts[lost].mend()
    wait_until("it is back", lambda: nodes[lost].peer_id in gateway.healthy_nodes(), 20)


def test_a_node_behind_nat_serves(own_world, net):
    """A router lets nothing in: the node needs no more than the way out."""
    gateway = own_world.gateway(host=net.host())
    own_world.scripted("inside", gateway, *ASKS, host=net.host_behind_nat())
    answer = told(gateway.account("1"), f"[[tokens={WORDS}]]")
    assert answer.failure is None and len(answer.text.split()) == WORDS


def test_nodes_follow_a_gateway_that_moved(own_world, net):
    """A gateway comes back at another address. The nodes were never told it: the other gateway tells them."""
    one, other = linked(own_world, net)
    node = own_world.scripted("n", one, *ASKS, host=net.host())

    def is_direct() -> bool:
        return [seen["via"] for seen in other.nodes() if seen["node"] == node.peer_id] == [None]

    wait_until("the node was told of the second gateway, and dialled it", is_direct, 20)
    other.service.stop()
    other.settle(net.host(), *naming(one))
    other.start()
    wait_until("the node has followed it", is_direct, 60 if LONG else 40)
    assert told(other.account("1"), "[[tokens=3]]").failure is None


def test_lost_packets_lose_no_words(own_world, net):
    gateway = own_world.gateway(host=net.host())
    host = net.host()
    own_world.scripted("n", gateway, *ASKS, host=host)
    account = gateway.account("10")
    ask = f"[[tokens={WORDS}]] [[every=5ms]]"
    whole = told(account, ask)
    host.lose(3)
    host.delay(20)
    [found] = all_told([account], ask, 16, 4)
    assert {(each.failure, each.text) for each in found} == {(None, whole.text)}


def test_a_real_model_goes_on_where_another_died(own_world, net):
    """The same weights, greedy: the text is the one that the first node would have written, to the letter.

    Of a prompt whose words are no near thing: a model that reads tokens at once rounds otherwise than one that wrote them
    one by one, and where two words are as likely as each other that may decide.
    """
    gateway = own_world.gateway(host=net.host())
    nodes = [own_world.mistral(f"m{number}", gateway, *ASKS[:4], host=net.host()) for number in range(2)]
    for node in nodes:
        node.wait_until_serving()
    account = gateway.account("10")
    ask = {"model": REAL_MODEL, "temperature": 0, "max_tokens": 40,
           "messages": [{"role": "user", "content": "Write a short poem about the sea."}]}
    whole = told(account, "", **ask)
    assert whole.failure is None and len(whole.text.split()) > 20

    for after in (1, 9, 30) if LONG else (9,):
        text, providers = "", []
        with stream(account, "", **ask) as response:
            for number, event in enumerate(events(response)):
                assert "error" not in event, event
                providers += [event["provider"]] if event.get("provider") not in providers else []
                text += "".join(choice["delta"].get("content") or "" for choice in event["choices"])
                if number == after:
                    serving = next(node for node in nodes if node.peer_id == event["provider"])
                    serving.service.kill()
        assert text == whole.text and len(providers) == 2
        serving.service.start()
        serving.wait_until_serving()
