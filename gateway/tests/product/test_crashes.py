"""`kill -9` of gateway and nodes at any moment, under load: the ledger stays sound and nobody pays twice."""

import random
from collections import Counter

from harness import wait_until
from harness.load import Load
from harness.prices import cost_in_nanos

PRICE = "1000"
GRANTED = 100 * 10**9
DIRECTIVES = "[[tokens=20]] [[every=2ms]]"
MOST = cost_in_nanos(0, 40, "0", PRICE)


def assert_nobody_paid_wrongly(gateway, account, load):
    """Holds what every caller was told against what the ledger has."""
    charges = gateway.charges(account)
    paid = {charge["request_id"]: charge["total"] for charge in charges}
    assert max(Counter(charge["request_id"] for charge in charges).values()) == 1
    told = {asked.id: asked.cost for asked in load.finished()}
    assert {id: paid[id] for id in paid.keys() & told.keys()} == {id: told[id] for id in paid.keys() & told.keys()}
    assert paid.keys() <= {asked.id for asked in load.asked if asked.id} | unheard(load, paid)
    assert all(0 < total <= MOST for total in paid.values())
    assert account.balance()["posted"] == GRANTED - sum(paid.values())


def unheard(load, paid):
    """Requests whose caller never saw a head, and so has no id to tell them by: at most as many as those."""
    ids = {asked.id for asked in load.asked}
    unknown = paid.keys() - ids
    assert len(unknown) <= sum(asked.id is None for asked in load.asked)
    return unknown


def test_a_gateway_killed_at_random_moments(own_world):
    gateway = own_world.gateway()
    own_world.scripted("scripted", gateway, "--price-output", PRICE, "--slots", "16")
    account = gateway.account("100")
    moments = random.Random(20)
    with Load(account, DIRECTIVES) as load:
        for round in range(5):
            seen = len(load.finished())
            more = moments.randint(1, 60)
            wait_until(f"round {round}: {more} more answers", lambda: len(load.finished()) >= seen + more, 20)
            gateway.service.kill()
            # While nobody serves: what is on the disk has to be sound by itself.
            report = gateway.assert_sound()
            assert report["transfers"] >= 1
            gateway.start()
            wait_until("the node is back", gateway.healthy_nodes, 20)
    assert any(asked.failure for asked in load.asked)
    assert gateway.service.stop() == 0
    report = gateway.assert_sound()
    assert report["overdue_holds"] == []
    # Stopped in order, so nothing is left set aside.
    assert account.balance()["held"] == 0
    assert_nobody_paid_wrongly(gateway, account, load)


def test_what_was_answered_before_the_kill_and_was_flushed_stays_charged(own_world):
    gateway = own_world.gateway()
    own_world.scripted("scripted", gateway, "--price-output", PRICE)
    account = gateway.account("100")
    with Load(account, DIRECTIVES, callers=2) as load:
        wait_until("answers", lambda: len(load.finished()) >= 10)
    wait_until("all are charged", lambda: len(gateway.charges(account)) >= len(load.finished()))
    charged = gateway.charges(account)
    gateway.service.kill()
    gateway.start()
    assert gateway.charges(account) == charged
    assert {charge["request_id"]: charge["total"] for charge in charged} == {
        asked.id: asked.cost for asked in load.asked
    }
    # The lease of the killed one has ended: all that is left can be spent.
    wait_until("nothing is set aside", lambda: account.balance()["held"] == 0)


def test_nodes_killed_at_random_moments(own_world):
    gateway = own_world.gateway()
    nodes = [
        own_world.scripted(name, gateway, "--price-output", PRICE, "--slots", "16") for name in ("first", "second")
    ]
    account = gateway.account("100")
    moments = random.Random(21)
    with Load(account, DIRECTIVES) as load:
        for round in range(6):
            seen = len(load.finished())
            more = moments.randint(1, 60)
            wait_until(f"round {round}: {more} more answers", lambda: len(load.finished()) >= seen + more, 20)
            victim = nodes[round % 2]
            victim.service.kill()
            victim.start()
    assert gateway.service.stop() == 0
    gateway.assert_sound()
    assert_nobody_paid_wrongly(gateway, account, load)
    # A kill cuts streams that had begun. Whoever had not begun was served by the other node.
    assert {asked.status for asked in load.asked} == {200}
    cut = [asked for asked in load.asked if asked.cost is None]
    assert len(cut) <= 6 * load.callers
    assert all(asked.words > 0 and asked.failure for asked in cut)
