"""Which function answers which call, with which parameters.

A resource's file registers its calls with `@call`; nothing else lists them, so the tables here are what the tests compare
with the official package.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from .errors import invalid
from .parameters import EXPAND, Table


@dataclass
class Request:
    """One call, as the function that answers it sees it."""

    method: str
    path: str
    params: dict
    ids: dict[str, str] = field(default_factory=dict)
    account: str | None = None
    idempotency_key: str | None = None
    request_id: str = ""


@dataclass(frozen=True)
class Call:
    method: str
    path: str
    table: Table
    answer: Callable[..., dict]
    pattern: re.Pattern[str]


CALLS: list[Call] = []


def call(method: str, path: str, table: Table | None = None) -> Callable[[Callable], Callable]:
    pattern = re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path))

    def register(answer: Callable) -> Callable:
        CALLS.append(Call(method, path, (EXPAND if method != "DELETE" else {}) | (table or {}), answer, pattern))
        return answer
    return register


def found(method: str, path: str) -> tuple[Call, dict[str, str]]:
    for known in CALLS:
        if known.method == method and (match := known.pattern.fullmatch(path)):
            return known, match.groupdict()
    raise invalid(f"Unrecognized request URL ({method}: {path}). If you are trying to list objects, remove the trailing "
                  "slash. If you are trying to retrieve an object, make sure you passed a valid (non-empty) identifier "
                  "in your code.", status=404, saved=False)
