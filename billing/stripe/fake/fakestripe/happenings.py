"""Knobs that make something happen which, with Stripe, a customer, a bank or a card network does."""

from . import accounts, checkout, disputes, fraud, refunds
from .control import knob
from .errors import invalid
from .world import World


@knob("POST", "/_fake/checkout/{session}/pay", card=str, email=str, name=str, country=str, challenge=(bool, type(None)))
def pay(world: World, session: str, card: str = "4242424242424242", email: str | None = "buyer@example.com",
        name: str | None = "Test Buyer", country: str = "US", challenge: bool | None = True) -> dict:
    """Pays as on the page. `challenge` is the holder's answer if the bank asks; `null` leaves the question open."""
    with world.work():
        found = world.state.find("checkout.session", session, "session", 404)
        checkout.pay(world, found, checkout.Buyer(card, email, name, address={"country": country, "postal_code": "94107"}))
        intent = intent_of(world, found)
        if intent["status"] == "requires_action" and challenge is not None:
            checkout.challenged(world, intent, challenge)
        return found


def intent_of(world: World, session: dict) -> dict:
    kind = "setup_intent" if session["mode"] == "setup" else "payment_intent"
    return world.state.objects[kind][session[kind]]


@knob("POST", "/_fake/challenge/{intent}", agreed=bool)
def challenge(world: World, intent: str, agreed: bool = True) -> dict:
    with world.work():
        found = challenged_intent(world, intent)
        checkout.challenged(world, found, agreed)
        return found


def challenged_intent(world: World, given: str) -> dict:
    return world.state.find("setup_intent" if given.startswith("seti_") else "payment_intent", given, "intent", 404)


@knob("POST", "/_fake/disputes", charge=str, payment_intent=str, reason=str, amount=int)
def dispute(world: World, reason: str = "fraudulent", amount: int | None = None, **which: str) -> dict:
    with world.work():
        return disputes.opened(world, refunds.charge_of(world, which), reason, amount)


@knob("POST", "/_fake/disputes/{dispute}/close", outcome=str)
def close(world: World, dispute: str, outcome: str = "lost") -> dict:
    with world.work():
        return disputes.closed(world, world.state.find("dispute", dispute, "dispute", 404), outcome)


@knob("POST", "/_fake/early_fraud_warnings", charge=str, payment_intent=str, fraud_type=str)
def warn(world: World, fraud_type: str = "made_with_stolen_card", **which: str) -> dict:
    with world.work():
        return fraud.warned(world, refunds.charge_of(world, which), fraud_type)


@knob("POST", "/_fake/refunds/{refund}/fail", reason=str)
def fail_refund(world: World, refund: str, reason: str = "lost_or_stolen_card") -> dict:
    with world.work():
        found = world.state.find("refund", refund, "refund", 404)
        refunds.failed(world, found, reason)
        return found


@knob("POST", "/_fake/accounts/{account}/onboard")
def onboard(world: World, account: str) -> dict:
    return with_account(world, account, accounts.onboarded)


@knob("POST", "/_fake/accounts/{account}/restrict")
def restrict(world: World, account: str) -> dict:
    return with_account(world, account, accounts.restricted)


def with_account(world: World, given: str, change: object) -> dict:
    with world.work():
        found = world.state.find("account", given, "account", 404)
        if found.get("deleted"):
            raise invalid(f"Account {given} is deleted")
        change(world, found)  # type: ignore[operator]
        return found
