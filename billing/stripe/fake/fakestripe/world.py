"""The parts of the fake that every call needs, in one hand."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from .faults import Faults
from .idempotency import Keys
from .routes import Request
from .state import State
from .webhooks import Outbox

MAX_CALLS_KEPT = 50_000


class World:
    def __init__(self, state: State, outbox: Outbox, base_url: str) -> None:
        self.state = state
        self.outbox = outbox
        self.keys = Keys(state)
        self.faults = Faults()
        self.base_url = base_url
        self.calls: deque[dict] = deque(maxlen=MAX_CALLS_KEPT)
        # Sales tax of a session with automatic tax, in per cent of what is sold.
        self.tax_percent = 0
        # The call at work, what still follows from it, and the events that leave when it is done; under the lock.
        self.request: Request | None = None
        self.then: list[Callable[[], object]] = []
        self.after: list[tuple[str, str]] = []

    def newest(self, kind: str) -> Iterable[dict]:
        return reversed(self.state.objects[kind].values())

    @contextmanager
    def work(self, request: Request | None = None) -> Iterator[None]:
        """One piece of work, alone, failed or not: then it is on disk, and then its events leave."""
        with self.state.lock:
            self.request = request
            try:
                yield
            finally:
                self.follow_up()
                self.request = None
                self.state.save()
                ready, self.after = self.after, []
                for event, kind in ready:
                    self.outbox.post(event, kind)

    def follow_up(self) -> None:
        ready, self.then = self.then, []
        for follows in ready:
            follows()
