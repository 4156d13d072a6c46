"""Events: what happened, with the object as it was then. Sent as webhooks, and listed at `/v1/events`."""

import copy
import json

from .lists import page
from .parameters import PAGE, boolean, created, text
from .routes import Request, call
from .state import State
from .world import World

API_VERSION = "2026-10-28.endive"


def emit(world: World, kind: str, subject: dict, previous: dict | None = None, account: str | None = None) -> dict:
    data: dict[str, object] = {"object": copy.deepcopy(subject)}
    if previous is not None:
        data["previous_attributes"] = previous
    cause = world.request
    event = world.state.add("event", {
        "type": kind, "data": data, "api_version": API_VERSION, "context": None,
        "pending_webhooks": int(world.outbox.endpoint.wants(kind)),
        "request": {"id": cause.request_id if cause else None,
                    "idempotency_key": cause.idempotency_key if cause else None}})
    if account:
        event["account"] = account
    if event["pending_webhooks"]:
        world.after.append((event["id"], kind))
    return event


def changed(world: World, kind: str, subject: dict, fields: dict, account: str | None = None) -> None:
    """Changes the object and tells of it, if anything differs."""
    previous = {name: subject.get(name) for name, value in fields.items() if subject.get(name) != value}
    subject |= fields
    if previous:
        emit(world, kind, subject, previous, account)


def body(state: State, event: str) -> bytes:
    """The bytes of a webhook; Stripe writes them with two spaces."""
    with state.lock:
        return json.dumps(state.objects["event"][event], indent=2).encode()


@call("GET", "/v1/events", PAGE | {"type": text, "types": [text], "created": created, "delivery_success": boolean})
def list_events(world: World, request: Request) -> dict:
    asked = request.params
    types = set(asked.get("types", [])) | ({asked["type"]} if "type" in asked else set())

    def fits(event: dict) -> bool:
        if "delivery_success" in asked and asked["delivery_success"] != (event["pending_webhooks"] == 0):
            return False
        return not types or any(event["type"] == kind or (kind.endswith("*") and event["type"].startswith(kind[:-1]))
                                for kind in types)
    return page("/v1/events", world.newest("event"), asked, fits)


@call("GET", "/v1/events/{id}")
def get_event(world: World, request: Request) -> dict:
    return world.state.find("event", request.ids["id"], "id", 404)


def delivered(state: State, event: str) -> None:
    with state.lock:
        state.objects["event"][event]["pending_webhooks"] = 0
