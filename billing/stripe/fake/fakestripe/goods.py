"""What a checkout session sells: its lines, their prices, and tax on them."""

from .parameters import choice, metadata, positive, text
from .parameters import amount as amount_kind
from .parameters import currency as currency_kind
from .state import nulls
from .world import World

LINE_ITEM = {"quantity!": positive, "price_data!": {
    "currency!": currency_kind, "unit_amount!": amount_kind, "tax_behavior": choice("exclusive", "inclusive", "unspecified"),
    "product_data!": {"name!": text, "description": text, "images": [text], "metadata": metadata, "tax_code": text}}}
AUTO_ADDRESS = ("Automatic tax calculation in Checkout requires a valid address on the Customer. Add a valid address to the "
                "Customer or set either `customer_update[address]` to 'auto' or `customer_update[shipping]` to 'auto' to save "
                "the address entered in Checkout to the Customer.")


def line(world: World, given: dict) -> dict:
    price, sold = given["price_data"], given["price_data"]["product_data"]
    now = world.state.now()
    product = world.state.add("product", nulls(
        "default_price description package_dimensions shippable tax_code unit_label url statement_descriptor") | {
        "active": False, "images": [], "marketing_features": [], "metadata": {}, "type": "service", "updated": now} | sold)
    its_price = world.state.add("price", nulls("custom_unit_amount lookup_key nickname recurring tiers_mode "
                                               "transform_quantity") | {
        "active": False, "billing_scheme": "per_unit", "currency": price["currency"], "metadata": {},
        "product": product["id"], "tax_behavior": price.get("tax_behavior", "unspecified"), "type": "one_time",
        "unit_amount": price["unit_amount"], "unit_amount_decimal": str(price["unit_amount"])})
    amount = price["unit_amount"] * given["quantity"]
    return world.state.add("item", {"adjustable_quantity": None, "amount_discount": 0, "amount_subtotal": amount,
                                    "amount_tax": 0, "amount_total": amount, "currency": price["currency"],
                                    "description": sold["name"], "metadata": {}, "price": its_price,
                                    "quantity": given["quantity"]})


def priced(items: list[dict], currency: str | None) -> dict:
    """The sums of a session; a session that sells nothing has none."""
    if not items:
        return nulls("amount_subtotal amount_total total_details") | {"currency": currency}
    return {"currency": items[0]["currency"], "amount_subtotal": sum(item["amount_subtotal"] for item in items),
            "amount_total": sum(item["amount_total"] for item in items),
            "total_details": {"amount_discount": 0, "amount_shipping": 0,
                              "amount_tax": sum(item["amount_tax"] for item in items)}}


def with_tax(world: World, session: dict) -> None:
    """Adds tax at the rate of the fake, on top unless the price includes it."""
    items = world.state.secret(session["id"])["line_items"]
    for item in items:
        net, rate = item["amount_subtotal"], world.tax_percent
        if item["price"]["tax_behavior"] == "inclusive":
            item["amount_tax"] = net - (net * 100 * 2 + 100 + rate) // (2 * (100 + rate))
        else:
            item["amount_tax"] = (net * rate + 50) // 100
            item["amount_total"] = net + item["amount_tax"]
    session |= priced(items, session["currency"])
    session["automatic_tax"] = session["automatic_tax"] | {"status": "complete"}
