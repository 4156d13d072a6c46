"""Callers that keep asking while processes come and go, and write down what became of every request."""

import threading
from dataclasses import dataclass, field
from types import TracebackType

import httpx

from .asking import events, stream
from .gateway import Account
from .prices import nanos


@dataclass
class Asked:
    """One request as its caller saw it."""

    id: str | None = None
    status: int | None = None
    words: int = 0
    # Nano-USD as told in the usage chunk. None: the answer did not come to its end.
    cost: int | None = None
    failure: str | None = None


@dataclass
class Load:
    """Callers at work inside a `with`; afterwards `asked` holds all they did."""

    account: Account
    directives: str
    callers: int = 8
    max_tokens: int = 40
    asked: list[Asked] = field(default_factory=list)

    def __enter__(self) -> "Load":
        self._done = threading.Event()
        self._threads = [threading.Thread(target=self._keep_asking) for _ in range(self.callers)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._done.set()
        for thread in self._threads:
            thread.join()

    def finished(self) -> list[Asked]:
        return [asked for asked in list(self.asked) if asked.cost is not None]

    def _keep_asking(self) -> None:
        while not self._done.is_set():
            asked = Asked()
            try:
                self._ask(asked)
            except httpx.TransportError as error:
                asked.failure = repr(error)
                # The gateway may be away: a moment's wait that ends early with the test.
                self._done.wait(0.02)
            self.asked.append(asked)

    def _ask(self, asked: Asked) -> None:
        with stream(self.account, self.directives, max_tokens=self.max_tokens) as response:
            asked.id, asked.status = response.headers.get("x-request-id"), response.status_code
            if asked.status != 200:
                asked.failure = response.read().decode()
                self._done.wait(0.02)
                return
            for event in events(response):
                if "error" in event:
                    asked.failure = event["error"]["message"]
                elif event["choices"]:
                    asked.words += bool(event["choices"][0]["delta"].get("content"))
                else:
                    asked.cost = nanos(event["usage"]["cost"])
