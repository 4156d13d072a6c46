"""Requests whose end can be read in two ways, and headers that would break out of their line.

Where a proxy in front reads the end of a request elsewhere than the gateway does, the rest of one caller's body becomes
another caller's request. So whatever is ambiguous gets one answer and the connection is over: what follows is never run.
"""

import json

import pytest

from harness.asking import body
from harness.raw import exchange, request

PAYLOAD = json.dumps(body("[[tokens=1]]")).encode()


@pytest.fixture(scope="module")
def gateway(world):
    return world.gateway()


@pytest.fixture(scope="module")
def node(world, gateway):
    return world.scripted("scripted", gateway, "--price-output", "1", "--slots", "16")


@pytest.fixture
def account(gateway, node):
    return gateway.account("1")


def length(payload=PAYLOAD):
    return f"Content-Length: {len(payload)}"


def chunked(payload=PAYLOAD):
    return f"{len(payload):x}\r\n".encode() + payload + b"\r\n0\r\n\r\n"


def test_two_good_requests_on_one_connection_are_two(gateway, account, node):
    """What the others are measured against."""
    before = node.at_rest()["served"]
    plain, in_chunks = request(account, PAYLOAD, length()), request(account, chunked(), "Transfer-Encoding: chunked")
    answers, closed = exchange(gateway, plain + in_chunks)
    assert [answer.status for answer in answers] == [200, 200]
    assert not closed
    assert node.at_rest()["served"] == before + 2


def ambiguous(account):
    """Requests with a second one behind them that a reader of the other mind would find."""
    second = request(account, PAYLOAD, length())
    hidden, both = b"0\r\n\r\n" + second, PAYLOAD + second
    in_chunks = "Transfer-Encoding: chunked"
    return {
        "both ways to frame, the first short": request(account, hidden, length(hidden), in_chunks),
        "both, in the other order": request(account, hidden, in_chunks, length(hidden)),
        "both, the length of nothing": request(account, chunked() + second, "Content-Length: 0", in_chunks),
        "two lengths": request(account, both, length(), f"Content-Length: {len(both)}"),
        "two lengths, the longer first": request(account, both, f"Content-Length: {len(both)}", length()),
        "two lengths in one": request(account, both, f"{length()}, {len(both)}"),
        "a length with a sign": request(account, both, f"Content-Length: +{len(PAYLOAD)}"),
        "a length below nothing": request(account, both, "Content-Length: -1"),
        "a length in hexadecimal": request(account, both, f"Content-Length: {len(PAYLOAD):#x}"),
        "a length beyond all numbers": request(account, both, f"Content-Length: {2**64 + len(PAYLOAD)}"),
        "a space before the colon": request(account, both, length().replace(":", " :")),
        "a name with a space": request(account, both, f"Content Length: {len(PAYLOAD)}", length()),
        "a folded line": request(account, both, length(), "X-Folded: a\r\n b"),
        "a folded length": request(account, both, f"Content-Length:\r\n {len(PAYLOAD)}"),
        "another coding": request(account, chunked() + second, "Transfer-Encoding: xchunked"),
        "chunked, and then another": request(account, chunked() + second, "Transfer-Encoding: chunked, identity"),
        "chunked twice": request(account, chunked() + second, in_chunks, "Transfer-Encoding: identity"),
        "a chunk with a sign": request(account, b"+1\r\nx\r\n0\r\n\r\n" + second, in_chunks),
        "a chunk of no size": request(account, b"zz\r\nx\r\n0\r\n\r\n" + second, in_chunks),
        "a chunk beyond all numbers": request(account, b"f" * 20 + b"\r\nx\r\n0\r\n\r\n" + second, in_chunks),
        "a chunk that is longer than it says": request(account, b"1\r\nxxxx\r\n0\r\n\r\n" + second, in_chunks),
        "a zero in a name": request(account, both, "X-Ze\0ro: a", length()),
        "a zero in a value": request(account, both, "X-Zero: a\0b", length()),
        "a return alone in a value": request(account, both, f"X-Return: a\r{length()}", length()),
    }


def test_what_can_be_read_in_two_ways_is_one_request_at_most(gateway, account, node):
    for what, sent in ambiguous(account).items():
        before = node.at_rest()["served"]
        answers, closed = exchange(gateway, sent)
        assert len(answers) <= 1, what
        assert closed, what
        assert answers == [] or answers[0].status in (200, 400, 501), what
        assert node.at_rest()["served"] <= before + 1, what
        if answers and answers[0].status != 200:
            assert node.counters()["served"] == before, what


def test_lines_that_end_with_half_a_line_end_are_no_second_request(gateway, account, node):
    """Bare line feeds: a reader may take them for line ends or refuse them, but not find more requests than there are."""
    before = node.at_rest()["served"]
    one = request(account, PAYLOAD, length()).replace(b"\r\n", b"\n")
    answers, _ = exchange(gateway, one)
    assert len(answers) <= 1
    # Where line feeds count, the header that they smuggle in frames the body; where they do not, the request is refused.
    smuggled = request(account, PAYLOAD, f"X-Note: a\nContent-Length: 1\nX-Other: b\r\n{length()}")
    answers, closed = exchange(gateway, smuggled)
    assert [answer.status for answer in answers] in ([], [400])
    assert closed
    assert node.at_rest()["served"] <= before + 1


def test_a_request_in_the_body_of_another_is_a_body(gateway, account, node):
    before = node.at_rest()["served"]
    inner = request(account, PAYLOAD, length())
    answers, _ = exchange(gateway, request(account, inner, length(inner)))
    assert [answer.status for answer in answers] == [400]
    assert node.at_rest()["served"] == before


def test_nothing_that_a_caller_sends_breaks_out_of_its_line(gateway, account):
    """A line end in what is repeated to the caller would let him write headers, or a whole answer, for someone else."""
    evil = "x\r\nSet-Cookie: evil=1\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"
    encoded = evil.replace("\r", "%0d").replace("\n", "%0a").replace(" ", "%20")
    last = "Connection: close"
    payloads = [
        body("", model=evil), body("[[tokens=1]]", user=evil), body(f"[[say={evil}]]"),
        body("[[tokens=1]]", metadata={"a": evil}),
    ]
    sent = [request(account, text, length(text), last) for text in (json.dumps(payload).encode() for payload in payloads)]
    sent += [
        request(account, PAYLOAD, length(), last, f"{name}: {encoded}")
        for name in ("Idempotency-Key", "X-Request-Id", "Origin", "OpenAI-Organization", "traceparent")
    ]
    sent += [request(account, b"", "Content-Length: 0", last, path=f"/v1/models/{encoded}")]
    for one in sent:
        answers, _ = exchange(gateway, one)
        assert len(answers) == 1, one
        assert answers[0].header("set-cookie") is None, one
        assert all("\r" not in value and "\n" not in value for _, value in answers[0].headers)


def test_a_request_whose_head_has_no_bounds_is_refused(gateway, account, node):
    before = node.at_rest()["served"]
    for lines in (
        ["X-Long: " + "x" * 200_000], [f"X-Many-{number}: x" for number in range(2000)], ["X" * 100_000 + ": x"],
    ):
        answers, closed = exchange(gateway, request(account, PAYLOAD, length(), *lines))
        assert [answer.status for answer in answers] in ([], [400], [431])
        assert closed
    assert node.counters()["served"] == before


def test_what_is_no_http_is_answered_at_most_with_a_refusal(gateway, account):
    hello_of_tls = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
    for junk in (b"\0" * 64, hello_of_tls, b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\r\n" * 3000):
        answers, closed = exchange(gateway, junk, first_wait_s=1)
        assert all(answer.status in (400, 505) for answer in answers)
        assert closed or not answers
    assert account.request("GET", "/v1/models").status_code == 200
