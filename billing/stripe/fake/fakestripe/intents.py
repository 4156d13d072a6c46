"""Payment intents: the one object that says whether a payment went through."""

from . import charges, methods, paying
from .customers import alive
from .errors import invalid, money
from .events import changed, emit
from .lists import page
from .parameters import PAGE, boolean, choice, clearable, created, currency, metadata, positive, text, url
from .parameters import amount as amount_kind
from .routes import Request, call
from .state import new_id, nulls
from .world import World

SMALLEST = 50
USAGE = choice("off_session", "on_session")
CONFIRM = {"payment_method": text, "off_session": boolean, "return_url": url, "error_on_requires_action": boolean,
           "use_stripe_sdk": boolean, "setup_future_usage": USAGE, "receipt_email": clearable,
           "payment_method_options": {"card": {"request_three_d_secure": choice("any", "automatic", "challenge")}}}
CREATE = CONFIRM | {"amount!": amount_kind, "currency!": currency, "customer": text, "confirm": boolean,
                    "description": text,
                    "metadata": metadata, "allowed_payment_method_types": [choice("card")], "transfer_group": text,
                    "automatic_payment_methods": {"enabled!": boolean, "allow_redirects": choice("always", "never")},
                    "capture_method": choice("automatic", "automatic_async", "manual"),
                    "confirmation_method": choice("automatic", "manual"), "statement_descriptor": text,
                    "statement_descriptor_suffix": text}
UPDATE = {"amount": amount_kind, "currency": currency, "customer": text, "description": text, "metadata": metadata,
          "payment_method": text, "setup_future_usage": USAGE, "receipt_email": clearable, "transfer_group": text,
          "statement_descriptor": text, "statement_descriptor_suffix": text}


def made(world: World, asked: dict) -> dict:
    large_enough(asked["amount"], asked["currency"])
    if "customer" in asked:
        alive(world, asked["customer"])
    automatic = asked.get("automatic_payment_methods")
    if automatic is None:
        # Cards alone send nobody away from the page.
        automatic = {"enabled": True, "allow_redirects": "never" if "allowed_payment_method_types" in asked else "always"}
    options = {"installments": None, "mandate_options": None, "network": None, "request_three_d_secure": "automatic"}
    options |= asked.get("payment_method_options", {}).get("card", {})
    intent = world.state.add("payment_intent", nulls(
        "allowed_payment_method_types "
        "application application_fee_amount canceled_at cancellation_reason customer customer_account description "
        "excluded_payment_method_types last_payment_error latest_charge next_action on_behalf_of payment_method "
        "payment_method_configuration_details processing receipt_email review setup_future_usage shipping source "
        "statement_descriptor statement_descriptor_suffix transfer_data transfer_group") | {
        "amount_capturable": 0, "amount_details": {"tip": {}}, "amount_received": 0, "capture_method": "automatic",
        "automatic_payment_methods": automatic and {"allow_redirects": "always"} | automatic,
        "confirmation_method": "automatic", "metadata": {}, "payment_method_options": {"card": options},
        "payment_method_types": ["card"]} | {name: asked[name] for name in (
            "amount", "currency", "customer", "description", "metadata", "capture_method", "confirmation_method",
            "allowed_payment_method_types", "receipt_email", "setup_future_usage", "statement_descriptor",
            "statement_descriptor_suffix", "transfer_group") if name in asked} | {"status": "requires_payment_method"})
    intent["client_secret"] = f"{intent['id']}_secret_{new_id('', 25)}"
    return intent


def large_enough(amount: int, currency: str) -> None:
    if amount < SMALLEST:
        raise invalid(f"Amount must be at least {money(SMALLEST, currency)}", code="amount_too_small", param="amount")


def unexpected(intent: dict, doing: str, allowed: str) -> Exception:
    return invalid(f"You cannot {doing} this PaymentIntent because it has a status of {intent['status']}. Only a "
                   f"PaymentIntent with one of the following statuses may be {doing}ed: {allowed}.",
                   code="payment_intent_unexpected_state", payment_intent=intent)


def confirmed(world: World, intent: dict, asked: dict) -> None:
    if intent["status"] not in ("requires_payment_method", "requires_confirmation", "requires_action"):
        raise unexpected(intent, "confirm", "requires_payment_method, requires_confirmation, requires_action")
    given = asked.get("payment_method") or intent["payment_method"]
    if not given:
        raise invalid("You cannot confirm this PaymentIntent because it's missing a payment method. You can either update "
                      "the PaymentIntent with a payment method and then confirm it again, or confirm it again directly with a "
                      "payment method or ConfirmationToken.", code="payment_intent_unexpected_state", payment_intent=intent)
    method = methods.usable(world, given, intent["customer"])
    automatic, off_session = intent["automatic_payment_methods"], asked.get("off_session", False)
    if automatic and automatic["allow_redirects"] == "always" and not off_session and "return_url" not in asked:
        raise invalid("This PaymentIntent is configured to accept payment methods enabled in your Dashboard. Because some of "
                      "these payment methods might redirect your customer off of your page, you must provide a `return_url`. "
                      "If you don't want to accept redirect-based payment methods, set "
                      "`automatic_payment_methods[enabled]` to `true` and `automatic_payment_methods[allow_redirects]` to "
                      "`never` when creating Setup Intents and Payment Intents.", param="return_url")
    if off_session and asked.get("setup_future_usage", intent["setup_future_usage"]):
        raise invalid("You cannot pass `off_session` together with `setup_future_usage`: a card is set up while its holder is "
                      "there.", param="off_session")
    intent |= {name: asked[name] for name in ("setup_future_usage", "receipt_email") if name in asked}
    intent["payment_method_options"]["card"] |= asked.get("payment_method_options", {}).get("card", {})
    paying.confirm(world, intent, method, off_session=off_session, return_url=asked.get("return_url"),
                   refuse_action=asked.get("error_on_requires_action", False))


@call("POST", "/v1/payment_intents", CREATE)
def create(world: World, request: Request) -> dict:
    asked = request.params
    for name in ("off_session", "return_url", "error_on_requires_action"):
        if name in asked and not asked.get("confirm"):
            raise invalid(f"The parameter `{name}` cannot be passed when creating a PaymentIntent unless `confirm` is set to "
                          "true.", param=name)
    if "payment_method" in asked:
        asked = asked | {"payment_method": methods.usable(world, asked["payment_method"], asked.get("customer"))["id"]}
    intent = made(world, asked)
    if "payment_method" in asked:
        intent |= {"payment_method": asked["payment_method"], "status": "requires_confirmation"}
    emit(world, "payment_intent.created", intent)
    if asked.get("confirm"):
        confirmed(world, intent, asked)
    return intent


@call("GET", "/v1/payment_intents", PAGE | {"customer": text, "created": created})
def list_all(world: World, request: Request) -> dict:
    return page("/v1/payment_intents", world.newest("payment_intent"), request.params, lambda intent:
                intent["customer"] == request.params.get("customer", intent["customer"]))


@call("GET", "/v1/payment_intents/{id}")
def get(world: World, request: Request) -> dict:
    return world.state.find("payment_intent", request.ids["id"], "intent", 404)


@call("POST", "/v1/payment_intents/{id}", UPDATE)
def update(world: World, request: Request) -> dict:
    intent, fields = get(world, request), dict(request.params)
    fields.pop("expand", None)
    if set(fields) - {"metadata", "description", "transfer_group"} and not intent["status"].startswith("requires_"):
        raise invalid(f"This PaymentIntent's {min(fields)} could not be updated because it has a status of "
                      f"{intent['status']}.", code="payment_intent_unexpected_state", payment_intent=intent)
    if "amount" in fields:
        large_enough(fields["amount"], fields.get("currency", intent["currency"]))
    if "customer" in fields:
        alive(world, fields["customer"])
    if "payment_method" in fields:
        fields["payment_method"] = methods.usable(world, fields["payment_method"], intent["customer"])["id"]
        fields["status"] = "requires_confirmation"
    if "metadata" in fields:
        fields["metadata"] = methods.merged(intent["metadata"], fields["metadata"])
    intent |= fields
    return intent


@call("POST", "/v1/payment_intents/{id}/confirm", CONFIRM)
def confirm(world: World, request: Request) -> dict:
    intent = get(world, request)
    confirmed(world, intent, request.params)
    return intent


@call("POST", "/v1/payment_intents/{id}/capture", {"amount_to_capture": positive, "metadata": metadata})
def capture(world: World, request: Request) -> dict:
    intent = get(world, request)
    if intent["status"] != "requires_capture":
        raise invalid("This PaymentIntent could not be captured because it has a status of "
                      f"{intent['status']}. Only a PaymentIntent with one of the following statuses may be captured: "
                      "requires_capture.", code="payment_intent_unexpected_state", payment_intent=intent)
    amount = request.params.get("amount_to_capture", intent["amount_capturable"])
    if amount > intent["amount_capturable"]:
        raise invalid("The requested capture amount is greater than the amount you can capture for this charge.",
                      code="amount_too_large", param="amount_to_capture")
    charge = world.state.find("charge", intent["latest_charge"], "charge")
    card = methods.card_of(world.state, world.state.find("payment_method", intent["payment_method"], "payment_method"))
    charges.captured(world, charge, amount, card)
    charge["amount_refunded"] = charge["amount"] - amount
    intent["metadata"] = methods.merged(intent["metadata"], request.params["metadata"]) if "metadata" in request.params \
        else intent["metadata"]
    emit(world, "charge.captured", charge)
    paying.succeeded(world, intent, amount)
    paying.follow(world, charge, card)
    return intent


@call("POST", "/v1/payment_intents/{id}/cancel", {
    "cancellation_reason": choice("duplicate", "fraudulent", "requested_by_customer", "abandoned")})
def cancel(world: World, request: Request) -> dict:
    intent = get(world, request)
    if not intent["status"].startswith("requires_"):
        raise unexpected(intent, "cancel", "requires_payment_method, requires_capture, requires_confirmation, requires_action, "
                         "processing")
    if intent["status"] == "requires_capture":
        charge = world.state.find("charge", intent["latest_charge"], "charge")
        changed(world, "charge.refunded", charge, {"amount_refunded": charge["amount"], "refunded": True})
    intent |= {"status": "canceled", "canceled_at": world.state.now(), "amount_capturable": 0, "next_action": None,
               "cancellation_reason": request.params.get("cancellation_reason")}
    emit(world, "payment_intent.canceled", intent)
    return intent
