"""What differs between clients below their SDKs: versions of HTTP, headers that are missing, readers that are slow."""

import json
import socket
import subprocess

import httpx
import pytest

from harness import wait_until
from harness.asking import body, events, post, stream
from harness.raw import exchange


@pytest.fixture(scope="module")
def gateway(world):
    config = world.folder / "quick.toml"
    config.write_text("keep_alive_s = 1\n")
    return world.gateway("--config", str(config))


@pytest.fixture(scope="module")
def node(world, gateway):
    return world.scripted("scripted", gateway, "--price-output", "1", "--slots", "16")


@pytest.fixture(scope="module")
def account(gateway, node):
    return gateway.account("1")


@pytest.mark.parametrize("version", ["--http1.0", "--http1.1", "--http2", "--http2-prior-knowledge"])
def test_every_version_of_http(account, version):
    """Also a client that asks to go from 1.1 to 2, which need not be followed and must not break."""
    done = subprocess.run(
        [
            "curl", "-sS", version, "-w", "\n%{http_version}", f"{account.gateway.url}/v1/chat/completions",
            "-H", f"Authorization: Bearer {account.key}", "-H", "Content-Type: application/json",
            "-d", json.dumps(body("[[tokens=3]]", stream=True)),
        ],
        capture_output=True, text=True, timeout=30,
    )
    assert done.returncode == 0, done.stderr
    *lines, spoken = done.stdout.splitlines()
    assert [line for line in lines if line][-1] == "data: [DONE]"
    assert spoken == {"--http1.0": "1", "--http2-prior-knowledge": "2"}.get(version, spoken)


def test_a_caller_that_sends_nothing_it_need_not(gateway, account):
    payload = json.dumps(body("[[tokens=1]]")).encode()
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: bearer {account.key}\r\n"
        f"content-length: {len(payload)}\r\nconnection: close\r\n\r\n"
    )
    # No User-Agent, no Accept, no Content-Type, names in small letters.
    [answer], closed = exchange(gateway, head.encode() + payload)
    assert (answer.status, closed) == (200, True)


def test_headers_of_other_clients_are_no_matter(account):
    odd = {
        "X-Stainless-Lang": "python", "OpenAI-Organization": "org", "OpenAI-Beta": "responses=v1", "anthropic-version": "1",
        "HTTP-Referer": "https://app.example", "X-Title": "App", "Accept": "text/html", "Accept-Encoding": "br, zstd, gzip",
    }
    assert account.request("POST", "/v1/chat/completions", body("[[tokens=1]]"), **odd).status_code == 200


def test_a_slow_reader_gets_everything(gateway, account, node):
    before = node.at_rest()["words"]
    payload = json.dumps(body("[[tokens=3000]]", stream=True)).encode()
    with socket.socket() as connection:
        # So little room that the answer has to wait for its reader.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(20)
        connection.connect(("127.0.0.1", gateway.port))
        connection.sendall((
            f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {account.key}\r\n"
            f"Content-Length: {len(payload)}\r\nConnection: close\r\n\r\n"
        ).encode() + payload)
        wait_until("the engine has begun", lambda: node.counters()["words"] >= before + 100)
        assert post(account, "[[tokens=1]]").status_code == 200
        received = b"".join(iter(lambda: connection.recv(512), b""))
    assert received.count(b'"content":" ') == 3000
    assert b"data: [DONE]\n\n" in received


def test_a_silent_stream_is_kept_alive_by_comments(account):
    with stream(account, "[[tokens=2]] [[delay_first=2500ms]]") as response:
        lines = list(response.iter_lines())
    first = next(place for place, line in enumerate(lines) if line.startswith("data:"))
    comments = [line for line in lines[:first] if line.startswith(":")]
    assert len(comments) in (1, 2, 3)
    assert lines[-2:] == ["data: [DONE]", ""]


def test_a_silent_message_is_kept_alive_by_pings(account):
    request = {**body("[[tokens=2]] [[delay_first=2500ms]]"), "max_tokens": 9, "stream": True}
    with httpx.stream(
        "POST", f"{account.gateway.url}/v1/messages", headers=account.headers, json=request, timeout=30,
    ) as response:
        kinds = [event["type"] for event in events(response)]
    assert "ping" in kinds
    assert kinds[-1] == "message_stop"


def test_a_whole_answer_has_a_length_and_a_type(account):
    answer = post(account, "[[tokens=1]]")
    assert answer.headers["content-type"] == "application/json"
    assert int(answer.headers["content-length"]) == len(answer.content)
    assert answer.headers["x-request-id"]


def test_a_stream_is_not_held_back_by_proxies(account):
    with stream(account, "[[tokens=1]]") as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        assert "no-cache" in response.headers["cache-control"]
        response.read()
