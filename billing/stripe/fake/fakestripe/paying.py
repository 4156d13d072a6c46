"""What happens when a payment is tried: the bank agrees, refuses, or asks the holder to confirm."""

import copy

from . import charges, disputes, fraud, methods
from .cards import NEEDS_HOLDER, Card, Challenge, Decline
from .errors import StripeError, card_error
from .events import emit
from .world import World

NOT_CONFIRMED = Decline("payment_intent_authentication_failure", None,
                        "We are unable to authenticate your payment method. Please choose a different payment method and "
                        "try again.")


def confirm(world: World, intent: dict, method: dict, *, off_session: bool, return_url: str | None = None,
            refuse_action: bool = False) -> None:
    """Tries to pay. Raises the card's error when it is declined; the intent then waits for another method."""
    intent |= {"payment_method": method["id"], "last_payment_error": None, "next_action": None}
    card = methods.card_of(world.state, method)
    secret = world.state.secret(intent["id"])
    secret["off_session"] = off_session
    if not asks_holder(world, intent, method, card):
        charge(world, intent, method, card, unasked(intent, card))
    elif off_session or refuse_action:
        decline(world, intent, method, card, NEEDS_HOLDER)
    else:
        intent |= {"status": "requires_action", "next_action": next_action(world, intent, return_url)}
        emit(world, "payment_intent.requires_action", intent)


def asks_holder(world: World, intent: dict, method: dict, card: Card) -> bool:
    if card.challenge is Challenge.UNLESS_SET_UP:
        return not world.state.secret(method["id"])["set_up"]
    wanted = intent["payment_method_options"]["card"]["request_three_d_secure"]
    return card.challenge is Challenge.ALWAYS or (card.enrolled and wanted in ("any", "challenge"))


def next_action(world: World, intent: dict, return_url: str | None) -> dict:
    url = f"{world.base_url}/challenge/{intent['id']}"
    if return_url:
        return {"type": "redirect_to_url", "redirect_to_url": {"return_url": return_url, "url": url}}
    return {"type": "use_stripe_sdk", "use_stripe_sdk": {"type": "three_d_secure_redirect", "stripe_js": url}}


def challenged(world: World, intent: dict, agreed: bool) -> None:
    """The holder has answered the bank's question."""
    method = world.state.find("payment_method", intent["payment_method"], "payment_method")
    card = methods.card_of(world.state, method)
    intent["next_action"] = None
    if not agreed:
        decline(world, intent, method, card, NOT_CONFIRMED, charged=False)
    world.state.secret(method["id"])["set_up"] |= intent["setup_future_usage"] == "off_session"
    charge(world, intent, method, card, secured("challenge", "authenticated", "05"))


def unasked(intent: dict, card: Card) -> dict | None:
    """A merchant that wants 3-D Secure gets it; a card that takes no part is waved through, and says so."""
    wanted = intent["payment_method_options"]["card"]["request_three_d_secure"]
    if wanted in ("any", "challenge") and not card.enrolled:
        return secured("frictionless", "attempt_acknowledged", "06")
    return None


def secured(flow: str, result: str, indicator: str) -> dict:
    return {"authentication_flow": flow, "electronic_commerce_indicator": indicator, "exemption_indicator": None,
            "result": result, "result_reason": None, "transaction_id": None, "version": "2.2.0"}


def charge(world: World, intent: dict, method: dict, card: Card, three_d_secure: dict | None) -> None:
    refusal = card.declined or card.declined_later
    if refusal:
        decline(world, intent, method, card, refusal)
    taken = charges.attempted(world, intent, method, card, None, three_d_secure)
    if intent["setup_future_usage"] and intent["customer"]:
        methods.attach(world, method, intent["customer"])
    elif not method["customer"]:
        world.state.secret(method["id"])["spent"] = True
    if intent["capture_method"] == "manual":
        intent |= {"status": "requires_capture", "amount_capturable": intent["amount"]}
        emit(world, "payment_intent.amount_capturable_updated", intent)
        return
    succeeded(world, intent, intent["amount"])
    follow(world, taken, card)


def succeeded(world: World, intent: dict, amount: int) -> None:
    intent |= {"status": "succeeded", "amount_received": amount, "amount_capturable": 0, "next_action": None}
    emit(world, "payment_intent.succeeded", intent)


def follow(world: World, taken: dict, card: Card) -> None:
    """What some test cards bring once the payment, and all that hangs on it, is done."""
    if card.disputed:
        world.then.append(lambda: disputes.opened(world, taken, card.disputed))
    if card.fraud_warning:
        world.then.append(lambda: fraud.warned(world, taken, card.fraud_warning))


def decline(world: World, intent: dict, method: dict, card: Card, why: Decline, charged: bool = True) -> None:
    """Always raises, after the failure is on record."""
    failed = charges.attempted(world, intent, method, card, why, None) if charged else None
    error = refusal(why, method, failed)
    # The method goes with its error, and is not left with the intent.
    intent |= {"status": "requires_payment_method", "payment_method": None, "next_action": None,
               "last_payment_error": copy.deepcopy(error.error)}
    emit(world, "payment_intent.payment_failed", intent)
    error.error["payment_intent"] = intent
    raise error


def refusal(why: Decline, method: dict, failed: dict | None) -> StripeError:
    kind = card_error if why is not NOT_CONFIRMED else authentication_failed
    return kind(why.message, why.code, why.decline_code, payment_method=method, charge=failed and failed["id"])


def authentication_failed(message: str, code: str, _: str | None, **more: object) -> StripeError:
    return StripeError(400, "invalid_request_error", message, code=code, **more)
