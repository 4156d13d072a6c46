"""Links to the customer's portal, where cards and invoices are."""

from .customers import alive
from .parameters import text, url
from .routes import Request, call
from .world import World

CONFIGURATION = "bpc_fake000000000000000000"


@call("POST", "/v1/billing_portal/sessions", {"customer!": text, "return_url": url, "configuration": text, "locale": text})
def create(world: World, request: Request) -> dict:
    asked = request.params
    customer = alive(world, asked["customer"])
    session = world.state.add("billing_portal.session", {
        "after_expiration": None, "configuration": asked.get("configuration", CONFIGURATION), "customer": customer["id"],
        "customer_account": None, "flow": None, "locale": asked.get("locale"), "on_behalf_of": None,
        "return_url": asked.get("return_url")})
    session["url"] = f"{world.base_url}/p/session/{session['id']}"
    return session
