"""Transfers to connected accounts, and their reversals: never more than there is."""

from . import balance
from .errors import invalid, money
from .events import changed, emit
from .lists import page, whole
from .methods import merged
from .parameters import PAGE, boolean, created, currency, metadata, positive, text
from .routes import Request, call
from .state import new_id
from .world import World


@call("POST", "/v1/transfers", {"amount!": positive, "currency!": currency, "destination!": text, "description": text,
                                "metadata": metadata, "source_transaction": text, "transfer_group": text})
def create(world: World, request: Request) -> dict:
    asked = request.params
    account = world.state.objects["account"].get(asked["destination"])
    if account is None or account.get("deleted"):
        raise invalid(f"No such destination: '{asked['destination']}'", code="resource_missing", param="destination")
    if account["capabilities"].get("transfers") != "active":
        raise invalid("Your destination account needs to have at least one of the following capabilities enabled: transfers, "
                      "crypto_transfers, legacy_payments", code="insufficient_capabilities_for_transfer")
    covered(world, asked)
    transfer = world.state.add("transfer", {
        "amount": asked["amount"], "amount_reversed": 0, "balance_transaction": None, "currency": asked["currency"],
        "description": asked.get("description"), "destination": account["id"], "destination_payment": new_id("py_"),
        "metadata": asked.get("metadata", {}), "reversed": False, "source_transaction": asked.get("source_transaction"),
        "source_type": "card", "transfer_group": asked.get("transfer_group")})
    transfer["reversals"] = whole(f"/v1/transfers/{transfer['id']}/reversals", [])
    source = world.state.objects["charge"].get(transfer["source_transaction"] or "")
    if source:
        transfer["transfer_group"] = transfer["transfer_group"] or f"group_{source['payment_intent']}"
    waits = bool(source) and world.state.objects["balance_transaction"][source["balance_transaction"]]["status"] == "pending"
    transfer["balance_transaction"] = balance.enter(world, "transfer", transfer, -asked["amount"], pending=waits)["id"]
    balance.enter(world, "payment", transfer, asked["amount"], pending=waits, account=account["id"])
    emit(world, "transfer.created", transfer)
    return transfer


def covered(world: World, asked: dict) -> None:
    """Money for a transfer comes from one charge, or from what is available."""
    if "source_transaction" in asked:
        charge = world.state.find("charge", asked["source_transaction"], "source_transaction")
        if not charge["captured"]:
            raise invalid(f"Charge {charge['id']} is not captured.", param="source_transaction")
        sent = sum(transfer["amount"] - transfer["amount_reversed"] for transfer in world.newest("transfer")
                   if transfer["source_transaction"] == charge["id"])
        left = charge["amount_captured"] - sent
        if asked["amount"] > left:
            raise invalid(f"The transfer amount ({money(asked['amount'], asked['currency'])}) is greater than what the source "
                          f"transaction has left ({money(left, charge['currency'])}).", param="amount")
    elif asked["amount"] > balance.available(world, asked["currency"]):
        raise invalid("You have insufficient available funds in your Stripe account. Try adding funds directly to your "
                      "available balance by creating Charges using the 4000000000000077 test card. See: "
                      "https://docs.stripe.com/testing#available-balance", code="balance_insufficient")


@call("GET", "/v1/transfers", PAGE | {"destination": text, "transfer_group": text, "created": created})
def list_all(world: World, request: Request) -> dict:
    asked = request.params
    return page("/v1/transfers", world.newest("transfer"), asked, lambda transfer: all(
        transfer[name] == asked[name] for name in ("destination", "transfer_group") if name in asked))


@call("GET", "/v1/transfers/{id}")
def get(world: World, request: Request) -> dict:
    return world.state.find("transfer", request.ids["id"], "transfer", 404)


@call("POST", "/v1/transfers/{id}", {"metadata": metadata, "description": text})
def update(world: World, request: Request) -> dict:
    transfer, asked = get(world, request), request.params
    fields = {name: asked[name] for name in ("description",) if name in asked}
    if "metadata" in asked:
        fields["metadata"] = merged(transfer["metadata"], asked["metadata"])
    changed(world, "transfer.updated", transfer, fields)
    return transfer


@call("POST", "/v1/transfers/{id}/reversals", {"amount": positive, "description": text, "metadata": metadata,
                                               "refund_application_fee": boolean})
def reverse(world: World, request: Request) -> dict:
    transfer, asked = get(world, request), request.params
    left = transfer["amount"] - transfer["amount_reversed"]
    amount = asked.get("amount", left)
    if left == 0:
        raise invalid(f"Transfer {transfer['id']} has already been reversed.", code="transfer_already_reversed")
    if amount > left:
        raise invalid(f"Reversal amount ({money(amount, transfer['currency'])}) is greater than unreversed amount on transfer "
                      f"({money(left, transfer['currency'])})", param="amount")
    if amount > balance.available(world, transfer["currency"], transfer["destination"]):
        raise invalid("The connected account has insufficient funds for this reversal.", code="balance_insufficient")
    reversal = world.state.add("transfer_reversal", {
        "amount": amount, "balance_transaction": None, "currency": transfer["currency"], "destination_payment_refund": None,
        "metadata": asked.get("metadata", {}), "source_refund": None, "transfer": transfer["id"]})
    reversal["balance_transaction"] = balance.enter(world, "transfer_refund", reversal, amount)["id"]
    balance.enter(world, "payment_refund", reversal, -amount, account=transfer["destination"])
    transfer["reversals"]["data"].insert(0, reversal)
    changed(world, "transfer.reversed", transfer, {"amount_reversed": transfer["amount_reversed"] + amount,
                                                   "reversed": amount == left})
    return reversal


@call("GET", "/v1/transfers/{id}/reversals", PAGE)
def list_reversals(world: World, request: Request) -> dict:
    return page(request.path, get(world, request)["reversals"]["data"], request.params)


@call("GET", "/v1/transfers/{id}/reversals/{reversal}")
def get_reversal(world: World, request: Request) -> dict:
    get(world, request)
    return world.state.find("transfer_reversal", request.ids["reversal"], "reversal", 404)
