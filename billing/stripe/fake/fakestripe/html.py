"""The look of the fake's pages, and the sentence that none of them lacks."""

from html import escape
from importlib.resources import files

from .api import Answer

TITLE = "Fake Stripe: nothing is paid"
HEADERS = {"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
           "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"}


def page(heading: str, inner: str, status: int = 200) -> Answer:
    """`heading` is text, `inner` is HTML whose values are escaped already."""
    shell = files(__package__).joinpath("page.html").read_text(encoding="utf-8")
    shown = shell.replace("{title}", TITLE).replace("{heading}", escape(heading)).replace("{inner}", inner)
    return Answer(status, shown.encode(), HEADERS)


def gone_to(url: str) -> Answer:
    return Answer(303, b"", {"Location": url, "Cache-Control": "no-store"})


def form(button: str, inner: str = "", name: str = "", value: str = "") -> str:
    field = f' name="{escape(name)}" value="{escape(value)}"' if name else ""
    return f'<form method="post">{inner}<button{field}>{escape(button)}</button></form>'


def row(label: str, value: object) -> str:
    return f"<tr><th>{escape(label)}</th><td>{escape(str(value))}</td></tr>"


def price(amount: int | None, currency: str | None) -> str:
    return f"{(amount or 0) / 100:,.2f} {(currency or '').upper()}"
