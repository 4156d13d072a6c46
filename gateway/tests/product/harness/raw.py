"""HTTP by hand: bytes that no library would send, and all that comes back."""

import socket
from dataclasses import dataclass

from .gateway import Account, Gateway

# Nothing more is expected once the gateway has said nothing for this long; it answers what it refuses in milliseconds.
SILENCE_S = 0.5


@dataclass(frozen=True)
class Answer:
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        found = [value for known, value in self.headers if known == name]
        return found[0] if found else None


def request(account: Account, payload: bytes, *lines: str, path: str = "/v1/chat/completions") -> bytes:
    """A request with a key and a body, and with further header lines, among them those that frame the body."""
    head = [
        f"POST {path} HTTP/1.1", "Host: localhost", f"Authorization: Bearer {account.key}",
        "Content-Type: application/json", *lines, "", "",
    ]
    return "\r\n".join(head).encode() + payload


def exchange(gateway: Gateway, sent: bytes, first_wait_s: float = 10.0) -> tuple[list[Answer], bool]:
    """Sends it all, and returns all answers and whether the gateway closed the connection."""
    received = b""
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=first_wait_s) as connection:
        connection.sendall(sent)
        while True:
            try:
                piece = connection.recv(65536)
            except TimeoutError:
                return answers(received), False
            except ConnectionResetError:
                return answers(received), True
            if not piece:
                return answers(received), True
            received += piece
            connection.settimeout(SILENCE_S)


def answers(received: bytes) -> list[Answer]:
    """The answers in what came over a connection."""
    found = []
    while received:
        head, _, rest = received.partition(b"\r\n\r\n")
        status, *lines = head.decode("latin-1").split("\r\n")
        headers = [(name.strip().lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]
        named = dict(headers)
        if named.get("transfer-encoding") == "chunked":
            body, received = chunks(rest)
        else:
            length = int(named.get("content-length", 0))
            body, received = rest[:length], rest[length:]
        found.append(Answer(int(status.split()[1]), headers, body))
    return found


def chunks(received: bytes) -> tuple[bytes, bytes]:
    """A chunked body, and what follows it."""
    body = b""
    while True:
        size, _, rest = received.partition(b"\r\n")
        length = int(size or b"0", 16)
        body, received = body + rest[:length], rest[length + 2:]
        if length == 0:
            return body, received
