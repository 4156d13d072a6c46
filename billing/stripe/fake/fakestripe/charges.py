"""Charges: one for each attempt to take money from a card, failed ones too."""

from . import balance
from .cards import Card, Decline
from .events import changed, emit
from .lists import page
from .methods import merged
from .parameters import PAGE, choice, created, metadata, text
from .routes import Request, call
from .state import nulls
from .world import World

COPIED = ("amount", "currency", "customer", "description", "receipt_email", "statement_descriptor",
          "statement_descriptor_suffix", "transfer_group")


def attempted(world: World, intent: dict, method: dict, card: Card, decline: Decline | None,
              three_d_secure: dict | None) -> dict:
    """Charges the card for the intent, or fails to; books nothing before money is captured."""
    charge = world.state.add("charge", {name: intent[name] for name in COPIED} | nulls(
        "application application_fee application_fee_amount balance_transaction failure_balance_transaction on_behalf_of "
        "receipt_number receipt_url review shipping source source_transfer transfer_data") | {
        "amount_captured": 0, "amount_refunded": 0, "billing_details": method["billing_details"],
        "calculated_statement_descriptor": "FAKE STRIPE", "captured": False, "disputed": False,
        "failure_code": decline and decline.code, "failure_message": decline and decline.message, "fraud_details": {},
        "metadata": dict(intent["metadata"]), "outcome": outcome(decline), "paid": decline is None,
        "payment_intent": intent["id"], "payment_method": method["id"], "radar_options": {}, "refunded": False,
        "payment_method_details": {"type": "card", "card": details(method, intent, three_d_secure)},
        "status": "failed" if decline else "succeeded"}, {"number": card.number})
    intent["latest_charge"] = charge["id"]
    if decline:
        emit(world, "charge.failed", charge)
    else:
        charge["receipt_url"] = f"{world.base_url}/receipts/{charge['id']}"
        if intent["capture_method"] != "manual":
            captured(world, charge, charge["amount"], card)
        emit(world, "charge.succeeded", charge)
    return charge


def captured(world: World, charge: dict, amount: int, card: Card) -> None:
    charge |= {"captured": True, "amount_captured": amount}
    entry = balance.enter(world, "charge", charge, amount, fee=balance.fee_of(amount), pending=not card.available_at_once)
    charge["balance_transaction"] = entry["id"]


def outcome(decline: Decline | None) -> dict:
    shared = {"risk_level": "normal", "risk_score": 32, "rule": None, "advice_code": None, "network_advice_code": None}
    if decline is None:
        return shared | {"type": "authorized", "network_status": "approved_by_network", "reason": None,
                         "network_decline_code": None, "seller_message": "Payment complete."}
    return shared | {"type": "issuer_declined", "network_status": "declined_by_network", "reason": decline.decline_code,
                     "network_decline_code": "05", "seller_message": "The bank declined this payment."}


def details(method: dict, intent: dict, three_d_secure: dict | None) -> dict:
    shown = {name: method["card"][name] for name in (
        "brand", "checks", "country", "exp_month", "exp_year", "fingerprint", "funding", "last4", "regulated_status", "wallet")}
    return shown | nulls("authorization_code extended_authorization incremental_authorization installments mandate "
                         "multicapture network_transaction_id overcapture setup_credential_usage stored_credential_usage") | {
        "amount_authorized": intent["amount"], "network": shown["brand"], "network_token": {"used": False},
        "three_d_secure": three_d_secure}


@call("GET", "/v1/charges", PAGE | {"customer": text, "payment_intent": text, "transfer_group": text, "created": created})
def list_all(world: World, request: Request) -> dict:
    asked = request.params
    return page("/v1/charges", world.newest("charge"), asked, lambda charge: all(
        charge[name] == asked[name] for name in ("customer", "payment_intent", "transfer_group") if name in asked))


@call("GET", "/v1/charges/{id}")
def get(world: World, request: Request) -> dict:
    return world.state.find("charge", request.ids["id"], "id", 404)


@call("POST", "/v1/charges/{id}", {"metadata": metadata, "description": text, "receipt_email": text,
                                   "fraud_details": {"user_report": choice("fraudulent", "safe")}})
def update(world: World, request: Request) -> dict:
    charge, fields = get(world, request), dict(request.params)
    fields.pop("expand", None)
    if "metadata" in fields:
        fields["metadata"] = merged(charge["metadata"], fields["metadata"])
    changed(world, "charge.updated", charge, fields)
    return charge
