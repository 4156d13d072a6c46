"""`Idempotency-Key`: a request that is sent again is answered with the same bytes, worked on once and paid once."""

import itertools
import uuid
from concurrent.futures import ThreadPoolExecutor

import httpx
import openai
import pytest

from harness import EMBEDDER, wait_until
from harness.asking import body, post
from harness.prices import nanos

SLOW = "[[tokens=40]] [[every=20ms]]"


@pytest.fixture(scope="module")
def gateway(world):
    return world.gateway()


@pytest.fixture(scope="module")
def node(world, gateway):
    return world.scripted("scripted", gateway, "--price-output", "1000", "--slots", "16")


@pytest.fixture(scope="module")
def embedder(world, gateway):
    return world.embedder(gateway)


@pytest.fixture
def account(gateway, node):
    return gateway.account("1")


@pytest.fixture
def name():
    return str(uuid.uuid4())


CHAT = ("/v1/chat/completions", body("[[tokens=5]]"))
STREAM = ("/v1/chat/completions", body("[[tokens=5]]", stream=True, stream_options={"include_usage": True}))
EVERY_KIND = {
    "chat": CHAT,
    "a stream": STREAM,
    "text": ("/v1/completions", {"model": "scripted", "prompt": "[[tokens=5]]"}),
    "a message": ("/v1/messages", {**body("[[tokens=5]]"), "max_tokens": 9}),
    "a stream of a message": ("/v1/messages", {**body("[[tokens=5]]"), "max_tokens": 9, "stream": True}),
    "a response": ("/v1/responses", {"model": "scripted", "input": "[[tokens=5]]"}),
    "a stream of a response": ("/v1/responses", {"model": "scripted", "input": "[[tokens=5]]", "stream": True}),
    "embeddings": ("/v1/embeddings", {"model": EMBEDDER, "input": "[[tokens=5]]"}),
}


def send(account, name, request=CHAT):
    path, sent = request
    return account.request("POST", path, sent, Idempotency_Key=name)


def charged(gateway, account, count):
    """The account's charges, once there are as many."""
    def enough():
        charges = gateway.charges(account)
        return charges if len(charges) >= count else None

    return wait_until(f"{count} charges", enough)


@pytest.mark.parametrize("kind", EVERY_KIND)
def test_the_same_again_gets_the_same_bytes_and_is_paid_once(gateway, account, node, embedder, name, kind):
    request = EVERY_KIND[kind]
    first = send(account, name, request)
    assert first.status_code == 200, first.text
    before = node.at_rest(), embedder.at_rest()
    again = send(account, name, request)
    assert (again.status_code, again.content) == (200, first.content)
    for header in ("content-type", "x-request-id", "x-peerway-node"):
        assert again.headers[header] == first.headers[header], header
    assert (node.counters(), embedder.counters()) == before
    # Another one, so that a second charge of the first would have been seen by now.
    assert post(account, "[[tokens=1]]").status_code == 200
    assert len(charged(gateway, account, 2)) == 2


def test_a_request_that_still_runs_is_joined(gateway, account, node, name):
    before = node.at_rest()
    for request in ((CHAT[0], body(SLOW)), (STREAM[0], body(SLOW, stream=True))):
        own = f"{name}{request[1].get('stream')}"
        with ThreadPoolExecutor(6) as callers:
            answers = list(callers.map(lambda _: send(account, own, request), range(6)))
        assert {answer.status_code for answer in answers} == {200}
        assert len({answer.content for answer in answers}) == 1
    assert node.at_rest()["served"] == before["served"] + 2
    assert len(charged(gateway, account, 2)) == 2


def test_another_request_under_the_same_name_is_refused(account, name):
    first = send(account, name)
    for other in (
        (CHAT[0], body("[[tokens=6]]")),
        STREAM,
        EVERY_KIND["text"],
        EVERY_KIND["a message"],
    ):
        refused = send(account, name, other)
        assert refused.status_code == 422, refused.text
        assert "dempotency" in refused.text
    assert send(account, name).content == first.content


def test_the_sdk_knows_what_was_wrong(account, name):
    account.client.chat.completions.create(**CHAT[1], extra_headers={"Idempotency-Key": name})
    with pytest.raises(openai.UnprocessableEntityError) as caught:
        account.client.chat.completions.create(**body("[[tokens=6]]"), extra_headers={"Idempotency-Key": name})
    assert caught.value.code == "idempotency_mismatch"


def test_the_same_name_in_another_account_is_another_request(gateway, account, name):
    first = send(account, name)
    stranger = gateway.account("1")
    other = send(stranger, name)
    assert other.status_code == 200 and other.json()["id"] != first.json()["id"]
    stranger.wait_until_spent(10**9, nanos(other.json()["usage"]["cost"]))


@pytest.mark.parametrize("stream", [False, True])
def test_work_goes_on_without_its_caller_and_the_next_try_gets_the_whole(gateway, account, node, name, stream):
    request = body(SLOW, stream=stream)
    before = node.at_rest()
    headers = {**account.headers, "Idempotency-Key": name}
    url = f"{gateway.url}{CHAT[0]}"
    try:
        with httpx.stream("POST", url, headers=headers, json=request, timeout=0.3 if not stream else 60) as response:
            assert len(list(itertools.islice(response.iter_lines(), 6))) == 6
    except httpx.ReadTimeout:
        assert not stream
    whole = send(account, name, (CHAT[0], request))
    assert whole.status_code == 200
    if stream:
        assert whole.text.endswith("data: [DONE]\n\n") and whole.text.count('"content":" ') >= 38
    else:
        assert whole.json()["usage"]["completion_tokens"] == 40
    after = node.at_rest()
    assert (after["served"], after["cancelled"]) == (before["served"] + 1, before["cancelled"])
    charged(gateway, account, 1)
    [charge] = account.show()["latest"]
    assert charge["billed"]["completion"] == 40


@pytest.mark.parametrize(("request_body", "status"), [
    (body("[[tokens=1]]", temperature=3), 400), (body("[[tokens=1]]", model="none"), 404),
])
def test_a_refusal_costs_nothing_however_often(account, name, request_body, status):
    for _ in range(2):
        assert send(account, name, (CHAT[0], request_body)).status_code == status
    assert account.balance()["posted"] == 10**9


def test_what_could_not_be_served_may_be_tried_again(gateway, account, node, name):
    """A failure of ours is not the answer to a request: the same name gets it served once it can be."""
    poor = gateway.account("0.000000001")
    assert send(poor, name).status_code == 402
    gateway.cli("credit", "grant", poor.id, "1")
    served = wait_until("it is served", lambda: answered(poor, name))
    assert send(poor, name).content == served.content
    assert node.service.stop() == 0
    wait_until("nobody serves", lambda: not node.is_listed())
    assert send(account, name).status_code == 503
    node.start()
    assert send(account, name).status_code == 200


def answered(account, name):
    answer = send(account, name)
    return answer if answer.status_code == 200 else None


@pytest.mark.parametrize("wrong", ["", "x" * 256])
def test_a_name_has_bounds(account, wrong):
    refused = send(account, wrong)
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "Idempotency-Key")


def test_names_may_be_anything_a_header_can_hold(account):
    for name in ("../../../etc/passwd", "a/b", "%00", "'; DROP TABLE charges; --", "x" * 255):
        first = send(account, name)
        assert first.status_code == 200
        assert send(account, name).content == first.content


def test_what_was_answered_outlives_a_restart(own_world, name):
    gateway = own_world.gateway()
    node = own_world.scripted("scripted", gateway, "--price-output", "1000")
    account = gateway.account("1")
    answers = [send(account, f"{name}{place}", request) for place, request in enumerate((CHAT, STREAM))]
    assert gateway.service.stop() == 0
    gateway.start()
    node.wait_until_serving()
    for place, request in enumerate((CHAT, STREAM)):
        assert send(account, f"{name}{place}", request).content == answers[place].content
    assert len(gateway.charges(account)) == 2


def test_a_request_that_a_crash_cut_off_is_paid_once(own_world, name):
    gateway = own_world.gateway()
    node = own_world.scripted("scripted", gateway, "--price-output", "1000")
    account = gateway.account("1")
    with ThreadPoolExecutor(1) as caller:
        cut = caller.submit(send, account, name, (CHAT[0], body(SLOW)))
        wait_until("the engine works", lambda: node.counters()["running"] == 1)
        gateway.service.kill()
        assert isinstance(cut.exception(), httpx.TransportError)
    gateway.start()
    node.wait_until_serving()
    whole = send(account, name, (CHAT[0], body(SLOW)))
    assert whole.json()["usage"]["completion_tokens"] == 40
    assert send(account, name, (CHAT[0], body(SLOW))).content == whole.content
    account.wait_until_spent(10**9, nanos(whole.json()["usage"]["cost"]))
