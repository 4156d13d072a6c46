"""Pays a checkout session with a card, as its page does when someone presses the button."""

from dataclasses import dataclass, field

from . import customers, intents, invoices, methods, paying, setups
from .errors import invalid
from .events import changed, emit
from .goods import with_tax
from .state import nulls
from .world import World


@dataclass
class Buyer:
    """What someone typed into the page."""

    card: str
    email: str | None = None
    name: str | None = None
    expiry: tuple[int, int] = (12, 2034)
    address: dict = field(default_factory=lambda: {"country": "US", "postal_code": "94107"})


def pay(world: World, session: dict, buyer: Buyer) -> None:
    """Completes the session, or leaves it waiting for a challenge; raises when the card is declined."""
    if session["status"] != "open":
        raise invalid(f"This Checkout Session is {session['status']} and takes no payment.", param="session")
    about = {"email": (session["customer_details"] or {}).get("email") or buyer.email, "name": buyer.name}
    method = methods.made(world, buyer.card, about | {"address": buyer.address}, buyer.expiry)
    session["customer_details"] = nulls("business_name individual_name phone") | about | {
        "address": methods.NO_ADDRESS | buyer.address, "tax_exempt": "none", "tax_ids": []}
    back = f"{world.base_url}/c/pay/{session['id']}"
    if session["mode"] == "setup":
        setups.confirm(world, world.state.objects["setup_intent"][session["setup_intent"]], method, back)
    else:
        if session["automatic_tax"]["enabled"]:
            with_tax(world, session)
        paying.confirm(world, intent_of(world, session), method, off_session=False, return_url=back)
    finish_if_done(world, session)


def intent_of(world: World, session: dict) -> dict:
    """The intent of this session: made at the first try, used again at the next."""
    secret = world.state.secret(session["id"])
    if session["payment_intent"]:
        return world.state.objects["payment_intent"][session["payment_intent"]]
    wanted, options = secret["intent"], dict(secret["options"])
    usage = options.pop("setup_future_usage", None) or wanted.get("setup_future_usage")
    intent = intents.made(world, wanted | {
        "amount": session["amount_total"], "currency": session["currency"], "allowed_payment_method_types": ["card"],
        "payment_method_options": {"card": options}, **({"setup_future_usage": usage} if usage else {}),
        **({"customer": customer_of(world, session, usage)} if customer_of(world, session, usage) else {})})
    session["payment_intent"] = intent["id"]
    emit(world, "payment_intent.created", intent)
    return intent


def customer_of(world: World, session: dict, usage: str | None) -> str | None:
    """The customer, made now if something needs one: a saved card, an invoice, or the merchant's wish."""
    needed = usage or session["invoice_creation"]["enabled"] or session["customer_creation"] == "always"
    if session["customer"] is None and needed:
        details = session["customer_details"]
        made = customers.made(world, {name: details[name] for name in ("email", "name", "address") if details[name]})
        session["customer"] = made["id"]
    return session["customer"]


def challenged(world: World, intent: dict, agreed: bool) -> None:
    """The holder has answered the bank; a session that waited for it is completed."""
    if intent["status"] != "requires_action":
        raise invalid("Nobody is asked to confirm this payment, or it was answered already.")
    (paying if intent["object"] == "payment_intent" else setups).challenged(world, intent, agreed)
    session = session_of(world, intent)
    if session and session["status"] == "open":
        finish_if_done(world, session)


def session_of(world: World, intent: dict) -> dict | None:
    return next((session for session in world.newest("checkout.session") if session[intent["object"]] == intent["id"]), None)


def finish_if_done(world: World, session: dict) -> None:
    kind = "setup_intent" if session["mode"] == "setup" else "payment_intent"
    status = world.state.objects[kind][session[kind]]["status"]
    if status not in ("succeeded", "requires_capture"):
        return
    session |= {"status": "complete", "url": None}
    if session["mode"] == "payment" and status == "succeeded":
        session["payment_status"] = "paid"
    secret = world.state.secret(session["id"])
    if session["customer"]:
        update(world, session, secret["update"])
    if session["mode"] == "payment" and session["invoice_creation"]["enabled"]:
        session["invoice"] = invoices.paid(world, session, secret["line_items"], secret["invoice"])["id"]
    emit(world, "checkout.session.completed", session)


def update(world: World, session: dict, wanted: dict) -> None:
    """`customer_update`: what was typed into the page becomes the customer's."""
    fields = {name: session["customer_details"][name] for name in ("address", "name")
              if wanted.get(name) == "auto" and session["customer_details"][name]}
    changed(world, "customer.updated", world.state.objects["customer"][session["customer"]], fields)
