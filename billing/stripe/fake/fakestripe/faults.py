"""Outages by order of a test: what goes wrong with the next calls, before or after the work is done."""

import threading
from dataclasses import dataclass, field

LONGEST_HANG_S = 120.0
MODES = {
    "error": "answers `status` and does no work",
    "error_after": "does the work, then answers `status`; the idempotency key remembers that answer, as Stripe's does",
    "drop": "closes the connection and does no work",
    "drop_after": "does the work, then closes the connection",
    "hang": "does no work and never answers",
    "hang_after": "does the work and never answers",
    "delay": "waits `ms` and then works",
}


@dataclass
class Fault:
    """`count` is how many calls it still meets, `None` for all until it is cleared."""

    mode: str
    count: int | None = None
    status: int = 503
    ms: int = 0
    method: str | None = None
    path: str = "/v1/"
    # Set when the outage is cleared: then calls that it holds go on.
    ended: threading.Event = field(default_factory=threading.Event)

    def wait(self, seconds: float) -> None:
        self.ended.wait(min(seconds, LONGEST_HANG_S))

    def shown(self) -> dict:
        return {name: value for name, value in vars(self).items() if name != "ended"}


class Faults:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.rules: list[Fault] = []

    def add(self, fault: Fault) -> None:
        with self.lock:
            self.rules.append(fault)

    def clear(self) -> None:
        """Ends all outages; calls that hang are cut off."""
        with self.lock:
            for rule in self.rules:
                rule.ended.set()
            self.rules.clear()

    def met(self, method: str, path: str) -> Fault | None:
        with self.lock:
            for rule in self.rules:
                if rule.count != 0 and path.startswith(rule.path) and rule.method in (None, method):
                    if rule.count is not None:
                        rule.count -= 1
                    return rule
        return None
