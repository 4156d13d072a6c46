"""Answers one call of the API: who calls, with what, whether it was answered before, and what goes wrong on purpose."""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from . import accounts, expand, routes
from .errors import StripeError, invalid
from .events import API_VERSION
from .faults import LONGEST_HANG_S, Fault
from .forms import decode
from .parameters import checked
from .routes import Request
from .state import new_id
from .world import World

KEYS = ("sk_test_", "rk_test_")
# Calls that know a connected account from the platform; elsewhere the header would be believed and ignored.
FOR_ACCOUNTS = ("/v1/balance", "/v1/balance_transactions")


@dataclass
class Answer:
    """What goes back; `cut` closes the connection instead."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False


def answer(world: World, method: str, path: str, raw: str, headers: Mapping[str, str]) -> Answer:
    request = Request(method, path, {}, request_id=new_id("req_", 14), account=headers.get("Stripe-Account"),
                      idempotency_key=headers.get("Idempotency-Key") if method == "POST" else None)
    fault = world.faults.met(method, path)
    record = {"method": method, "path": path, "params": {}, "idempotency_key": request.idempotency_key,
              "account": request.account, "request_id": request.request_id, "fault": fault and fault.mode, "waits": False,
              "worked": False, "replayed": False, "status": None, "at": world.state.now()}
    world.calls.append(record)
    if fault and fault.mode in ("hang", "drop"):
        return cut(fault, record)
    extra: dict[str, str] = {}
    try:
        if fault and fault.mode == "error":
            raise outage(fault)
        status, body = worked(world, request, raw, headers, fault, record, extra)
    except StripeError as error:
        status, body = error.status, text_of(error.body())
    if fault and fault.mode in ("hang_after", "drop_after"):
        return cut(fault, record)
    record["status"] = status
    version = headers.get("Stripe-Version", API_VERSION)
    return Answer(status, body.encode(), extra | {
        "Content-Type": "application/json", "Request-Id": request.request_id, "Stripe-Version": version} | (
            {"Idempotency-Key": request.idempotency_key} if request.idempotency_key else {}))


def worked(world: World, request: Request, raw: str, headers: Mapping[str, str], fault: Fault | None, record: dict,
           extra: dict[str, str]) -> tuple[int, str]:
    authenticated(headers.get("Authorization", ""))
    known, request.ids = routes.found(request.method, request.path)
    request.params = checked(decode(raw), known.table)
    expand.checked(request.params.get("expand", []))
    record["params"] = request.params
    if request.account and request.path.split("/txn_")[0] not in FOR_ACCOUNTS:
        raise invalid(f"The fake answers for a connected account only at {', '.join(FOR_ACCOUNTS)}; leave Stripe-Account out",
                      saved=False)
    if request.account and request.account not in world.state.objects["account"]:
        raise accounts.no_access(request.account)
    if request.idempotency_key:
        with world.state.lock:
            earlier = world.keys.take(request)
        if earlier:
            record["replayed"] = True
            extra |= {"Idempotent-Replayed": "true", "Original-Request": earlier["request"]}
            return earlier["status"], earlier["body"]
    if fault and fault.mode == "delay":
        record["waits"] = True
        fault.wait(fault.ms / 1000)
    status, body, saved = 500, "", False
    with world.work(request):
        try:
            record["worked"] = True
            status, body, saved = performed(world, request, known, fault)
        finally:
            if request.idempotency_key:
                world.keys.settle(request, status, body if saved else None)
    return status, body


def performed(world: World, request: Request, known: routes.Call, fault: Fault | None) -> tuple[int, str, bool]:
    """The work itself: status, body, and whether an idempotency key remembers them."""
    try:
        done = known.answer(world, request)
        world.follow_up()
        status, body, saved = 200, text_of(expand.expanded(world.state, done, request.params.get("expand", []))), True
    except StripeError as error:
        status, body, saved = error.status, text_of(error.body()), error.saved
    if fault and fault.mode == "error_after":
        error = outage(fault)
        status, body, saved = error.status, text_of(error.body()), True
    return status, body, saved


def authenticated(given: str) -> None:
    scheme, _, rest = given.partition(" ")
    key = rest.strip()
    if scheme.lower() == "basic":
        try:
            key = base64.b64decode(key, validate=True).decode().partition(":")[0]
        except (binascii.Error, UnicodeDecodeError):
            key = ""
    if not key or scheme.lower() not in ("basic", "bearer"):
        raise invalid("You did not provide an API key. You need to provide your API key in the Authorization header, using "
                      "Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY').", status=401, saved=False)
    if key.startswith(("sk_live_", "rk_live_")):
        raise invalid("This is a fake Stripe: never give it a live key. Use sk_test_ and anything.", status=401, saved=False)
    if not key.startswith(KEYS) or key in KEYS:
        raise invalid(f"Invalid API Key provided: {key[:8]}****", status=401, saved=False)


def outage(fault: Fault) -> StripeError:
    return StripeError(fault.status, "rate_limit_error" if fault.status == 429 else "api_error",
                       "Request rate limit exceeded." if fault.status == 429 else
                       "An unknown error occurred. (A fake outage.)", saved=False,
                       **({"code": "rate_limit"} if fault.status == 429 else {}))


def cut(fault: Fault, record: dict) -> Answer:
    if fault.mode.startswith("hang"):
        record["waits"] = True
        fault.wait(LONGEST_HANG_S)
    return Answer(0, b"", cut=True)


def text_of(body: dict) -> str:
    return json.dumps(body, indent=2)
