"""`expand[]`: puts the object where its id stands, along paths such as `latest_charge.balance_transaction`."""

from .errors import invalid
from .lists import whole
from .state import State

# Field -> what its id names. `source` of a balance transaction may be of several kinds.
KINDS: dict[str, tuple[str, ...]] = {
    "balance_transaction": ("balance_transaction",), "charge": ("charge",), "customer": ("customer",),
    "default_payment_method": ("payment_method",), "destination": ("account",), "destination_payment": ("charge",),
    "failure_balance_transaction": ("balance_transaction",), "invoice": ("invoice",), "latest_charge": ("charge",),
    "payment_intent": ("payment_intent",), "payment_method": ("payment_method",), "product": ("product",),
    "setup_intent": ("setup_intent",), "source": ("charge", "refund", "transfer", "transfer_reversal", "dispute"),
    "source_transaction": ("charge",), "transfer": ("transfer",),
}
# Lists that Stripe leaves out unless asked for; their makers put them in `State.hidden`.
INCLUDABLE = {("checkout.session", "line_items"), ("charge", "refunds")}
# What lies on the way to something that can be expanded.
GROUPS = ("data", "invoice_settings", "reversals", "last_payment_error", "lines", "price")
MAX_DEPTH = 4


def checked(paths: list[str]) -> None:
    """Refuses what no object can expand, before any work is done."""
    known = {*KINDS, *GROUPS, *(name for _, name in INCLUDABLE)}
    for path in paths:
        parts = path.split(".")
        if len(parts) > MAX_DEPTH:
            raise invalid(f"You cannot expand more than {MAX_DEPTH} levels of a property. Property: {path}", param="expand",
                          saved=False)
        if not known.issuperset(parts) or parts[-1] in GROUPS:
            raise refused(path, saved=False)


def expanded(state: State, answer: dict, paths: list[str]) -> dict:
    """A copy where it must differ; what is stored stays as it is."""
    for path in paths:
        answer = along(state, answer, path.split("."), path)
    return answer


def along(state: State, holder: dict, parts: list[str], path: str) -> dict:
    name, rest = parts[0], parts[1:]
    if holder.get("object") == "list" and name == "data":
        if not rest:
            raise refused(path)
        return holder | {"data": [along(state, item, rest, path) for item in holder["data"]]}
    inner = holder.get(name)
    if (str(holder.get("object")), name) in INCLUDABLE:
        inner = inner or included(state, holder, name)
    elif name not in holder or not (name in KINDS or isinstance(inner, dict)):
        raise refused(path)
    elif isinstance(inner, str):
        inner = looked_up(state, name, inner)
    if rest and isinstance(inner, dict):
        inner = along(state, inner, rest, path)
    return holder | {name: inner}


def included(state: State, holder: dict, name: str) -> dict:
    if name == "line_items":
        data = state.secret(holder["id"])["line_items"]
        url = f"/v1/checkout/sessions/{holder['id']}/line_items"
    else:
        data = [refund for refund in reversed(state.objects["refund"].values()) if refund["charge"] == holder["id"]]
        url = f"/v1/charges/{holder['id']}/refunds"
    return whole(url, data)


def looked_up(state: State, name: str, given: str) -> dict | str:
    for kind in KINDS[name]:
        if given in state.objects[kind]:
            return state.objects[kind][given]
    return given


def refused(path: str, saved: bool = True) -> Exception:
    return invalid(f"This property cannot be expanded ({path}).", param="expand", code="invalid_expand", saved=saved)
