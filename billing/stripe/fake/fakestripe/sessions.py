"""Checkout sessions: what is sold, to whom, and the page on which it is paid."""

from . import setups
from .customers import alive
from .errors import invalid
from .events import emit
from .goods import AUTO_ADDRESS, LINE_ITEM, line, priced, with_tax
from .intents import SMALLEST, USAGE
from .lists import page
from .methods import merged
from .parameters import PAGE, boolean, choice, created, currency, integer, metadata, text, url
from .routes import Request, call
from .state import nulls
from .world import World

SHORTEST_S, LONGEST_S = 30 * 60, 24 * 3600
AUTO = choice("auto", "never")
CREATE = {
    "mode!": choice("payment", "setup"), "line_items": [LINE_ITEM], "customer": text, "customer_email": text,
    "client_reference_id": text, "metadata": metadata, "success_url": url, "cancel_url": url, "expires_at": integer,
    "currency": currency, "automatic_tax": {"enabled!": boolean}, "tax_id_collection": {"enabled!": boolean},
    "invoice_creation": {"enabled!": boolean, "invoice_data": {"description": text, "footer": text, "metadata": metadata}},
    "customer_update": {"address": AUTO, "name": AUTO, "shipping": AUTO},
    "customer_creation": choice("always", "if_required"), "billing_address_collection": choice("auto", "required"),
    "payment_intent_data": {"setup_future_usage": USAGE, "metadata": metadata, "description": text, "receipt_email": text,
                            "statement_descriptor": text, "statement_descriptor_suffix": text, "transfer_group": text,
                            "capture_method": choice("automatic", "automatic_async", "manual")},
    "setup_intent_data": {"metadata": metadata, "description": text},
    "payment_method_options": {"card": {"request_three_d_secure": choice("any", "automatic", "challenge"),
                                        "setup_future_usage": USAGE}},
    "allowed_payment_method_types": [choice("card")], "submit_type": choice("auto", "book", "donate", "pay"),
    "locale": text, "ui_mode": choice("hosted_page"), "allow_promotion_codes": boolean}


@call("POST", "/v1/checkout/sessions", CREATE)
def create(world: World, request: Request) -> dict:
    asked = request.params
    customer = alive(world, asked["customer"]) if "customer" in asked else None
    checked(world, asked, customer)
    items = [line(world, given) for given in asked.get("line_items", [])]
    options = asked.get("payment_method_options", {}).get("card", {})
    session = world.state.add("checkout.session", nulls(
        "adaptive_pricing after_expiration allow_promotion_codes allowed_payment_method_types "
        "billing_address_collection cancel_url client_reference_id "
        "client_secret collected_information consent consent_collection currency_conversion customer customer_account "
        "customer_creation customer_email discounts invoice invoice_creation locale origin_context payment_intent payment_link "
        "payment_method_collection payment_method_configuration_details permissions recovered_from "
        "saved_payment_method_options setup_intent shipping_address_collection shipping_cost submit_type "
        "subscription success_url wallet_options") | {
        "automatic_tax": {"enabled": False, "liability": None, "provider": None, "status": None},
        "branding_settings": None, "custom_fields": [],
        "custom_text": nulls("after_submit shipping_address submit terms_of_service_acceptance"),
        "customer_details": details(customer, asked), "expires_at": world.state.now() + LONGEST_S, "metadata": {},
        "payment_method_options": {"card": {"request_three_d_secure": "automatic"} | options},
        "payment_method_types": ["card"], "payment_status": "unpaid", "phone_number_collection": {"enabled": False},
        "shipping_options": [], "status": "open", "ui_mode": "hosted_page"} | {name: asked[name] for name in (
            "allow_promotion_codes", "billing_address_collection", "cancel_url", "client_reference_id", "customer",
            "customer_email", "expires_at", "locale", "metadata", "mode", "allowed_payment_method_types", "submit_type",
            "success_url") if name in asked} | priced(items, asked.get("currency")), {
        "line_items": items, "intent": asked.get("payment_intent_data", {}), "options": options,
        "update": asked.get("customer_update", {}), "invoice": asked.get("invoice_creation", {}).get("invoice_data", {})})
    session["url"] = f"{world.base_url}/c/pay/{session['id']}"
    if asked["mode"] == "setup":
        session |= {"payment_status": "no_payment_required", "setup_intent": setup_intent(world, asked, customer)}
    else:
        session["customer_creation"] = None if customer else asked.get("customer_creation", "if_required")
        wanted = asked.get("invoice_creation", {"enabled": False})
        session["invoice_creation"] = {"enabled": wanted["enabled"], "invoice_data": nulls(
            "account_tax_ids custom_fields description footer issuer rendering_options") | {"metadata": {}}
            | wanted.get("invoice_data", {})}
    if "tax_id_collection" in asked:
        session["tax_id_collection"] = {"enabled": asked["tax_id_collection"]["enabled"], "required": "never"}
    if asked.get("automatic_tax", {}).get("enabled"):
        known = bool(customer and (customer["address"] or {}).get("country"))
        session["automatic_tax"] = {"enabled": True, "liability": {"type": "self"}, "provider": "stripe",
                                    "status": "complete" if known else "requires_location_inputs"}
        if known:
            with_tax(world, session)
    return session


def checked(world: World, asked: dict, customer: dict | None) -> None:
    """What a table of parameters cannot say: which go together."""
    def together(wrong: bool, message: str, param: str, code: str | None = None) -> None:
        if wrong:
            raise invalid(message, param=param, code=code)

    paying = asked["mode"] == "payment"
    together("success_url" not in asked, "You must provide `success_url` for a session of the hosted page.", "success_url",
             "parameter_missing")
    together(paying and not asked.get("line_items"), "The `line_items` parameter is required in payment mode.", "line_items")
    together(not paying and bool(asked.get("line_items")), "You can not pass `line_items` in `setup` mode.", "line_items")
    together(not paying and "payment_intent_data" in asked, "You can not pass `payment_intent_data` in `setup` mode.",
             "payment_intent_data")
    together(not paying and "invoice_creation" in asked, "You can only enable `invoice_creation` when `mode` is set to "
             "`payment`.", "invoice_creation")
    together(paying and "setup_intent_data" in asked, "You can not pass `setup_intent_data` in `payment` mode.",
             "setup_intent_data")
    together(not paying and not {"currency", "allowed_payment_method_types"} & set(asked),
             "In `setup` mode `currency` is required unless `allowed_payment_method_types` is given.", "currency")
    together("customer" in asked and "customer_email" in asked, "You may only specify one of these parameters: customer, "
             "customer_email.", "customer")
    together("customer_update" in asked and customer is None, "`customer_update` can only be used with `customer`.",
             "customer_update")
    together("customer_creation" in asked and customer is not None, "`customer_creation` cannot be used with `customer`.",
             "customer_creation")
    update = asked.get("customer_update", {})
    address = (customer or {}).get("address") or {}
    together(bool(asked.get("automatic_tax", {}).get("enabled")) and customer is not None and not address.get("country")
             and "auto" not in (update.get("address"), update.get("shipping")), AUTO_ADDRESS, "automatic_tax",
             "customer_tax_location_invalid")
    together(bool(asked.get("tax_id_collection", {}).get("enabled")) and customer is not None
             and update.get("name") != "auto", "Tax ID collection requires updating business name on the customer. To enable "
             "tax ID collection for an existing customer, please set `customer_update[name]` to `auto`.", "tax_id_collection")
    total = sum(item["quantity"] * item["price_data"]["unit_amount"] for item in asked.get("line_items", []))
    together(paying and total < SMALLEST, "The Checkout Session's total amount due must add up to at least $0.50 usd",
             "line_items", "amount_too_small")
    ends = asked.get("expires_at", world.state.now() + SHORTEST_S) - world.state.now()
    together(ends < SHORTEST_S - 5, "The `expires_at` timestamp must be at least 30 minutes from Checkout Session creation.",
             "expires_at")
    together(ends > LONGEST_S + 5, "The `expires_at` timestamp must be less than 24 hours from Checkout Session creation.",
             "expires_at")


def details(customer: dict | None, asked: dict) -> dict | None:
    email = customer["email"] if customer else asked.get("customer_email")
    if customer is None and email is None:
        return None
    return nulls("address business_name individual_name name phone tax_ids") | {"email": email, "tax_exempt": "none"}


def setup_intent(world: World, asked: dict, customer: dict | None) -> str:
    options = {"card": {name: value for name, value in asked.get("payment_method_options", {}).get("card", {}).items()
                        if name == "request_three_d_secure"}}
    given = asked.get("setup_intent_data", {}) | {"payment_method_options": options}
    return setups.made(world, given | ({"customer": customer["id"]} if customer else {}))["id"]


def expired(world: World, session: dict) -> None:
    session |= {"status": "expired", "url": None}
    emit(world, "checkout.session.expired", session)


def expire_due(world: World) -> None:
    for session in world.state.objects["checkout.session"].values():
        if session["status"] == "open" and session["expires_at"] <= world.state.now():
            expired(world, session)


@call("GET", "/v1/checkout/sessions", PAGE | {"customer": text, "payment_intent": text, "created": created,
                                              "status": choice("open", "complete", "expired")})
def list_all(world: World, request: Request) -> dict:
    asked = request.params
    return page("/v1/checkout/sessions", world.newest("checkout.session"), asked, lambda session: all(
        session[name] == asked[name] for name in ("customer", "payment_intent", "status") if name in asked))


@call("GET", "/v1/checkout/sessions/{id}")
def get(world: World, request: Request) -> dict:
    return world.state.find("checkout.session", request.ids["id"], "session", 404)


@call("GET", "/v1/checkout/sessions/{id}/line_items", PAGE)
def line_items(world: World, request: Request) -> dict:
    session = get(world, request)
    return page(request.path, world.state.secret(session["id"])["line_items"], request.params)


@call("POST", "/v1/checkout/sessions/{id}", {"metadata": metadata})
def update(world: World, request: Request) -> dict:
    session = get(world, request)
    session["metadata"] = merged(session["metadata"], request.params.get("metadata", {}))
    return session


@call("POST", "/v1/checkout/sessions/{id}/expire")
def expire(world: World, request: Request) -> dict:
    session = get(world, request)
    if session["status"] != "open":
        raise invalid(f"Only Checkout Sessions with a status in [\"open\"] can be expired. This Checkout Session has a status "
                      f"of {session['status']}.", param="session")
    expired(world, session)
    return session
