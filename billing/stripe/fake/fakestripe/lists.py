"""Stripe's lists: the newest first, a page at a time, with a cursor that is the id of an object."""

from collections.abc import Callable, Iterable
from itertools import islice

from .errors import missing


def page(url: str, newest_first: Iterable[dict], params: dict, fits: Callable[[dict], bool] = lambda _: True) -> dict:
    size = params.get("limit", 10)
    wanted = (item for item in newest_first if fits(item) and within(item, params.get("created")))
    if "ending_before" in params:
        before = list(up_to(wanted, params["ending_before"], "ending_before"))
        data, more = before[-size:], len(before) > size
    else:
        if "starting_after" in params:
            wanted = after(wanted, params["starting_after"])
        data = list(islice(wanted, size + 1))
        data, more = data[:size], len(data) > size
    return {"object": "list", "url": url, "has_more": more, "data": data}


def whole(url: str, data: list[dict]) -> dict:
    """A list inside an object, such as the reversals of a transfer."""
    return {"object": "list", "url": url, "has_more": False, "data": data}


def within(item: dict, bounds: dict[str, int] | None) -> bool:
    at = item.get("created", 0)
    compare = {"eq": at.__eq__, "gt": at.__gt__, "gte": at.__ge__, "lt": at.__lt__, "lte": at.__le__}
    return all(compare[name](bound) for name, bound in (bounds or {}).items())


def after(items: Iterable[dict], cursor: str) -> Iterable[dict]:
    rest = iter(items)
    for item in rest:
        if item["id"] == cursor:
            return rest
    raise missing("object", cursor, "starting_after")


def up_to(items: Iterable[dict], cursor: str, param: str) -> Iterable[dict]:
    for item in items:
        if item["id"] == cursor:
            return
        yield item
    raise missing("object", cursor, param)
