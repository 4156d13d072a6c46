"""Outages by order of a test: what goes wrong with the next calls, before or after the work is done."""

import threading
from dataclasses import dataclass

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

    @property
    def after_work(self) -> bool:
        return self.mode.endswith("_after")


class Faults:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.rules: list[Fault] = []
        self.cleared = threading.Event()

    def add(self, fault: Fault) -> None:
        with self.lock:
            self.rules.append(fault)

    def clear(self) -> None:
        """Ends all outages; calls that hang are cut off."""
        with self.lock:
            self.rules.clear()
            self.cleared.set()
            self.cleared = threading.Event()

    def met(self, method: str, path: str) -> Fault | None:
        with self.lock:
            for rule in self.rules:
                if rule.count != 0 and path.startswith(rule.path) and rule.method in (None, method):
                    if rule.count is not None:
                        rule.count -= 1
                    return rule
        return None

    def wait(self, seconds: float) -> None:
        self.cleared.wait(min(seconds, LONGEST_HANG_S))
