"""Sums of all money that moved, by currency: what a ledger beside the fake must agree with."""

from collections import defaultdict

from .world import World


def totals(world: World, customer: str | None = None) -> dict[str, dict[str, int]]:
    """All amounts are cents; with a customer, only what that customer paid and got back."""
    sums: dict[str, dict[str, int]] = defaultdict(lambda: dict.fromkeys(
        ("succeeded", "succeeded_count", "failed_count", "refunded", "disputed", "reinstated", "transferred", "fees"), 0))
    charges = {charge["id"]: charge for charge in world.newest("charge") if customer in (None, charge["customer"])}
    for charge in charges.values():
        its = sums[charge["currency"]]
        its["succeeded"] += charge["amount_captured"]
        its["succeeded_count"] += charge["captured"]
        its["failed_count"] += charge["status"] == "failed"
    for refund in world.newest("refund"):
        if refund["charge"] in charges and refund["status"] != "failed":
            sums[refund["currency"]]["refunded"] += refund["amount"]
    for dispute in world.newest("dispute"):
        if dispute["charge"] in charges:
            sums[dispute["currency"]]["disputed"] += dispute["amount"]
            sums[dispute["currency"]]["reinstated"] += dispute["amount"] * (dispute["status"] == "won")
    if customer is None:
        for transfer in world.newest("transfer"):
            sums[transfer["currency"]]["transferred"] += transfer["amount"] - transfer["amount_reversed"]
        for entry in world.newest("balance_transaction"):
            sums[entry["currency"]]["fees"] += entry["fee"]
    return dict(sums)
