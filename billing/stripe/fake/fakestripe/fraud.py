"""Early fraud warnings: the issuer suspects a payment that is not disputed yet; a refund in time may spare the dispute."""

from .events import changed, emit
from .lists import page
from .parameters import PAGE, created, text
from .routes import Request, call
from .world import World

KIND = "radar.early_fraud_warning"


def warned(world: World, charge: dict, fraud_type: str) -> dict:
    warning = world.state.add(KIND, {
        "actionable": not (charge["refunded"] or charge["disputed"]), "charge": charge["id"], "fraud_type": fraud_type,
        "payment_intent": charge["payment_intent"]})
    emit(world, f"{KIND}.created", warning)
    return warning


def refunded(world: World, charge: dict) -> None:
    """A warning asks for nothing more once all is given back."""
    if not charge["refunded"]:
        return
    for warning in world.state.objects[KIND].values():
        if warning["charge"] == charge["id"]:
            changed(world, f"{KIND}.updated", warning, {"actionable": False})


@call("GET", "/v1/radar/early_fraud_warnings", PAGE | {"charge": text, "payment_intent": text, "created": created})
def list_all(world: World, request: Request) -> dict:
    asked = request.params
    return page("/v1/radar/early_fraud_warnings", world.newest(KIND), asked, lambda warning: all(
        warning[name] == asked[name] for name in ("charge", "payment_intent") if name in asked))


@call("GET", "/v1/radar/early_fraud_warnings/{id}")
def get(world: World, request: Request) -> dict:
    return world.state.find(KIND, request.ids["id"], "early_fraud_warning", 404)
