"""Checks the parameters of a call against its table, and gives them types.

A table maps names to what a value must be; a name that ends in `!` is required. A dictionary is a group, a list of one
is a list of that. Stripe refuses a parameter that it does not know, and so does this: a client that misspells one
must hear of it here and not first in production.
"""

import re
from collections.abc import Callable

from .errors import invalid

Value = Callable[[str, str], object]
Table = dict[str, object]


def refused(message: str, param: str, code: str | None = None) -> Exception:
    return invalid(message, code=code, param=param, saved=False)


def checked(given: dict, table: Table, inside: str = "") -> dict:
    known = {name.removesuffix("!"): kind for name, kind in table.items()}
    unknown = [name_in(inside, name) for name in given if name not in known]
    if unknown:
        word = "parameters" if len(unknown) > 1 else "parameter"
        raise refused(f"Received unknown {word}: {', '.join(unknown)}", unknown[0], "parameter_unknown")
    for name in table:
        if name.endswith("!") and name[:-1] not in given:
            param = name_in(inside, name[:-1])
            raise refused(f"Missing required param: {param}.", param, "parameter_missing")
    return {name: converted(value, known[name], name_in(inside, name)) for name, value in given.items()}


def name_in(inside: str, name: object) -> str:
    return f"{inside}[{name}]" if inside else str(name)


def converted(value: object, kind: object, param: str) -> object:
    if isinstance(kind, dict):
        if value == "":
            return {}
        if not isinstance(value, dict):
            raise refused("Invalid object", param)
        return checked(value, kind, param)
    if isinstance(kind, list):
        if value == "":
            return []
        if not isinstance(value, list):
            raise refused("Invalid array", param)
        return [converted(item, kind[0], name_in(param, place)) for place, item in enumerate(value)]
    return kind(value, param)  # type: ignore[operator]


def text(value: object, param: str) -> str:
    if not isinstance(value, str):
        raise refused(f"Invalid string: {value}", param)
    if value == "":
        raise refused(f"You passed an empty string for '{param}'. We assume empty values are an attempt to unset a field; "
                      f"however '{param}' cannot be unset. You should remove '{param}' from your request or supply a "
                      "non-empty value.", param, "parameter_invalid_empty")
    if len(value) > 5000:
        raise refused(f"Invalid string: {value[:20]}…{value[-20:]}; must be at most 5000 characters", param)
    return value


def clearable(value: object, param: str) -> str | None:
    """Text that an empty value unsets."""
    return None if value == "" else text(value, param)


def url(value: object, param: str) -> str:
    address = text(value, param)
    if not address.startswith(("http://", "https://")):
        raise refused("Not a valid URL", param, "url_invalid")
    return address


def integer(value: object, param: str) -> int:
    if not isinstance(value, str) or not re.fullmatch(r"-?[0-9]{1,18}", value):
        raise refused(f"Invalid integer: {value}", param, "parameter_invalid_integer")
    return int(value)


def amount(value: object, param: str) -> int:
    """An amount of the smallest unit of a currency."""
    cents = integer(value, param)
    if cents < 0:
        raise refused("Invalid non-negative integer", param, "parameter_invalid_integer")
    if cents > 99_999_999:
        raise refused("Amount must be no more than $999,999.99", param, "amount_too_large")
    return cents


def positive(value: object, param: str) -> int:
    number = amount(value, param)
    if number < 1:
        raise refused("This value must be greater than or equal to 1.", param, "parameter_invalid_integer")
    return number


def boolean(value: object, param: str) -> bool:
    if value not in ("true", "false"):
        raise refused(f"Invalid boolean: {value}", param)
    return value == "true"


def currency(value: object, param: str) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z]{3}", value):
        raise refused(f"Invalid currency: {value}. Stripe currently supports three-letter ISO codes.", param)
    return value.lower()


def choice(*allowed: str) -> Value:
    def chosen(value: object, param: str) -> str:
        if value not in allowed:
            raise refused(f"Invalid {param}: must be one of {', '.join(allowed)}", param)
        return value  # type: ignore[return-value]
    chosen.allowed = allowed  # type: ignore[attr-defined]
    return chosen


def metadata(value: object, param: str) -> dict[str, str]:
    """Up to 50 names of 40 characters with values of 500; an empty value takes a name away."""
    if value == "":
        return {}
    if not isinstance(value, dict) or any(not isinstance(part, str) for part in value.values()):
        raise refused("Invalid object", param)
    if len(value) > 50:
        raise refused("Metadata can have at most 50 keys", param)
    for name, part in value.items():
        if len(name) > 40 or len(part) > 500:
            raise refused(f"Metadata name over 40 or value over 500 characters: {name[:60]}", name_in(param, name))
    return value


def created(value: object, param: str) -> dict[str, int]:
    """A moment, or bounds of one: `created[gte]=…`."""
    if isinstance(value, str):
        return {"eq": integer(value, param)}
    return checked(value, dict.fromkeys(("gt", "gte", "lt", "lte"), integer), param)  # type: ignore[arg-type]


def limit(value: object, param: str) -> int:
    number = integer(value, param)
    if not 1 <= number <= 100:
        raise refused("This value must be between 1 and 100.", param, "parameter_invalid_integer")
    return number


ADDRESS: Table = {"line1": clearable, "line2": clearable, "city": clearable, "state": clearable,
                  "postal_code": clearable, "country": clearable}
EXPAND: Table = {"expand": [text]}
PAGE: Table = {"limit": limit, "starting_after": text, "ending_before": text, "expand": [text]}
