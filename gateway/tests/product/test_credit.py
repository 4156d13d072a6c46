"""Who pays for what: credit that runs out, nodes that lie, and answers that break off."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from harness import wait_until
from harness.asking import events, post, stream
from harness.prices import cost_in_nanos, nanos

# Input is free, so that a request of 16 tokens costs the same whatever it says.
ASK = ("0", "1000")
SIXTEEN = cost_in_nanos(0, 16, *ASK)


@pytest.fixture(scope="module")
def gateway(world):
    return world.gateway()


@pytest.fixture(scope="module")
def node(world, gateway):
    return world.scripted("honest", gateway, "--price-output", ASK[1], "--slots", "64")


def usd(amount_in_nanos):
    return f"{amount_in_nanos // 10**9}.{amount_in_nanos % 10**9:09}"


def rested(gateway):
    """Waits until the node is asked again: the gateway leaves it alone for a while after each failure."""
    wait_until("the node is asked again", gateway.healthy_nodes)


def settled(account, posted):
    """Waits until this is what is left, with nothing set aside."""
    wait_until(f"{posted} nano-USD are left", lambda: account.balance()["posted"] == posted)


def test_of_64_requests_at_once_exactly_the_affordable_ones_pass(gateway, node):
    account = gateway.account(usd(10 * SIXTEEN))
    lowest = []
    with ThreadPoolExecutor(65) as callers:
        answers = [callers.submit(post, account, "[[tokens=16]] [[every=20ms]]", max_tokens=16) for _ in range(64)]
        while not all(answer.done() for answer in answers):
            lowest.append(min(account.balance().values()))
        answers = [answer.result() for answer in answers]
    assert sorted(answer.status_code for answer in answers) == [200] * 10 + [402] * 54
    costs = [nanos(answer.json()["usage"]["cost"]) for answer in answers if answer.status_code == 200]
    assert costs == [SIXTEEN] * 10
    assert lowest and min(lowest) >= 0
    settled(account, 0)
    assert len(gateway.charges(account)) == 10


def test_a_refusal_says_what_is_needed_and_what_is_there_and_no_work_is_done(gateway, node):
    account = gateway.account(usd(SIXTEEN - 1))
    before = node.counters()
    refused = post(account, max_tokens=16)
    assert refused.status_code == 402
    error = refused.json()["error"]
    assert (error["type"], error["code"]) == ("insufficient_quota", "insufficient_credit")
    assert usd(SIXTEEN).rstrip("0") in error["message"]
    assert usd(SIXTEEN - 1) in error["message"]
    assert node.counters() == before
    assert account.balance()["posted"] == SIXTEEN - 1
    # One token less is affordable.
    assert post(account, "[[tokens=15]]", max_tokens=15).status_code == 200


def test_credit_that_was_just_granted_counts_at_once(gateway, node):
    account = gateway.account(usd(SIXTEEN))
    assert post(account, max_tokens=16).status_code == 200
    assert post(account, max_tokens=16).status_code == 402
    gateway.cli("credit", "grant", account.id, usd(SIXTEEN))
    assert post(account, max_tokens=16).status_code == 200


def test_the_same_grant_is_credited_once(gateway):
    account = gateway.account("1")
    for repeated in (False, True):
        granted = gateway.cli("credit", "grant", account.id, "2", "--reference", f"invoice:{account.id}")
        assert granted["repeated"] is repeated
    assert account.balance()["posted"] == 3 * 10**9


def test_without_a_limit_an_answer_ends_where_the_credit_does(gateway, node):
    account = gateway.account(usd(SIXTEEN))
    answer = post(account, "[[tokens=40]]").json()
    assert answer["choices"][0]["finish_reason"] == "length"
    assert answer["usage"]["completion_tokens"] == 16
    settled(account, 0)


def test_a_node_that_claims_ten_times_the_tokens_is_paid_for_those_it_sent(world, gateway, node):
    account = gateway.account("10")
    honest = post(account, "[[tokens=20]]").json()["usage"]
    liar = world.scripted("liar", gateway, "--price-output", "500", "--script", "[[claim_factor=10]]")
    try:
        answer = post(account, "[[tokens=20]]")
        assert answer.headers["x-peerway-node"] == liar.peer_id
        usage = answer.json()["usage"]
        assert usage["completion_tokens"] == honest["completion_tokens"] == 20
        assert nanos(usage["cost"]) == cost_in_nanos(0, 20, "0", "500")
        charge = wait_until(
            "the charge is in the ledger",
            lambda: [charge for charge in account.show()["latest"] if charge["node"] == liar.peer_id],
        )[0]
        assert (charge["billed"]["completion"], charge["claimed"]["completion"]) == (20, 200)
    finally:
        assert liar.service.stop() == 0


@pytest.mark.parametrize("directives", ["[[refuse=failed]]", "[[die_after=0]]", "[[refuse=busy]]"])
def test_what_never_began_is_free(gateway, node, directives):
    account = gateway.account("1")
    for is_stream in (False, True):
        rested(gateway)
        failed = post(account, directives, stream=is_stream)
        assert failed.status_code in (502, 503)
        assert failed.json()["error"]["type"] == "server_error"
    rested(gateway)
    assert post(account, "[[tokens=16]]").status_code == 200
    settled(account, 10**9 - SIXTEEN)


def test_a_whole_answer_that_broke_off_is_free_because_nothing_of_it_arrived(gateway, node):
    account = gateway.account("1")
    rested(gateway)
    failed = post(account, "[[tokens=16]] [[die_after=5]]")
    assert failed.status_code == 502
    rested(gateway)
    assert post(account, "[[tokens=16]]").status_code == 200
    settled(account, 10**9 - SIXTEEN)


def test_a_stream_that_broke_off_says_so_and_costs_what_arrived(gateway, node):
    account = gateway.account("1")
    rested(gateway)
    with stream(account, "[[tokens=16]] [[die_after=5]]") as response:
        assert response.status_code == 200
        text = response.read().decode()
    *_, last = [line for line in text.splitlines() if line]
    assert '"error"' in last and '"stream_broken"' in last
    assert "[DONE]" not in text
    settled(account, 10**9 - cost_in_nanos(0, 5, *ASK))


def test_a_stream_that_fell_silent_is_given_up(own_world):
    gateway = own_world.gateway("--config", str(patience_of_one_second(own_world.folder)))
    own_world.scripted("silent", gateway, "--price-output", ASK[1])
    account = gateway.account("1")
    with stream(account, "[[tokens=16]] [[hang_after=5]]") as response:
        *pieces, last = list(events(response))
    assert len([piece for piece in pieces if piece["choices"][0]["delta"].get("content")]) == 5
    assert last["error"]["code"] == "stream_broken"
    settled(account, 10**9 - cost_in_nanos(0, 5, *ASK))


def patience_of_one_second(folder):
    config = folder / "patience.toml"
    config.write_text("next_token_timeout_s = 1\n")
    return config
