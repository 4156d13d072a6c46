"""Stripe's form encoding: `line_items[0][price_data][currency]=usd&expand[]=customer` as nested dictionaries and lists."""

import re
from urllib.parse import parse_qsl

from .errors import invalid

MAX_FIELDS = 1000
MAX_DEPTH = 8
KEY = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")


def decode(text: str) -> dict[str, object]:
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="strict")
    except ValueError as error:
        raise invalid(f"Invalid request body: {error}", saved=False) from None
    tree: dict[str, object] = {}
    for key, value in pairs:
        insert(tree, key, value)
    return {name: with_lists(value) for name, value in tree.items()}


def insert(tree: dict, key: str, value: str) -> None:
    match = KEY.fullmatch(key)
    if match is None:
        raise invalid(f"Invalid parameter name: {key}", param=key, saved=False)
    path = [match[1], *re.findall(r"\[([^\[\]]*)\]", match[2])]
    if len(path) > MAX_DEPTH:
        raise invalid(f"Parameter nested deeper than {MAX_DEPTH}: {key}", param=key, saved=False)
    for part in path[:-1]:
        tree = tree.setdefault(part or str(len(tree)), {})
        if not isinstance(tree, dict):
            raise invalid(f"Parameter {key} is given both as a value and as a group", param=key, saved=False)
    last = path[-1] or str(len(tree))
    if last in tree:
        raise invalid(f"Parameter given twice: {key}", param=key, saved=False)
    tree[last] = value


def with_lists(value: object) -> object:
    """A group whose names are all numbers is a list, in the order of the numbers."""
    if not isinstance(value, dict):
        return value
    inner = {name: with_lists(part) for name, part in value.items()}
    if inner and all(name.isascii() and name.isdigit() for name in inner):
        return [inner[name] for name in sorted(inner, key=int)]
    return inner
