"""The pages that a browser is sent to: pay, confirm with the bank, onboard an account, see the portal."""

import re
from collections.abc import Callable
from html import escape
from urllib.parse import parse_qsl, urlencode

from . import accounts, checkout
from .api import Answer
from .cards import CARDS
from .errors import StripeError, invalid
from .events import changed
from .happenings import challenged_intent
from .html import form, gone_to, page, price, row
from .world import World

PAGES: list[tuple[re.Pattern[str], Callable[..., Answer]]] = []


def shows(path: str) -> Callable[[Callable[..., Answer]], Callable[..., Answer]]:
    pattern = re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path))

    def register(make: Callable[..., Answer]) -> Callable[..., Answer]:
        PAGES.append((pattern, make))
        return make
    return register


def answer(world: World, method: str, path: str, body: bytes) -> Answer:
    try:
        typed = dict(parse_qsl(body.decode("utf-8", "replace"), max_num_fields=50)) if method == "POST" else None
        for pattern, make in PAGES:
            if match := pattern.fullmatch(path):
                with world.work():
                    return make(world, typed, **match.groupdict())
        raise invalid(f"There is no page {path}", status=404)
    except StripeError as error:
        return page("This does not work", f'<p class="error">{escape(str(error))}</p>', error.status)
    except ValueError as error:
        return page("This does not work", f'<p class="error">{escape(str(error))}</p>', 400)


@shows("/")
def home(world: World, typed: dict | None) -> Answer:
    return page("Test double", "<p>This stands in for Stripe's API under <code>/v1/</code>. No card is charged and no money "
                "moves. Never type in a real card.</p>")


@shows("/c/pay/{session}")
def pay(world: World, typed: dict | None, session: str) -> Answer:
    found = world.state.find("checkout.session", session, "session", 404)
    if found["status"] == "complete":
        return gone_to(back(found))
    if found["status"] == "expired":
        return page("This checkout has expired", cancel(found), 410)
    problem = ""
    if typed is not None:
        try:
            checkout.pay(world, found, buyer(typed))
            waits = challenge_of(world, found)
            return gone_to(f"/challenge/{waits}" if waits else back(found))
        except StripeError as error:
            problem = f'<p class="error" role="alert">{escape(str(error))}</p>'
    return page("Save a card" if found["mode"] == "setup" else "Pay", problem + bill(world, found) + card_form(found),
                402 if problem else 200)


def buyer(typed: dict) -> checkout.Buyer:
    month, _, year = typed.get("expiry", "12/34").partition("/")
    if not (month.strip().isdecimal() and year.strip().isdecimal() and 1 <= int(month) <= 12):
        raise invalid("The expiry must look like 12/34", param="expiry")
    address = {"country": typed.get("country", "US")[:2].upper(), "postal_code": typed.get("postal_code", "")[:20]}
    return checkout.Buyer(typed.get("card", ""), typed.get("email"), typed.get("name"),
                          (int(month), 2000 + int(year) % 100), address)


def back(session: dict) -> str:
    return session["success_url"].replace("{CHECKOUT_SESSION_ID}", session["id"])


def cancel(session: dict) -> str:
    return f'<p><a href="{escape(session["cancel_url"])}">Back</a></p>' if session["cancel_url"] else ""


def challenge_of(world: World, session: dict) -> str | None:
    kind = "setup_intent" if session["mode"] == "setup" else "payment_intent"
    intent = world.state.objects[kind][session[kind]]
    return intent["id"] if intent["status"] == "requires_action" else None


def bill(world: World, session: dict) -> str:
    items = world.state.secret(session["id"])["line_items"]
    lines = "".join(row(f"{item['quantity']} × {item['description']}", price(item["amount_subtotal"], item["currency"]))
                    for item in items)
    if session["total_details"]:
        lines += row("Tax", price(session["total_details"]["amount_tax"], session["currency"]))
        lines += row("Total", price(session["amount_total"], session["currency"]))
    return f"<table>{lines}</table>"


def card_form(session: dict) -> str:
    email = (session["customer_details"] or {}).get("email")
    asked = "" if email else '<label>Email <input name="email" type="email" required></label>'
    options = "".join(f'<option value="{card.number}">{card.number}: {escape(card.does)}</option>' for card in CARDS.values())
    fields = (f'{asked}<label>Test card <select name="card">{options}</select></label>'
              '<label>Expiry <input name="expiry" value="12/34" required></label>'
              '<label>Name on card <input name="name" value="Test Buyer" required></label>'
              '<label>Country <input name="country" value="US" maxlength="2" required></label>'
              '<label>Postal code <input name="postal_code" value="94107"></label>')
    return form("Save card" if session["mode"] == "setup" else "Pay (not really)", fields) + cancel(session)


@shows("/challenge/{intent}")
def challenge(world: World, typed: dict | None, intent: str) -> Answer:
    found = challenged_intent(world, intent)
    session = checkout.session_of(world, found)
    if typed is None and found["status"] == "requires_action":
        return page("The bank asks: is it you?", form("Yes, it is me", name="agreed", value="yes")
                    + form("No", name="agreed", value="no"))
    given = (found["next_action"] or {}).get("redirect_to_url", {}).get("return_url")
    agreed = (typed or {}).get("agreed") == "yes"
    try:
        checkout.challenged(world, found, agreed)
    except StripeError as error:
        if session or not given:
            retry = f'<p><a href="/c/pay/{session["id"]}">Try another card</a></p>' if session else ""
            return page("Not confirmed", f'<p class="error" role="alert">{escape(str(error))}</p>{retry}', error.status)
    if session:
        return gone_to(back(session))
    if not given:
        return page("Confirmed", "<p>You can close this page.</p>")
    told = {found["object"]: found["id"], f"{found['object']}_client_secret": found["client_secret"],
            "redirect_status": "succeeded" if agreed else "failed"}
    return gone_to(given + ("&" if "?" in given else "?") + urlencode(told))


@shows("/setup/e/{account}/{token}")
def onboarding(world: World, typed: dict | None, account: str, token: str) -> Answer:
    found = world.state.find("account", account, "account", 404)
    links = world.state.secret(account)
    link = links.get(f"link {token}")
    if link is None:
        raise invalid("This link was never made", status=404)
    if link["ends"] < world.state.now() or link.get("used"):
        return gone_to(link["refresh_url"])
    if typed is None:
        return page("Be paid by Peerway", f"<p>Account {escape(account)}. Stripe asks for a name, an address and a bank "
                    "account here; the fake does not.</p>" + form("Fill in and submit"))
    link["used"] = True
    accounts.onboarded(world, found)
    return gone_to(link["return_url"])


@shows("/p/session/{session}")
def portal(world: World, typed: dict | None, session: str) -> Answer:
    found = world.state.find("billing_portal.session", session, "session", 404)
    mine = [method for method in world.newest("payment_method") if method["customer"] == found["customer"]]
    if typed is not None:
        gone = next((method for method in mine if method["id"] == typed.get("detach")), None)
        if gone is None:
            raise invalid("This customer has no such card", status=404)
        world.state.secret(gone["id"])["spent"] = True
        changed(world, "payment_method.detached", gone, {"customer": None})
        return gone_to(f"/p/session/{session}")
    cards = "".join(f"<p>{escape(method['card']['brand'])} ending in {method['card']['last4']}</p>"
                    + form("Remove", name="detach", value=method["id"]) for method in mine)
    bills = "".join(f'<p><a href="/invoices/{invoice["id"]}">{escape(invoice["number"])}</a></p>'
                    for invoice in world.newest("invoice") if invoice["customer"] == found["customer"])
    leave = f'<p><a href="{escape(found["return_url"])}">Back</a></p>' if found["return_url"] else ""
    return page("Cards and invoices", (cards or "<p>No saved card.</p>") + bills + leave)


@shows("/invoices/{invoice}")
def invoice_page(world: World, typed: dict | None, invoice: str) -> Answer:
    found = world.state.find("invoice", invoice, "invoice", 404)
    lines = "".join(row(f"{line['quantity']} × {line['description']}", price(line["amount"], line["currency"]))
                    for line in found["lines"]["data"])
    return page(f"Invoice {found['number']}", f"<table>{lines}{row('Total', price(found['total'], found['currency']))}</table>")


@shows("/receipts/{charge}")
def receipt(world: World, typed: dict | None, charge: str) -> Answer:
    found = world.state.find("charge", charge, "charge", 404)
    return page("Receipt", f"<table>{row('Paid', price(found['amount'], found['currency']))}"
                f"{row('Given back', price(found['amount_refunded'], found['currency']))}</table>")


@shows("/express/{account}")
def express(world: World, typed: dict | None, account: str) -> Answer:
    found = world.state.find("account", account, "account", 404)
    return page("Your account", f"<table>{row('Account', found['id'])}{row('Paid out', found.get('payouts_enabled'))}</table>")
