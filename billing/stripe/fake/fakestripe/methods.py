"""Payment methods: a card as Stripe shows it, saved with a customer or not."""

from .cards import READY, Card, card
from .errors import card_error, invalid
from .events import changed, emit
from .lists import page
from .parameters import ADDRESS, PAGE, choice, clearable, integer, metadata, text
from .routes import Request, call
from .state import State, nulls
from .world import World

BILLING = {"address": ADDRESS, "email": clearable, "name": clearable, "phone": clearable}
NO_ADDRESS = nulls("city country line1 line2 postal_code state")


def billing(given: dict | None) -> dict:
    details = {"address": NO_ADDRESS, "email": None, "name": None, "phone": None, "tax_id": None} | (given or {})
    return details | {"address": NO_ADDRESS | (details["address"] or {})}


def made(world: World, number: str, details: dict | None = None, expiry: tuple[int, int] = (12, 2034),
         more: dict | None = None) -> dict:
    its = card(number)
    return world.state.add("payment_method", {
        "allow_redisplay": "unspecified", "billing_details": billing(details), "customer": None, "customer_account": None,
        "metadata": more or {}, "type": "card",
        "card": {"brand": its.brand, "display_brand": its.brand, "country": its.country, "funding": "credit",
                 "exp_month": expiry[0], "exp_year": expiry[1], "last4": its.last4, "fingerprint": its.fingerprint,
                 "checks": {"address_line1_check": None, "address_postal_code_check": "pass", "cvc_check": "pass"},
                 "networks": {"available": [its.brand], "preferred": None}, "three_d_secure_usage": {"supported": True},
                 "regulated_status": "unregulated", "generated_from": None, "wallet": None},
    }, {"number": its.number, "set_up": False})


def card_of(state: State, method: dict) -> Card:
    return card(state.secret(method["id"])["number"])


def found(world: World, given: str, param: str = "payment_method") -> dict:
    """The method of that id; the names that Stripe has ready for tests make a new one each time."""
    if given in READY:
        return made(world, READY[given])
    return world.state.find("payment_method", given, param)


def usable(world: World, given: str, customer: str | None) -> dict:
    """The method, if this customer may pay with it."""
    method = found(world, given)
    if method["customer"] and not customer:
        raise invalid(f"The PaymentMethod {method['id']} belongs to a Customer. Please include the Customer in the "
                      "`customer` parameter on the PaymentIntent.", param="payment_method")
    if customer and method["customer"] not in (None, customer):
        raise invalid(f"The customer does not have a payment method with the ID {method['id']}. The payment method must be "
                      "attached to the customer.", code="resource_missing", param="payment_method")
    if world.state.secret(method["id"]).get("spent"):
        raise invalid("The provided PaymentMethod was previously used with a PaymentIntent without Customer attachment, "
                      "shared with a connected account without Customer attachment, or was detached from a Customer. It may "
                      "not be used again. To use a PaymentMethod multiple times, you must attach it to a Customer first.",
                      param="payment_method")
    return method


def attach(world: World, method: dict, customer: str) -> None:
    if method["customer"] == customer:
        return
    if method["customer"]:
        raise invalid("The payment method you provided has already been attached to a customer.", param="payment_method")
    method["customer"] = customer
    emit(world, "payment_method.attached", method)


@call("POST", "/v1/payment_methods", {
    "type!": choice("card"), "billing_details": BILLING, "metadata": metadata,
    "card": {"number!": text, "exp_month!": integer, "exp_year!": integer, "cvc": text}})
def create(world: World, request: Request) -> dict:
    asked = request.params
    if "card" not in asked:
        raise invalid("Missing required param: card.", code="parameter_missing", param="card", saved=False)
    expiry = asked["card"]["exp_month"], asked["card"]["exp_year"]
    return made(world, asked["card"]["number"], asked.get("billing_details"), expiry, asked.get("metadata"))


@call("GET", "/v1/payment_methods", PAGE | {"customer": text, "type": text})
def list_all(world: World, request: Request) -> dict:
    asked = request.params
    if "customer" in asked:
        world.state.find("customer", asked["customer"], "customer")
    return page("/v1/payment_methods", world.newest("payment_method"), asked, lambda method:
                method["customer"] is not None and method["customer"] == asked.get("customer", method["customer"])
                and method["type"] == asked.get("type", method["type"]))


@call("GET", "/v1/customers/{customer}/payment_methods", PAGE | {"type": text})
def list_of_customer(world: World, request: Request) -> dict:
    customer = world.state.find("customer", request.ids["customer"], "customer", 404)["id"]
    return page(f"/v1/customers/{customer}/payment_methods", world.newest("payment_method"), request.params,
                lambda method: method["customer"] == customer
                and method["type"] == request.params.get("type", method["type"]))


@call("GET", "/v1/payment_methods/{id}")
def get(world: World, request: Request) -> dict:
    return world.state.find("payment_method", request.ids["id"], "payment_method", 404)


@call("POST", "/v1/payment_methods/{id}", {"billing_details": BILLING, "metadata": metadata,
                                           "allow_redisplay": choice("always", "limited", "unspecified"),
                                           "card": {"exp_month": integer, "exp_year": integer}})
def update(world: World, request: Request) -> dict:
    method, asked = get(world, request), request.params
    fields: dict = {}
    if "billing_details" in asked:
        fields["billing_details"] = billing(method["billing_details"] | asked["billing_details"])
    if "metadata" in asked:
        fields["metadata"] = merged(method["metadata"], asked["metadata"])
    if "card" in asked:
        fields["card"] = method["card"] | asked["card"]
    if "allow_redisplay" in asked:
        fields["allow_redisplay"] = asked["allow_redisplay"]
    changed(world, "payment_method.updated", method, fields)
    return method


@call("POST", "/v1/payment_methods/{id}/attach", {"customer!": text})
def attach_call(world: World, request: Request) -> dict:
    customer = world.state.find("customer", request.params["customer"], "customer")
    method = found(world, request.ids["id"])
    refused = card_of(world.state, method).declined
    if refused:
        raise card_error(refused.message, refused.code, refused.decline_code)
    attach(world, method, customer["id"])
    return method


@call("POST", "/v1/payment_methods/{id}/detach")
def detach(world: World, request: Request) -> dict:
    method = get(world, request)
    owner = method["customer"]
    if not owner:
        raise invalid("The payment method you provided is not attached to a customer so detachment is impossible.",
                      param="payment_method")
    world.state.secret(method["id"])["spent"] = True
    changed(world, "payment_method.detached", method, {"customer": None})
    return method


def merged(before: dict[str, str], change: dict[str, str]) -> dict[str, str]:
    """Metadata after an update: an empty value takes a name away, no names take all away."""
    if not change:
        return {}
    return {name: value for name, value in (before | change).items() if value != ""}
