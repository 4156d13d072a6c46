"""Disputes: the bank takes the money back with a fee, and returns it, without the fee, when the merchant wins."""

from . import balance
from .errors import invalid
from .events import changed, emit
from .lists import page
from .methods import merged
from .parameters import PAGE, boolean, clearable, created, metadata, text
from .routes import Request, call
from .state import nulls
from .world import World

FEE = 1500
TO_ANSWER_S = 9 * 24 * 3600
TEXTS = ("access_activity_log billing_address cancellation_policy_disclosure cancellation_rebuttal customer_email_address "
         "customer_name customer_purchase_ip duplicate_charge_explanation duplicate_charge_id product_description "
         "refund_policy_disclosure refund_refusal_explanation service_date shipping_address shipping_carrier shipping_date "
         "shipping_tracking_number uncategorized_text")
FILES = ("cancellation_policy customer_communication customer_signature duplicate_charge_documentation receipt refund_policy "
         "service_documentation shipping_documentation uncategorized_file")
# What decides a test dispute when its evidence is submitted, as Stripe documents it.
DECIDING = {"winning_evidence": "won", "losing_evidence": "lost"}
OPEN = ("needs_response", "under_review")


def opened(world: World, charge: dict, reason: str, amount: int | None = None) -> dict:
    if not charge["captured"] or charge["disputed"]:
        raise invalid(f"Charge {charge['id']} is not captured, or disputed already.", param="charge")
    card = charge["payment_method_details"]["card"]
    dispute = world.state.add("dispute", {
        "amount": charge["amount_captured"] - charge["amount_refunded"] if amount is None else amount,
        "balance_transactions": [], "charge": charge["id"], "currency": charge["currency"], "enhanced_eligibility_types": [],
        "evidence": nulls(f"{TEXTS} {FILES}") | {"enhanced_evidence": {}},
        "evidence_details": {"due_by": world.state.now() + TO_ANSWER_S, "enhanced_eligibility": {}, "has_evidence": False,
                             "past_due": False, "submission_count": 0, "submission_method": "not_submitted"},
        "is_charge_refundable": False, "metadata": {}, "payment_intent": charge["payment_intent"],
        "payment_method_details": {"type": "card", "card": {"brand": card["brand"], "case_type": "chargeback",
                                                            "network": card["network"], "network_reason_code": "10.4"}},
        "reason": reason, "status": "needs_response"})
    charge["disputed"] = True
    emit(world, "charge.dispute.created", dispute)
    move(world, dispute, -dispute["amount"], FEE, "dispute")
    emit(world, "charge.dispute.funds_withdrawn", dispute)
    return dispute


def move(world: World, dispute: dict, amount: int, fee: int, category: str) -> None:
    entry = balance.enter(world, "adjustment", dispute, amount, fee=fee, category=category)
    dispute["balance_transactions"] = [*dispute["balance_transactions"], dict(entry)]


def blocks_refund(world: World, charge: dict) -> bool:
    """The bank has the money: whoever refunds now pays twice."""
    return charge["disputed"] and any(dispute["charge"] == charge["id"] and not dispute["is_charge_refundable"]
                                      for dispute in world.newest("dispute"))


def closed(world: World, dispute: dict, outcome: str) -> dict:
    if dispute["status"] not in OPEN:
        raise invalid(f"This dispute is already closed: {dispute['status']}", code="dispute_already_closed")
    if outcome not in ("won", "lost"):
        raise invalid(f"A dispute is won or lost, not {outcome}", param="outcome")
    dispute["status"] = outcome
    if outcome == "won":
        dispute["is_charge_refundable"] = True
        move(world, dispute, dispute["amount"], 0, "dispute_reversal")
        emit(world, "charge.dispute.funds_reinstated", dispute)
    emit(world, "charge.dispute.closed", dispute)
    return dispute


@call("GET", "/v1/disputes", PAGE | {"charge": text, "payment_intent": text, "created": created})
def list_all(world: World, request: Request) -> dict:
    asked = request.params
    return page("/v1/disputes", world.newest("dispute"), asked, lambda dispute: all(
        dispute[name] == asked[name] for name in ("charge", "payment_intent") if name in asked))


@call("GET", "/v1/disputes/{id}")
def get(world: World, request: Request) -> dict:
    return world.state.find("dispute", request.ids["id"], "dispute", 404)


@call("POST", "/v1/disputes/{id}", {"evidence": dict.fromkeys(f"{TEXTS} {FILES}".split(), clearable), "metadata": metadata,
                                    "submit": boolean})
def update(world: World, request: Request) -> dict:
    dispute, asked = get(world, request), request.params
    fields: dict = {}
    if "metadata" in asked:
        fields["metadata"] = merged(dispute["metadata"], asked["metadata"])
    if "evidence" in asked or asked.get("submit"):
        if dispute["status"] != "needs_response":
            raise invalid(f"This dispute takes no more evidence: {dispute['status']}", code="dispute_already_closed")
        fields |= answered(dispute, asked.get("evidence", {}), asked.get("submit", True))
    changed(world, "charge.dispute.updated", dispute, fields)
    outcome = DECIDING.get(dispute["evidence"]["uncategorized_text"] or "")
    if outcome and dispute["status"] == "under_review":
        closed(world, dispute, outcome)
    return dispute


def answered(dispute: dict, evidence: dict, submit: bool) -> dict:
    details = dispute["evidence_details"] | {"has_evidence": True}
    fields: dict = {"evidence": dispute["evidence"] | evidence, "evidence_details": details}
    if submit:
        details |= {"submission_count": details["submission_count"] + 1, "submission_method": "manual"}
        fields["status"] = "under_review"
    return fields


@call("POST", "/v1/disputes/{id}/close")
def close(world: World, request: Request) -> dict:
    """The merchant gives in."""
    return closed(world, get(world, request), "lost")
