"""The balance: one balance transaction for each movement of money, and sums over them.

A charge is pending for two days, as in most countries of Stripe. Transactions of a connected account are told apart by
their owner, which Stripe does not show.
"""

from .lists import page
from .parameters import PAGE, created, text
from .routes import Request, call
from .world import World

PENDING_S = 2 * 24 * 3600
CATEGORIES = {"payment": "charge", "payment_refund": "refund", "transfer_refund": "transfer_reversal"}


def fee_of(amount: int) -> int:
    """2.9 % and 30 cents, Stripe's price for a card in the United States."""
    return (amount * 29 + 500) // 1000 + 30


def enter(world: World, kind: str, source: dict, amount: int, *, fee: int = 0, pending: bool = False,
          category: str | None = None, account: str | None = None) -> dict:
    now = world.state.now()
    return world.state.add("balance_transaction", {
        "amount": amount, "available_on": now + (PENDING_S if pending else 0), "balance_type": "payments",
        "currency": source["currency"], "description": source.get("description"), "exchange_rate": None, "fee": fee,
        "fee_details": [{"amount": fee, "application": None, "currency": source["currency"], "type": "stripe_fee",
                         "description": "Stripe processing fees"}] if fee else [],
        "net": amount - fee, "reporting_category": category or CATEGORIES.get(kind, kind), "source": source["id"],
        "status": "pending" if pending else "available", "type": kind}, {"account": account})


def mature(world: World) -> None:
    for entry in world.state.objects["balance_transaction"].values():
        if entry["status"] == "pending" and entry["available_on"] <= world.state.now():
            entry["status"] = "available"


def owner(world: World, entry: dict) -> str | None:
    return world.state.hidden.get(entry["id"], {}).get("account")


def available(world: World, currency: str, account: str | None = None) -> int:
    mature(world)
    return sum(entry["net"] for entry in world.state.objects["balance_transaction"].values()
               if entry["status"] == "available" and entry["currency"] == currency and owner(world, entry) == account)


@call("GET", "/v1/balance")
def get(world: World, request: Request) -> dict:
    mature(world)
    sums: dict[str, dict[str, int]] = {"available": {"usd": 0}, "pending": {"usd": 0}}
    for entry in world.state.objects["balance_transaction"].values():
        if owner(world, entry) == request.account:
            by_currency = sums[entry["status"]]
            by_currency[entry["currency"]] = by_currency.get(entry["currency"], 0) + entry["net"]
    return {"object": "balance", "livemode": False, **{
        status: [{"amount": amount, "currency": currency, "source_types": {"card": amount}}
                 for currency, amount in sorted(by_currency.items())] for status, by_currency in sums.items()}}


@call("GET", "/v1/balance_transactions", PAGE | {"type": text, "source": text, "currency": text, "created": created})
def list_all(world: World, request: Request) -> dict:
    mature(world)
    asked = request.params
    return page("/v1/balance_transactions", world.newest("balance_transaction"), asked, lambda entry:
                owner(world, entry) == request.account
                and all(entry[name] == asked[name] for name in ("type", "source", "currency") if name in asked))


@call("GET", "/v1/balance_transactions/{id}")
def get_transaction(world: World, request: Request) -> dict:
    mature(world)
    return world.state.find("balance_transaction", request.ids["id"], "id", 404)
