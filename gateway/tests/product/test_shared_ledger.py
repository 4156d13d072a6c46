"""Several gateways on one PostgreSQL: one credit, one budget, one chain, whichever gateway is asked."""

import pytest

from harness import wait_until
from harness.load import Load
from harness.postgres import PostgresServer
from harness.prices import cost_in_nanos

PRICE = "1000"
DIRECTIVES = "[[tokens=20]] [[every=1ms]]"
# What a request may cost at most, and so what it sets aside.
MOST = cost_in_nanos(0, 40, "0", PRICE)


@pytest.fixture(scope="module")
def server():
    return PostgresServer()


@pytest.fixture
def gateways(server, own_world):
    """Two, each with a node of its own."""
    database = server.database()
    made = [own_world.gateway(database=database) for _ in range(2)]
    for number, gateway in enumerate(made):
        own_world.scripted(f"scripted-{number}", gateway, "--price-output", PRICE, "--slots", "16")
    return made


def spend_all(accounts):
    """Asks at all gateways at once until all of them refuse, again and again."""
    loads = [Load(account, DIRECTIVES, callers=6) for account in accounts]

    def refused(load):
        latest = load.asked[-12:]
        return len(latest) == 12 and all(asked.status == 402 for asked in latest)

    with loads[0], loads[1]:
        wait_until("all is spent", lambda: all(refused(load) for load in loads), 60)
    assert all(load.finished() for load in loads), "both have served"
    failures = [asked for load in loads for asked in load.asked if asked.status not in (200, 402)]
    assert failures == []
    told = {asked.id: asked.cost for load in loads for asked in load.finished()}
    # Charges come some milliseconds after an answer.
    one = accounts[0]
    wait_until("all is charged", lambda: len(one.gateway.charges(one)) == len(told))
    assert {charge["request_id"]: charge["total"] for charge in one.gateway.charges(one)} == told
    return sum(told.values())


def test_two_gateways_spend_one_credit(gateways):
    one = gateways[0].account("1")
    spent = spend_all([one, two(one, gateways[1])])
    assert 10**9 - MOST < spent <= 10**9
    assert one.balance()["posted"] == 10**9 - spent


def test_two_gateways_spend_one_budget(gateways):
    one = gateways[0].account("100", "--budget-day", "1.00")
    spent = spend_all([one, two(one, gateways[1])])
    assert 10**9 - MOST < spent <= 10**9
    assert one.balance()["posted"] == 100 * 10**9 - spent


def two(account, gateway):
    """The same key at another gateway."""
    return type(account)(gateway, account.id, account.key, account.key_id)


def test_a_key_is_revoked_everywhere(gateways):
    one = gateways[0].account("1")
    other = two(one, gateways[1])
    assert other.request("GET", "/v1/key").status_code == 200
    gateways[0].cli("key", "revoke", one.key_id)
    wait_until("the other gateway knows", lambda: other.request("GET", "/v1/key").status_code == 401, 5)


def test_a_gateway_that_is_killed_leaves_the_others_ledger_sound(gateways):
    killed, other = gateways
    account = killed.account("100")
    with Load(account, DIRECTIVES) as load, Load(two(account, other), DIRECTIVES) as others:
        for _ in range(3):
            seen, theirs = len(load.finished()), len(others.finished())
            wait_until("some more answers", lambda: len(load.finished()) >= seen + 20, 20)
            killed.service.kill()
            other.assert_sound()
            wait_until("the other goes on", lambda: len(others.finished()) >= theirs + 20, 20)
            killed.start()
            wait_until("its node is back", killed.healthy_nodes, 20)
    assert not any(asked.failure for asked in others.asked)
    assert killed.service.stop() == 0 and other.service.stop() == 0
    other.assert_sound()
    charges = {charge["request_id"]: charge["total"] for charge in other.charges(account)}
    told = {asked.id: asked.cost for asked in load.finished() + others.finished()}
    assert {id: charges[id] for id in told if id in charges} == {id: told[id] for id in told if id in charges}
    assert all(asked.id in charges for asked in others.finished())
    assert account.balance() == {
        "posted": 100 * 10**9 - sum(charges.values()), "held": 0, "available": 100 * 10**9 - sum(charges.values()),
    }


def test_nothing_is_made_for_who_only_looks(server, own_world):
    gateway = own_world.gateway()
    gateway.peerway = [*gateway.peerway[:3], "--database", server.database()]
    done = gateway.run("ledger", "verify")
    assert done.returncode == 1 and "there is no ledger in postgres://" in done.stderr
    gateway.peerway = gateway.peerway[:3]
