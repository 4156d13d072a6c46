"""Paid invoices, as a checkout session with `invoice_creation` leaves them."""

from .events import emit
from .lists import page, whole
from .parameters import PAGE, choice, created, text
from .routes import Request, call
from .state import nulls
from .world import World


def paid(world: World, session: dict, items: list[dict], wanted: dict) -> dict:
    now = world.state.now()
    customer = world.state.objects["customer"][session["customer"]]
    buyer = session["customer_details"] or {}
    number = f"{customer['invoice_prefix']}-{customer['next_invoice_sequence']:04}"
    customer["next_invoice_sequence"] += 1
    total = session["amount_total"]
    invoice = world.state.add("invoice", nulls(
        "account_tax_ids application automatically_finalizes_at collection_method custom_fields customer_account "
        "customer_phone customer_shipping default_payment_method default_source description due_date ending_balance footer "
        "from_invoice last_finalization_error latest_revision next_payment_attempt on_behalf_of parent receipt_number rendering "
        "shipping_cost shipping_details statement_descriptor test_clock webhooks_delivered_at") | {
        "account_country": "US", "account_name": "Fake Stripe: nothing is paid", "amount_due": total, "amount_overpaid": 0,
        "amount_paid": total, "amount_remaining": 0, "amount_shipping": 0, "attempt_count": 1, "attempted": True,
        "auto_advance": False, "automatic_tax": session["automatic_tax"] | {"disabled_reason": None},
        "billing_reason": "manual", "collection_method": "charge_automatically", "currency": session["currency"],
        "customer": customer["id"], "customer_address": buyer.get("address"), "customer_email": buyer.get("email"),
        "customer_name": buyer.get("name"), "customer_tax_exempt": "none", "customer_tax_ids": [], "default_tax_rates": [],
        "discounts": [], "effective_at": now, "issuer": {"type": "self"}, "metadata": {}, "number": number,
        "payment_settings": nulls("default_mandate payment_method_options payment_method_types"), "period_end": now,
        "period_start": now, "post_payment_credit_notes_amount": 0, "pre_payment_credit_notes_amount": 0,
        "starting_balance": 0, "status": "paid", "status_transitions": {
            "finalized_at": now, "marked_uncollectible_at": None, "paid_at": now, "voided_at": None},
        "subtotal": session["amount_subtotal"], "subtotal_excluding_tax": total - session["total_details"]["amount_tax"],
        "total": total, "total_discount_amounts": [], "total_excluding_tax": total - session["total_details"]["amount_tax"],
        "total_pretax_credit_amounts": [], "total_taxes": []} | wanted)
    invoice["hosted_invoice_url"] = invoice["invoice_pdf"] = f"{world.base_url}/invoices/{invoice['id']}"
    invoice["lines"] = whole(f"/v1/invoices/{invoice['id']}/lines", [line(world, invoice, item) for item in items])
    for kind in ("invoice.created", "invoice.finalized", "invoice.paid", "invoice.payment_succeeded"):
        emit(world, kind, invoice)
    return invoice


def line(world: World, invoice: dict, item: dict) -> dict:
    return world.state.add("line_item", {
        "amount": item["amount_subtotal"], "currency": item["currency"], "description": item["description"],
        "discount_amounts": [], "discountable": True, "discounts": [], "invoice": invoice["id"], "metadata": {},
        "parent": None, "period": {"start": invoice["created"], "end": invoice["created"]}, "pretax_credit_amounts": [],
        "pricing": None, "quantity": item["quantity"], "subscription": None, "subtotal": item["amount_subtotal"], "taxes": []})


@call("GET", "/v1/invoices", PAGE | {"customer": text, "created": created, "status": choice("draft", "open", "paid", "void")})
def list_all(world: World, request: Request) -> dict:
    asked = request.params
    return page("/v1/invoices", world.newest("invoice"), asked, lambda invoice: all(
        invoice[name] == asked[name] for name in ("customer", "status") if name in asked))


@call("GET", "/v1/invoices/{id}")
def get(world: World, request: Request) -> dict:
    return world.state.find("invoice", request.ids["id"], "invoice", 404)
