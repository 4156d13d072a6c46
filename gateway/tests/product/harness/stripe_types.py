"""What the official package says of parameters and objects, read from its type hints.

Stripe generates them from its OpenAPI document, so a fake that agrees with them agrees with Stripe.
"""

import inspect
import re
import sys
import types
import typing
from typing import Any, ForwardRef, Literal, Union

import stripe
import typing_extensions
from stripe._object_classes import get_object_class


def arms(hint: Any, module: str) -> list[Any]:
    """The alternatives of a hint, without wrappers and quotes; names that cannot be resolved stay forward references."""
    if isinstance(hint, str):
        hint = ForwardRef(hint)
    if isinstance(hint, ForwardRef):
        found = evaluated(hint.__forward_arg__, module)
        return [hint] if found is None else arms(found, module)
    origin = typing.get_origin(hint)
    if origin in (typing_extensions.NotRequired, typing.NotRequired):
        return arms(typing.get_args(hint)[0], module)
    if origin in (Union, types.UnionType):
        return [arm for part in typing.get_args(hint) for arm in arms(part, module)]
    return [hint]


def evaluated(text: str, module: str) -> Any:
    """`A|B` of quoted names is no valid operation of Python on strings, so it is split first."""
    parts = re.split(r"\|(?![^\[]*\])", text)
    if len(parts) > 1:
        found = [evaluated(part, module) or ForwardRef(part) for part in parts]
        return Union[tuple(found)]
    try:
        return eval(text, dict(vars(sys.modules[module])))  # noqa: S307: the package's own hints
    except (NameError, TypeError, SyntaxError):
        return getattr(stripe, text, None) if text.isidentifier() else None


def parameters(path: str) -> type:
    """The class of parameters of that name, such as `checkout.SessionCreateParams`."""
    found = stripe.params
    for part in path.split("."):
        found = getattr(found, part)
    return found


def unknown_parameters(table: dict, hints: type, inside: str = "") -> list[str]:
    """Names of the table that Stripe does not have, and choices that Stripe does not offer."""
    wrong = []
    known = {name: hint for base in reversed(hints.__mro__) for name, hint in getattr(base, "__annotations__", {}).items()}
    known |= vars(hints).get("__annotations__", {})
    for name, kind in table.items():
        name = name.removesuffix("!")
        here = f"{inside}[{name}]" if inside else name
        if name not in known:
            wrong.append(here)
        else:
            wrong += disagreements(kind, arms(known[name], hints.__module__), hints.__module__, here)
    return wrong


def disagreements(kind: object, hints: list[Any], module: str, here: str) -> list[str]:
    if isinstance(kind, list):
        inner = [part for hint in hints if typing.get_origin(hint) is list for part in arms(typing.get_args(hint)[0], module)]
        return disagreements(kind[0], inner, module, here) if inner else [f"{here} is no list"]
    if isinstance(kind, dict):
        groups = [hint for hint in hints if inspect.isclass(hint) and typing_extensions.is_typeddict(hint)]
        return unknown_parameters(kind, groups[0], here) if groups else [f"{here} is no group"]
    offered = {value for hint in hints if typing.get_origin(hint) is Literal for value in typing.get_args(hint)}
    return [f"{here}={value}" for value in getattr(kind, "allowed", ()) if offered and value not in offered]


def misshapen(body: dict, where: str = "") -> list[str]:
    """How an object of the API differs from its class: fields missing, invented, or of another type."""
    where = where or f"{body['object']} {body.get('id', '')}"
    return differs(body, get_object_class("V1", body["object"]), where)


def differs(body: dict, shape: type, where: str) -> list[str]:
    hints = {name: hint for name, hint in shape.__annotations__.items() if typing.get_origin(hint) is not typing.ClassVar}
    wrong = [f"{where}.{name} is no field of {shape.__qualname__}" for name in body if name not in hints]
    if body.get("deleted"):
        return wrong
    for name, hint in hints.items():
        options = arms(hint, shape.__module__)
        if name in body:
            wrong += mismatch(body[name], options, shape.__module__, f"{where}.{name}")
        elif type(None) not in options:
            wrong.append(f"{where}.{name} is missing")
    return wrong


def mismatch(value: object, options: list[Any], module: str, where: str) -> list[str]:
    if value is None:
        return [] if type(None) in options else [f"{where} is null"]
    literals = {arm for option in options if typing.get_origin(option) is Literal for arm in typing.get_args(option)}
    if isinstance(value, str):
        if literals:
            return [] if value in literals else [f"{where} is {value!r}, not one of {sorted(literals)[:8]}"]
        return [] if str in options else [f"{where} is text"]
    if isinstance(value, (bool, int, float)):
        return [] if type(value) in options else [f"{where} is a {type(value).__name__}"]
    if isinstance(value, list):
        inner = [arms(typing.get_args(option)[0], module) for option in options if typing.get_origin(option) is list]
        return [fault for place, item in enumerate(value) for fault in mismatch(item, inner[0], module, f"{where}[{place}]")] \
            if inner else [f"{where} is a list"]
    return group(value, options, where)


def group(value: dict, options: list[Any], where: str) -> list[str]:
    if value.get("object") == "list":
        return [fault for item in value["data"] for fault in misshapen(item, f"{where}.data")]
    if isinstance(value.get("object"), str):
        return misshapen(value, where)
    free = [typing.get_args(option)[-1] for option in options
            if getattr(typing.get_origin(option), "__name__", "") in ("UntypedStripeObject", "dict")]
    if free:
        return [f"{where}.{name} is no text" for name, part in value.items() if str in free and not isinstance(part, str)]
    shapes = [option for option in options if inspect.isclass(option) and hasattr(option, "__annotations__")]
    return differs(value, shapes[0], where) if shapes else [f"{where} is a group"]
