"""Errors in Stripe's shape: `{"error": {"type", "code", "message", "param", …}}` with an HTTP status."""

DOCS = "https://docs.stripe.com/error-codes#"


class StripeError(Exception):
    """What a caller is told.

    `saved` says whether an idempotency key remembers the answer: Stripe remembers what began to run, and forgets what it
    refused before that.
    """

    def __init__(self, status: int, kind: str, message: str, *, code: str | None = None, param: str | None = None,
                 saved: bool = True, **more: object) -> None:
        super().__init__(message)
        self.status = status
        self.saved = saved
        self.error: dict[str, object] = {"message": message, "type": kind}
        if code:
            self.error |= {"code": code, "doc_url": DOCS + code.replace("_", "-")}
        if param:
            self.error["param"] = param
        self.error |= {name: value for name, value in more.items() if value is not None}

    def body(self) -> dict[str, object]:
        return {"error": self.error}


def invalid(message: str, *, code: str | None = None, param: str | None = None, status: int = 400,
            saved: bool = True, **more: object) -> StripeError:
    return StripeError(status, "invalid_request_error", message, code=code, param=param, saved=saved, **more)


def missing(kind: str, given: object, param: str) -> StripeError:
    """A path that names nothing is 404, a parameter that names nothing is 400; `at_path` makes the difference."""
    return invalid(f"No such {kind}: '{given}'", code="resource_missing", param=param)


def card_error(message: str, code: str, decline_code: str | None = None, **more: object) -> StripeError:
    return StripeError(402, "card_error", message, code=code, decline_code=decline_code, **more)


def money(amount: int, currency: str) -> str:
    """An amount of cents as Stripe's messages write it."""
    return f"${amount / 100:,.2f} {currency}"
