"""Knobs of the machine: outages, webhooks, the clock, and what was seen."""

from dataclasses import asdict

from . import refunds, sessions
from .control import knob
from .errors import invalid
from .faults import MODES, Fault
from .hindrances import KINDS, Hindrance
from .totals import totals
from .webhooks import good_url
from .world import World

MAX_TOGETHER = 500


@knob("GET", "/_fake/health")
def health(world: World) -> dict:
    return {"fake": True, "now": world.state.now(), "url": world.base_url}


@knob("POST", "/_fake/outage", mode=str, count=int, status=int, ms=int, method=str, path=str)
def outage(world: World, **fields: object) -> dict:
    if fields.get("mode") not in MODES:
        raise invalid(f"mode must be one of {', '.join(MODES)}", param="mode")
    fault = Fault(**fields)  # type: ignore[arg-type]
    world.faults.add(fault)
    return fault.shown()


@knob("GET", "/_fake/outage")
def outages(world: World) -> dict:
    return {"outages": [fault.shown() for fault in world.faults.rules], "modes": MODES}


@knob("DELETE", "/_fake/outage")
def no_outage(world: World) -> dict:
    world.faults.clear()
    return {}


@knob("PUT", "/_fake/endpoint", url=(str, type(None)), secrets=list, enabled_events=list, retry_s=(int, float))
def endpoint(world: World, **fields: object) -> dict:
    url = fields.get("url")
    if isinstance(url, str) and not good_url(url):
        raise invalid(f"url must be http://HOST:PORT/PATH, not {url}", param="url")
    for name, value in fields.items():
        setattr(world.outbox.endpoint, name, value)
    return asdict(world.outbox.endpoint)


@knob("POST", "/_fake/webhooks", do=str, types=list, count=int, ms=int, times=int)
def hinder(world: World, **fields: object) -> dict:
    if fields.get("do") not in KINDS:
        raise invalid(f"do must be one of {', '.join(KINDS)}", param="do")
    if fields["do"] == "reorder" and "count" not in fields:
        raise invalid("reorder needs count: how many events to hold before they go out backwards", param="count")
    rule = Hindrance(**fields)  # type: ignore[arg-type]
    world.outbox.hindrances.rules.append(rule)
    return asdict(rule)


@knob("DELETE", "/_fake/webhooks")
def unhinder(world: World) -> dict:
    world.outbox.release()
    world.outbox.hindrances.rules.clear()
    return {}


@knob("GET", "/_fake/deliveries", type=str, event=str)
def deliveries(world: World, **wanted: str) -> dict:
    return {"deliveries": [entry for entry in list(world.outbox.log)
                           if all(entry[name] == value for name, value in wanted.items())]}


@knob("POST", "/_fake/wait", timeout_s=(int, float))
def wait(world: World, timeout_s: float = 10) -> dict:
    """Waits until no webhook is queued or under way, retries included."""
    return {"quiet": world.outbox.quiet(min(timeout_s, 60))}


@knob("POST", "/_fake/events/{event}/send", times=int, age_s=int, secrets=list)
def send(world: World, event: str, times: int = 1, **how: object) -> dict:
    """Sends an event so many times at once and says what was answered."""
    world.state.find("event", event, "id", 404)
    if not 1 <= times <= MAX_TOGETHER:
        raise invalid(f"times is 1 to {MAX_TOGETHER}", param="times")
    if not world.outbox.endpoint.url:
        raise invalid("There is no endpoint to send to; set one with PUT /_fake/endpoint")
    return {"answers": world.outbox.send_together(event, times, **how)}


@knob("POST", "/_fake/clock", advance_s=int, now=int)
def clock(world: World, advance_s: int = 0, now: int | None = None) -> dict:
    with world.work():
        world.state.ahead_s += advance_s if now is None else now - world.state.now()
        come_due(world)
        return {"now": world.state.now(), "ahead_s": world.state.ahead_s}


def tick(world: World) -> None:
    with world.state.lock:
        come_due(world)
        pending = bool(world.after)
    if pending:
        with world.work():
            pass


def come_due(world: World) -> None:
    """What happens because time has passed."""
    sessions.expire_due(world)
    refunds.settle_due(world)


@knob("POST", "/_fake/settings", tax_percent=int)
def settings(world: World, tax_percent: int | None = None) -> dict:
    if tax_percent is not None:
        world.tax_percent = tax_percent
    return {"tax_percent": world.tax_percent}


@knob("GET", "/_fake/calls", method=str, path=str, idempotency_key=str)
def calls(world: World, method: str | None = None, path: str = "/", idempotency_key: str | None = None) -> dict:
    """Calls of the API, the oldest first; `path` is how it begins. `worked` says that this call, not a replay, did it."""
    return {"calls": [record for record in list(world.calls)
                      if record["path"].startswith(path) and method in (None, record["method"])
                      and idempotency_key in (None, record["idempotency_key"])]}


@knob("GET", "/_fake/totals", customer=str)
def all_totals(world: World, customer: str | None = None) -> dict:
    with world.state.lock:
        return totals(world, customer)
