"""The knobs under `/_fake/`, as JSON: for tests, and for nobody else.

A knob names its fields and their types; anything else is refused, so that a test with a misspelt knob fails.
"""

import json
import re
from collections.abc import Callable
from urllib.parse import parse_qsl

from .api import Answer
from .errors import StripeError, invalid
from .world import World

Fields = dict[str, type | tuple[type, ...]]
KNOBS: list[tuple[str, str, re.Pattern[str], Fields, Callable[..., object]]] = []


def knob(method: str, path: str, /, **fields: type | tuple[type, ...]) -> Callable[[Callable], Callable]:
    pattern = re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path))

    def register(turn: Callable) -> Callable:
        KNOBS.append((method, path, pattern, fields, turn))
        return turn
    return register


def answer(world: World, method: str, path: str, query: str, body: bytes, content_type: str) -> Answer:
    try:
        done = turned(world, method, path, query, body, content_type)
        return shown(200, done)
    except StripeError as error:
        return shown(error.status, error.body())


def turned(world: World, method: str, path: str, query: str, body: bytes, content_type: str) -> object:
    for its_method, _, pattern, fields, turn in KNOBS:
        match = pattern.fullmatch(path)
        if match and its_method == method:
            given = dict(parse_qsl(query)) if method == "GET" else parsed(body, content_type)
            return turn(world, **match.groupdict(), **typed(given, fields))
    known = ", ".join(f"{its_method} {its_path}" for its_method, its_path, *_ in KNOBS)
    raise invalid(f"No such knob: {method} {path}. There are: {known}", status=404)


def parsed(body: bytes, content_type: str) -> dict:
    """A page of another site cannot send this type unasked, so it cannot turn the knobs of a demo."""
    if not body:
        return {}
    if not content_type.startswith("application/json"):
        raise invalid("Knobs take Content-Type: application/json", status=415)
    try:
        given = json.loads(body)
    except ValueError as error:
        raise invalid(f"Not JSON: {error}") from None
    if not isinstance(given, dict):
        raise invalid("A knob takes a JSON object")
    return given


def typed(given: dict, fields: Fields) -> dict:
    for name, value in given.items():
        if name not in fields:
            raise invalid(f"This knob has no field {name}; it has: {', '.join(fields) or 'none'}", param=name)
        if not isinstance(value, fields[name]):
            raise invalid(f"Field {name} must be {fields[name]}, not {value!r}", param=name)
    return given


def shown(status: int, body: object) -> Answer:
    return Answer(status, json.dumps(body, indent=2).encode(), {"Content-Type": "application/json"})
