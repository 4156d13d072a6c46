"""Sends events to the one endpoint, from threads of its own, until it takes them.

Order is not promised, as with Stripe. `hindrances` loses, doubles, delays or reorders events on their way.
"""

import heapq
import http.client
import itertools
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from .hindrances import Chain, Hindrances
from .signature import header

WORKERS = 4
MAX_QUEUED = 100_000
MAX_ATTEMPTS = 16
LONGEST_WAIT_S = 60.0
TIMEOUT_S = 10.0


@dataclass
class Endpoint:
    """Where events go. Without a URL they are only listed at `/v1/events`."""

    url: str | None = None
    secrets: list[str] = field(default_factory=list)
    enabled_events: list[str] = field(default_factory=lambda: ["*"])
    retry_s: float = 0.25

    def wants(self, kind: str) -> bool:
        return bool(self.url) and ("*" in self.enabled_events or kind in self.enabled_events)


def good_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return False


class Outbox:
    def __init__(self, body_of: Callable[[str], bytes], delivered: Callable[[str], None]) -> None:
        """`body_of` gives the bytes of an event by its id; `delivered` is told of each that was taken."""
        self.endpoint = Endpoint()
        self.hindrances = Hindrances()
        self.body_of, self.delivered = body_of, delivered
        self.log: deque[dict] = deque(maxlen=10_000)
        self.queue: list[tuple[float, int, Chain, int]] = []
        self.order = itertools.count()
        self.flying = 0
        self.changed = threading.Condition()
        for _ in range(WORKERS):
            threading.Thread(target=self.work, daemon=True).start()

    def post(self, event: str, kind: str) -> None:
        with self.changed:
            for due_in, chain in self.hindrances.passed(event, kind):
                self.put(due_in, chain)

    def release(self) -> None:
        """Sends what a reordering still holds back, though it has not seen all that it waits for."""
        with self.changed:
            for chain in self.hindrances.released():
                self.put(0.0, chain)

    def put(self, due_in: float, chain: Chain, attempt: int = 1) -> None:
        """A chain is sent one after another; its later events wait for the first attempt at the earlier ones only."""
        if chain and len(self.queue) < MAX_QUEUED:
            heapq.heappush(self.queue, (time.monotonic() + due_in, next(self.order), chain, attempt))
            self.changed.notify()

    def work(self) -> None:
        while True:
            chain, attempt = self.next()
            event, kind = chain[0]
            taken = False
            try:
                status = self.send(event)
                taken = isinstance(status, int) and 200 <= status < 300
                self.log.append({"event": event, "type": kind, "attempt": attempt, "status": status})
                if taken:
                    self.delivered(event)
            finally:
                with self.changed:
                    self.flying -= 1
                    if not taken and attempt < MAX_ATTEMPTS and self.endpoint.url:
                        wait = min(self.endpoint.retry_s * 2 ** (attempt - 1), LONGEST_WAIT_S)
                        self.put(wait, chain[:1], attempt + 1)
                    self.put(0.0, chain[1:])
                    self.changed.notify_all()

    def next(self) -> tuple[Chain, int]:
        with self.changed:
            while True:
                wait = self.queue[0][0] - time.monotonic() if self.queue else None
                if wait is not None and wait <= 0:
                    _, _, chain, attempt = heapq.heappop(self.queue)
                    self.flying += 1
                    return chain, attempt
                self.changed.wait(wait)

    def send(self, event: str, *, age_s: int = 0, secrets: list[str] | None = None) -> int | str:
        """The status of the answer, or why there was none. `age_s` dates the signature back."""
        if not self.endpoint.url:
            return "there is no endpoint any more"
        url = urlsplit(self.endpoint.url)
        body = self.body_of(event)
        signed = header(self.endpoint.secrets if secrets is None else secrets, int(time.time()) - age_s, body)
        kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
        connection = kind(url.hostname or "", url.port, timeout=TIMEOUT_S)
        try:
            connection.request("POST", (url.path or "/") + (f"?{url.query}" if url.query else ""), body, {
                "Content-Type": "application/json; charset=utf-8", "Stripe-Signature": signed,
                "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)", "Accept": "*/*"})
            answer = connection.getresponse()
            answer.read(65536)
            return answer.status
        except (OSError, http.client.HTTPException) as error:
            return f"{type(error).__name__}: {error}"
        finally:
            connection.close()

    def send_together(self, event: str, times: int, **how: object) -> list[int | str]:
        """The same event so many times at once, each from a thread of its own."""
        answers: list[int | str] = []
        start = threading.Barrier(times)

        def one() -> None:
            start.wait()
            answers.append(self.send(event, **how))  # type: ignore[arg-type]

        threads = [threading.Thread(target=one, daemon=True) for _ in range(times)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return answers

    def quiet(self, timeout_s: float) -> bool:
        """Waits until nothing is queued or on its way; false when that takes longer."""
        with self.changed:
            return self.changed.wait_for(lambda: not self.queue and not self.flying, timeout_s)
