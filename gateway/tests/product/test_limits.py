"""How fast a key may ask, and how much it may spend: exactly as far as it says, also with many callers at once."""

import contextlib
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness import wait_until
from harness.asking import events, post, stream
from harness.prices import cost_in_nanos, nanos

ASK = ("0", "1000")
TEN = cost_in_nanos(0, 10, *ASK)


@pytest.fixture(scope="module")
def gateway(world):
    return world.gateway()


@pytest.fixture(scope="module")
def node(world, gateway):
    return world.scripted("scripted", gateway, "--price-output", ASK[1], "--slots", "64")


@pytest.fixture
def account(gateway, node):
    return gateway.account("1")


def usd(nanos):
    return f"{nanos // 10**9}.{nanos % 10**9:09}"


def refusal(answer):
    return answer.status_code, answer.json()["error"]["code"]


class TestRequestsPerMinute:
    def test_each_answer_says_what_is_left(self, gateway, account):
        key = gateway.key(account.id, "--rpm", "3")
        answers = [post(key, "[[tokens=1]]") for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200] * 3
        assert {answer.headers["x-ratelimit-limit-requests"] for answer in answers} == {"3"}
        assert [answer.headers["x-ratelimit-remaining-requests"] for answer in answers] == ["2", "1", "0"]
        assert all(answer.headers["x-ratelimit-reset-requests"] for answer in answers)
        refused = post(key, "[[tokens=1]]")
        assert refusal(refused) == (429, "rate_limit_exceeded")
        assert refused.json()["error"]["type"] == "rate_limit_error"
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        assert refused.headers["x-ratelimit-remaining-requests"] == "0"

    def test_of_many_at_once_exactly_as_many_pass(self, gateway, account):
        key = gateway.key(account.id, "--rpm", "7")
        with ThreadPoolExecutor(32) as callers:
            statuses = list(callers.map(lambda _: post(key, "[[tokens=1]]", max_tokens=1).status_code, range(32)))
        assert (statuses.count(200), statuses.count(429)) == (7, 25)

    def test_who_waits_as_long_as_told_is_served(self, gateway, account):
        key = gateway.key(account.id, "--rpm", "60")
        with ThreadPoolExecutor(8) as callers:
            answers = list(callers.map(lambda _: post(key, "[[tokens=1]]", max_tokens=1), range(90)))
        refused = [answer for answer in answers if answer.status_code == 429]
        assert refused
        wait = max(int(answer.headers["retry-after"]) for answer in refused)
        wait_until("it is served again", lambda: post(key, "[[tokens=1]]").status_code == 200, wait + 1)

    def test_a_refused_request_costs_nothing_and_reaches_no_node(self, gateway, account, node):
        key = gateway.key(account.id, "--rpm", "1")
        cost = nanos(post(key, "[[tokens=10]]").json()["usage"]["cost"])
        before = node.at_rest()
        assert post(key, "[[tokens=10]]").status_code == 429
        assert node.counters() == before
        account.wait_until_spent(10**9, cost)

    def test_other_keys_of_the_account_are_not_held_up(self, gateway, account):
        key = gateway.key(account.id, "--rpm", "1")
        assert [post(key, "[[tokens=1]]").status_code for _ in range(2)] == [200, 429]
        assert post(account, "[[tokens=1]]").status_code == 200

    def test_every_way_to_ask_counts(self, gateway, account):
        key = gateway.key(account.id, "--rpm", "3")
        request = {"model": "scripted", "max_tokens": 1}
        message = [{"role": "user", "content": "x"}]
        for path, body in (
            ("/v1/completions", {**request, "prompt": "x"}),
            ("/v1/messages", {**request, "messages": message}),
            ("/v1/responses", {"model": "scripted", "input": "x"}),
        ):
            assert key.request("POST", path, body).status_code == 200, path
        assert post(key).status_code == 429
        # To look is not to ask.
        assert key.request("GET", "/v1/models").status_code == 200

    def test_a_wider_limit_counts_within_a_second(self, gateway, account):
        key = gateway.key(account.id, "--rpm", "1")
        assert [post(key, "[[tokens=1]]").status_code for _ in range(2)] == [200, 429]
        admin = gateway.key(account.id, "--scope", "admin")
        admin.request("PATCH", f"/v1/admin/keys/{key.key_id}", {"limits": {"requests_per_minute": 100}})
        wait_until("it is served", lambda: post(key, "[[tokens=1]]").status_code == 200, 2)


class TestTokensPerMinute:
    def test_each_answer_says_what_is_left(self, gateway, account):
        key = gateway.key(account.id, "--tpm", "1000")
        first = post(key, "[[tokens=10]]", max_tokens=10)
        assert first.headers["x-ratelimit-limit-tokens"] == "1000"
        left = int(first.headers["x-ratelimit-remaining-tokens"])
        # Ten words, and the prompt with its template around it.
        assert 900 <= left <= 990
        second = post(key, "[[tokens=10]]", max_tokens=10)
        assert int(second.headers["x-ratelimit-remaining-tokens"]) < left

    def test_when_they_are_used_up_no_more_is_answered(self, gateway, account):
        key = gateway.key(account.id, "--tpm", "100")
        answers = [post(key, "[[tokens=20]]", max_tokens=20) for _ in range(6)]
        statuses = [answer.status_code for answer in answers]
        assert statuses == sorted(statuses) and statuses[0] == 200 and statuses[-1] == 429
        refused = answers[-1]
        assert refusal(refused) == (429, "rate_limit_exceeded")
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        used = sum(answer.json()["usage"]["total_tokens"] for answer in answers if answer.status_code == 200)
        assert used <= 100

    def test_a_request_that_never_fits_is_told_so_and_takes_nothing(self, gateway, account):
        key = gateway.key(account.id, "--tpm", "100")
        refused = post(key, "[[tokens=20]]", max_tokens=500)
        assert refusal(refused) == (429, "rate_limit_exceeded")
        assert post(key, "[[tokens=20]]", max_tokens=20).status_code == 200

    def test_of_many_at_once_no_more_pass(self, gateway, account):
        key = gateway.key(account.id, "--tpm", "200")
        with ThreadPoolExecutor(16) as callers:
            statuses = list(callers.map(
                lambda _: post(key, "[[tokens=40]] [[every=2ms]]", max_tokens=40).status_code, range(16),
            ))
        # What each may become is set aside when it begins.
        assert 1 <= statuses.count(200) <= 5
        assert statuses.count(429) == 16 - statuses.count(200)


class TestConcurrentRequests:
    SLOW = "[[tokens=400]] [[every=10ms]]"

    def test_one_more_than_allowed_is_refused_until_one_ends(self, gateway, account):
        key = gateway.key(account.id, "--concurrent", "2")
        # Both kept: a generator that is thrown away closes the response.
        with stream(key, self.SLOW, max_tokens=400) as first:
            of_first = events(first)
            next(of_first)
            with stream(key, self.SLOW, max_tokens=400) as second:
                of_second = events(second)
                next(of_second)
                refused = post(key, "[[tokens=1]]", max_tokens=1)
                assert refusal(refused) == (429, "rate_limit_exceeded")
                assert int(refused.headers["retry-after"]) >= 1
                assert post(account, "[[tokens=1]]", max_tokens=1).status_code == 200
            wait_until("there is room again", lambda: post(key, "[[tokens=1]]", max_tokens=1).status_code == 200, 3)

    def test_whatever_ends_a_request_gives_its_place_back(self, gateway, account, node):
        key = gateway.key(account.id, "--concurrent", "1")
        for directives, status in (
            ("[[tokens=1]]", {200}), ("[[refuse=bad_request]]", {400}), ("[[nonsense]]", {400}),
            ("[[refuse=busy]]", {502, 503}),
        ):
            assert post(key, directives).status_code in status
            wait_until("the node is asked again", gateway.healthy_nodes)
        assert post(key, model="none").status_code == 404
        with stream(key, self.SLOW, max_tokens=400) as left:
            next(events(left))
        wait_until("there is room again", lambda: post(key, "[[tokens=1]]", max_tokens=1).status_code == 200, 3)


class TestBudgets:
    @pytest.mark.parametrize("window", ["day", "week", "month", "lifetime"])
    def test_a_budget_is_spent_to_its_end_and_no_further(self, gateway, account, window):
        key = gateway.key(account.id, f"--budget-{window}", usd(2 * TEN))
        assert [post(key, "[[tokens=10]]", max_tokens=10).status_code for _ in range(2)] == [200, 200]
        refused = post(key, "[[tokens=10]]", max_tokens=10)
        assert refusal(refused) == (402, "budget_exhausted")
        assert refused.json()["error"]["type"] == "insufficient_quota"
        assert window in refused.json()["error"]["message"]
        # The account has more.
        assert post(account, "[[tokens=10]]", max_tokens=10).status_code == 200
        account.wait_until_spent(10**9, 3 * TEN)

    def test_of_many_at_once_exactly_the_affordable_ones_pass(self, gateway, account):
        key = gateway.key(account.id, "--budget-day", usd(5 * TEN))
        with ThreadPoolExecutor(32) as callers:
            answers = list(callers.map(lambda _: post(key, "[[tokens=10]] [[every=10ms]]", max_tokens=10), range(32)))
        assert sorted(answer.status_code for answer in answers) == [200] * 5 + [402] * 27
        account.wait_until_spent(10**9, 5 * TEN)

    def test_without_a_limit_an_answer_ends_where_the_budget_does(self, gateway, account):
        key = gateway.key(account.id, "--budget-lifetime", usd(TEN))
        answer = post(key, "[[tokens=40]]").json()
        assert (answer["choices"][0]["finish_reason"], answer["usage"]["completion_tokens"]) == ("length", 10)
        account.wait_until_spent(10**9, TEN)

    def test_what_is_given_back_can_be_spent(self, gateway, account):
        """A request is held at its dearest; what it did not use is there for the next."""
        key = gateway.key(account.id, "--budget-day", usd(2 * TEN))
        for _ in range(3):
            assert post(key, "[[tokens=5]]", max_tokens=10).status_code == 200
        account.wait_until_spent(10**9, 3 * cost_in_nanos(0, 5, *ASK))

    def test_a_wider_budget_counts_within_a_second(self, gateway, account):
        key = gateway.key(account.id, "--budget-day", usd(TEN))
        assert [post(key, "[[tokens=10]]", max_tokens=10).status_code for _ in range(2)] == [200, 402]
        admin = gateway.key(account.id, "--scope", "admin")
        admin.request("PATCH", f"/v1/admin/keys/{key.key_id}", {"budgets": {"day": usd(2 * TEN)}})
        wait_until("it is served", lambda: post(key, "[[tokens=10]]", max_tokens=10).status_code == 200, 2)

    def test_a_budget_outlives_a_killed_gateway(self, own_world):
        gateway = own_world.gateway()
        node = own_world.scripted("scripted", gateway, "--price-output", ASK[1])
        account = gateway.account("1")
        key = gateway.key(account.id, "--budget-lifetime", usd(2 * TEN))
        assert post(key, "[[tokens=10]]", max_tokens=10).status_code == 200
        wait_until("it is charged", lambda: gateway.charges(account))
        gateway.service.kill()
        gateway.start()
        node.wait_until_serving()
        statuses = [post(key, "[[tokens=10]]", max_tokens=10).status_code for _ in range(3)]
        assert statuses == [200, 402, 402]
        account.wait_until_spent(10**9, 2 * TEN)


def test_a_caller_who_leaves_frees_the_place_and_pays_what_was_made(gateway, account):
    key = gateway.key(account.id, "--concurrent", "1", "--budget-day", "0.5")
    with contextlib.closing(stream_of(key)) as pieces:
        next(pieces)
    wait_until("there is room again", lambda: post(key, "[[tokens=1]]", max_tokens=1).status_code == 200, 3)
    wait_until("both are charged", lambda: len(gateway.charges(account)) == 2)
    account.wait_until_spent(10**9, sum(charge["total"] for charge in gateway.charges(account)))


def stream_of(key):
    with stream(key, "[[tokens=2000]] [[every=5ms]]", max_tokens=200) as response:
        yield from events(response)
