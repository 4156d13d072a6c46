"""Customers."""

from .errors import missing
from .events import changed, emit
from .lists import page
from .methods import NO_ADDRESS, merged
from .parameters import ADDRESS, PAGE, choice, clearable, created, metadata, text
from .routes import Request, call
from .state import new_id, nulls
from .world import World

FIELDS = {"name": clearable, "email": clearable, "phone": clearable, "description": clearable, "address": ADDRESS,
          "metadata": metadata, "preferred_locales": [text], "tax_exempt": choice("none", "exempt", "reverse"),
          "invoice_settings": {"default_payment_method": clearable, "footer": clearable}}


def made(world: World, given: dict) -> dict:
    customer = world.state.add("customer", {
        "address": None, "balance": 0, "currency": None, "customer_account": None, "default_source": None,
        "delinquent": False, "description": None, "discount": None, "email": None,
        "invoice_prefix": new_id("", 8).upper(), "metadata": {}, "name": None, "next_invoice_sequence": 1, "phone": None,
        "preferred_locales": [], "shipping": None, "tax_exempt": "none", "test_clock": None,
        "invoice_settings": nulls("custom_fields default_payment_method footer rendering_options")})
    customer |= fields(world, customer, given)
    emit(world, "customer.created", customer)
    return customer


def fields(world: World, customer: dict, given: dict) -> dict:
    given = {name: value for name, value in given.items() if name != "expand"}
    if "address" in given:
        given["address"] = NO_ADDRESS | given["address"] if given["address"] else None
    if "metadata" in given:
        given["metadata"] = merged(customer["metadata"], given["metadata"])
    if "invoice_settings" in given:
        method = given["invoice_settings"].get("default_payment_method")
        if method and world.state.find("payment_method", method, "invoice_settings[default_payment_method]")[
                "customer"] != customer["id"]:
            raise missing("payment_method", method, "invoice_settings[default_payment_method]")
        given["invoice_settings"] = customer["invoice_settings"] | given["invoice_settings"]
    return given


@call("POST", "/v1/customers", FIELDS)
def create(world: World, request: Request) -> dict:
    return made(world, request.params)


@call("GET", "/v1/customers", PAGE | {"email": text, "created": created})
def list_all(world: World, request: Request) -> dict:
    return page("/v1/customers", world.newest("customer"), request.params, lambda customer:
                not customer.get("deleted") and customer.get("email") == request.params.get("email", customer.get("email")))


@call("GET", "/v1/customers/{id}")
def get(world: World, request: Request) -> dict:
    return world.state.find("customer", request.ids["id"], "id", 404)


@call("POST", "/v1/customers/{id}", FIELDS)
def update(world: World, request: Request) -> dict:
    customer = alive(world, request.ids["id"], "id", 404)
    changed(world, "customer.updated", customer, fields(world, customer, request.params))
    return customer


@call("DELETE", "/v1/customers/{id}")
def delete(world: World, request: Request) -> dict:
    customer = alive(world, request.ids["id"], "id", 404)
    emit(world, "customer.deleted", customer)
    for method in world.newest("payment_method"):
        if method["customer"] == customer["id"]:
            changed(world, "payment_method.detached", method, {"customer": None})
    customer.clear()
    customer |= {"id": request.ids["id"], "object": "customer", "deleted": True}
    return customer


def alive(world: World, given: str, param: str = "customer", status: int = 400) -> dict:
    customer = world.state.find("customer", given, param, status)
    if customer.get("deleted"):
        error = missing("customer", given, param)
        error.status = status
        raise error
    return customer
