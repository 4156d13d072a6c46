"""Setup intents: a card is saved for later, and nothing is paid."""

from . import methods
from .cards import Challenge
from .customers import alive
from .errors import card_error, invalid
from .events import emit
from .intents import USAGE
from .lists import page
from .parameters import PAGE, boolean, choice, created, metadata, text, url
from .routes import Request, call
from .state import new_id, nulls
from .world import World

CONFIRM = {"payment_method": text, "return_url": url, "use_stripe_sdk": boolean,
           "payment_method_options": {"card": {"request_three_d_secure": choice("any", "automatic", "challenge")}}}
CREATE = CONFIRM | {"customer": text, "confirm": boolean, "description": text, "metadata": metadata, "usage": USAGE,
                    "allowed_payment_method_types": [choice("card")],
                    "automatic_payment_methods": {"enabled!": boolean, "allow_redirects": choice("always", "never")}}


def made(world: World, asked: dict) -> dict:
    automatic = asked.get("automatic_payment_methods")
    if automatic is None:
        automatic = {"enabled": True}
    options = asked.get("payment_method_options", {}).get("card", {})
    intent = world.state.add("setup_intent", nulls(
        "allowed_payment_method_types "
        "application cancellation_reason customer customer_account description excluded_payment_method_types flow_directions "
        "last_setup_error latest_attempt mandate next_action on_behalf_of payment_method "
        "payment_method_configuration_details single_use_mandate") | {
        "automatic_payment_methods": automatic and {"allow_redirects": "always"} | automatic, "metadata": {},
        "payment_method_options": {"card": {"mandate_options": None, "network": None,
                                            "request_three_d_secure": "automatic"} | options},
        "payment_method_types": ["card"], "status": "requires_payment_method", "usage": "off_session"} | {
            name: asked[name] for name in ("customer", "description", "metadata", "allowed_payment_method_types", "usage")
            if name in asked})
    intent["client_secret"] = f"{intent['id']}_secret_{new_id('', 25)}"
    emit(world, "setup_intent.created", intent)
    return intent


def confirm(world: World, intent: dict, method: dict, return_url: str | None = None) -> None:
    its = methods.card_of(world.state, method)
    intent |= {"payment_method": method["id"], "last_setup_error": None}
    wanted = intent["payment_method_options"]["card"]["request_three_d_secure"]
    if its.declined:
        raise refused(world, intent, method, its.declined.message, its.declined.code, its.declined.decline_code)
    if its.challenge is Challenge.NEVER and not (its.enrolled and wanted != "automatic"):
        succeeded(world, intent, method)
        return
    url = f"{world.base_url}/challenge/{intent['id']}"
    intent["next_action"] = ({"type": "redirect_to_url", "redirect_to_url": {"return_url": return_url, "url": url}}
                             if return_url else {"type": "use_stripe_sdk", "use_stripe_sdk": {"stripe_js": url}})
    intent["status"] = "requires_action"
    emit(world, "setup_intent.requires_action", intent)


def challenged(world: World, intent: dict, agreed: bool) -> None:
    method = world.state.find("payment_method", intent["payment_method"], "payment_method")
    if not agreed:
        raise refused(world, intent, method, "We are unable to authenticate your payment method. Please choose a different "
                      "payment method and try again.", "setup_intent_authentication_failure", None)
    world.state.secret(method["id"])["set_up"] = True
    succeeded(world, intent, method)


def succeeded(world: World, intent: dict, method: dict) -> None:
    intent |= {"status": "succeeded", "next_action": None}
    if intent["customer"]:
        methods.attach(world, method, intent["customer"])
    emit(world, "setup_intent.succeeded", intent)


def refused(world: World, intent: dict, method: dict, message: str, code: str, decline_code: str | None) -> Exception:
    error = card_error(message, code, decline_code, payment_method=dict(method))
    intent |= {"status": "requires_payment_method", "payment_method": None, "next_action": None,
               "last_setup_error": dict(error.error)}
    emit(world, "setup_intent.setup_failed", intent)
    error.error["setup_intent"] = intent
    return error


@call("POST", "/v1/setup_intents", CREATE)
def create(world: World, request: Request) -> dict:
    asked = request.params
    if "customer" in asked:
        alive(world, asked["customer"])
    intent = made(world, asked)
    if "payment_method" in asked:
        intent |= {"payment_method": methods.usable(world, asked["payment_method"], asked.get("customer"))["id"],
                   "status": "requires_confirmation"}
    if asked.get("confirm"):
        confirm_asked(world, intent, asked)
    return intent


def confirm_asked(world: World, intent: dict, asked: dict) -> None:
    if intent["status"] not in ("requires_payment_method", "requires_confirmation", "requires_action"):
        raise invalid(f"You cannot confirm this SetupIntent because it has a status of {intent['status']}.",
                      code="setup_intent_unexpected_state", setup_intent=intent)
    given = intent["payment_method"] or asked.get("payment_method")
    if not given:
        raise invalid("You cannot confirm this SetupIntent because it's missing a payment method.",
                      code="setup_intent_unexpected_state", setup_intent=intent)
    confirm(world, intent, methods.usable(world, given, intent["customer"]), asked.get("return_url"))


@call("GET", "/v1/setup_intents", PAGE | {"customer": text, "payment_method": text, "created": created})
def list_all(world: World, request: Request) -> dict:
    asked = request.params
    return page("/v1/setup_intents", world.newest("setup_intent"), asked, lambda intent: all(
        intent[name] == asked[name] for name in ("customer", "payment_method") if name in asked))


@call("GET", "/v1/setup_intents/{id}")
def get(world: World, request: Request) -> dict:
    return world.state.find("setup_intent", request.ids["id"], "intent", 404)


@call("POST", "/v1/setup_intents/{id}/confirm", CONFIRM)
def confirm_call(world: World, request: Request) -> dict:
    intent = get(world, request)
    confirm_asked(world, intent, request.params)
    return intent


@call("POST", "/v1/setup_intents/{id}/cancel", {
    "cancellation_reason": choice("abandoned", "duplicate", "requested_by_customer")})
def cancel(world: World, request: Request) -> dict:
    intent = get(world, request)
    if intent["status"] not in ("requires_payment_method", "requires_confirmation", "requires_action"):
        raise invalid(f"You cannot cancel this SetupIntent because it has a status of {intent['status']}.",
                      code="setup_intent_unexpected_state", setup_intent=intent)
    intent |= {"status": "canceled", "next_action": None, "cancellation_reason": request.params.get("cancellation_reason")}
    emit(world, "setup_intent.canceled", intent)
    return intent
