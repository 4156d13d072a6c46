"""Refunds: never more than was captured, never of money that a dispute has taken."""

from . import balance, disputes, fraud
from .cards import card
from .errors import invalid, money
from .events import changed, emit
from .lists import page
from .methods import merged
from .parameters import PAGE, choice, created, metadata, positive, text
from .routes import Request, call
from .world import World

SETTLES_AFTER_S = 60
REASONS = choice("duplicate", "fraudulent", "requested_by_customer")


@call("POST", "/v1/refunds", {"charge": text, "payment_intent": text, "amount": positive, "reason": REASONS,
                              "metadata": metadata})
def create(world: World, request: Request) -> dict:
    asked = request.params
    charge = charge_of(world, asked)
    amount = refundable(world, charge, asked.get("amount"))
    how = card(world.state.secret(charge["id"])["number"]).refunds
    refund = world.state.add("refund", {
        "amount": amount, "balance_transaction": None, "charge": charge["id"], "currency": charge["currency"],
        "customer": charge["customer"],
        "destination_details": {"type": "card", "card": {
            "type": "refund", "reference": None, "reference_status": "pending", "reference_type": "acquirer_reference_number"}},
        "failure_balance_transaction": None, "metadata": asked.get("metadata", {}),
        "payment_intent": charge["payment_intent"], "payment_method": charge["payment_method"], "pending_reason": None,
        "reason": asked.get("reason"), "receipt_number": None, "source_transfer_reversal": None,
        "status": "pending" if how == "pending" else "succeeded", "transfer_reversal": None})
    if how == "pending":
        refund["pending_reason"] = "processing"
    refund["balance_transaction"] = balance.enter(world, "refund", refund, -amount)["id"]
    back = charge["amount_refunded"] + amount
    emit(world, "refund.created", refund)
    changed(world, "charge.refunded", charge, {"amount_refunded": back, "refunded": back == charge["amount"]})
    fraud.refunded(world, charge)
    if how != "succeeded":
        world.state.secret(refund["id"]).update(how=how, settles_at=world.state.now() + SETTLES_AFTER_S)
    return refund


def charge_of(world: World, asked: dict) -> dict:
    if "charge" in asked:
        charge = world.state.find("charge", asked["charge"], "charge")
        if asked.get("payment_intent", charge["payment_intent"]) != charge["payment_intent"]:
            raise invalid(f"Charge {charge['id']} does not belong to PaymentIntent {asked['payment_intent']}.", param="charge")
        return charge
    if "payment_intent" not in asked:
        raise invalid("One of the following params should be provided for this request: payment_intent or charge.",
                      code="parameter_missing", saved=False)
    intent = world.state.find("payment_intent", asked["payment_intent"], "payment_intent")
    charge = world.state.objects["charge"].get(intent["latest_charge"] or "")
    if charge is None or not charge["captured"]:
        raise invalid(f"This PaymentIntent ({intent['id']}) does not have a successful charge to refund.",
                      code="payment_intent_unexpected_state", param="payment_intent")
    return charge


def refundable(world: World, charge: dict, wanted: int | None) -> int:
    if not charge["captured"]:
        raise invalid(f"Charge {charge['id']} is not captured; there is nothing to refund.", param="charge")
    if disputes.blocks_refund(world, charge):
        raise invalid(f"Charge {charge['id']} has been charged back; cannot issue a refund.", code="charge_disputed")
    left = charge["amount"] - charge["amount_refunded"]
    if left == 0:
        raise invalid(f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded")
    amount = left if wanted is None else wanted
    if amount > left:
        raise invalid(f"Refund amount ({money(amount, charge['currency'])}) is greater than unrefunded amount on charge "
                      f"({money(left, charge['currency'])})", param="amount")
    return amount


def settle_due(world: World) -> None:
    """Refunds that the bank takes its time for come to their end."""
    for refund in list(world.state.objects["refund"].values()):
        secret = world.state.hidden.get(refund["id"], {})
        if secret.get("settles_at", world.state.now() + 1) > world.state.now():
            continue
        del secret["settles_at"]
        if secret["how"] == "failed" and refund["status"] != "failed":
            failed(world, refund, "expired_or_canceled_card")
        elif refund["status"] == "pending":
            changed(world, "refund.updated", refund, {"status": "succeeded", "pending_reason": None})
            emit(world, "charge.refund.updated", refund)


def failed(world: World, refund: dict, reason: str) -> None:
    """The bank sent the money back: it is on the balance again, and the customer has not got it."""
    if refund["status"] not in ("succeeded", "pending"):
        raise invalid(f"Refund {refund['id']} has the status {refund['status']} and cannot fail.")
    entry = balance.enter(world, "refund_failure", refund, refund["amount"])
    charge = world.state.objects["charge"][refund["charge"]]
    charge |= {"amount_refunded": charge["amount_refunded"] - refund["amount"], "refunded": False}
    refund |= {"status": "failed", "failure_reason": reason, "failure_balance_transaction": entry["id"],
               "pending_reason": None}
    for kind in ("refund.failed", "refund.updated", "charge.refund.updated"):
        emit(world, kind, refund)


@call("GET", "/v1/refunds", PAGE | {"charge": text, "payment_intent": text, "created": created})
def list_all(world: World, request: Request) -> dict:
    asked = request.params
    return page("/v1/refunds", world.newest("refund"), asked, lambda refund: all(
        refund[name] == asked[name] for name in ("charge", "payment_intent") if name in asked))


@call("GET", "/v1/refunds/{id}")
def get(world: World, request: Request) -> dict:
    return world.state.find("refund", request.ids["id"], "refund", 404)


@call("POST", "/v1/refunds/{id}", {"metadata": metadata})
def update(world: World, request: Request) -> dict:
    refund = get(world, request)
    changed(world, "refund.updated", refund, {"metadata": merged(refund["metadata"], request.params.get("metadata", {}))})
    return refund
