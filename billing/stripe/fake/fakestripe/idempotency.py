"""`Idempotency-Key`: one key, one piece of work, one answer.

A key is taken before the work begins, so that a second call with it in the meantime is a conflict. Its answer is kept for
24 hours of the fake's clock, errors and all, except what was refused before any work.
"""

import hashlib
import json

from .errors import StripeError
from .routes import Request
from .state import State

KEPT_S = 24 * 3600
MAX_LENGTH = 255
MAX_KEPT = 100_000


class Keys:
    def __init__(self, state: State) -> None:
        self.state = state
        self.busy: set[str] = set()

    def take(self, request: Request) -> dict | None:
        """The earlier answer, or `None`: then the caller works and gives the key back with `settle`."""
        key = request.idempotency_key
        if len(key) > MAX_LENGTH:
            raise conflict(400, f"Idempotency keys have at most {MAX_LENGTH} characters; yours has {len(key)}.")
        name, asked = self.name(request), fingerprint(request)
        if name in self.busy:
            raise conflict(409, "There is currently another in-progress request using this Idempotent Key (that probably "
                           "means you submitted twice, and the other request is still going through): "
                           f"{key}. Please try again later.", "idempotency_key_in_use")
        earlier = self.state.answers.get(name)
        if earlier and earlier["at"] + KEPT_S < self.state.now():
            earlier = None
        if earlier is None:
            self.busy.add(name)
            return None
        if earlier["path"] != request.path:
            raise conflict(400, "Keys for idempotent requests can only be used for the same endpoint they were first used "
                           f"for ('{request.path}' vs '{earlier['path']}'). Try using a key other than '{key}' if you "
                           "meant to execute a different request.")
        if earlier["asked"] != asked:
            raise conflict(400, "Keys for idempotent requests can only be used with the same parameters they were first "
                           f"used with. Try using a key other than '{key}' if you meant to execute a different request.")
        return earlier

    def settle(self, request: Request, status: int, body: str | None) -> None:
        """Frees the key; with a body, remembers it."""
        name = self.name(request)
        self.busy.discard(name)
        if body is not None:
            self.state.answers[name] = {"at": self.state.now(), "path": request.path, "asked": fingerprint(request),
                                        "status": status, "body": body, "request": request.request_id}
            while len(self.state.answers) > MAX_KEPT:
                del self.state.answers[next(iter(self.state.answers))]

    @staticmethod
    def name(request: Request) -> str:
        return f"{request.account or ''}/{request.idempotency_key}"


def fingerprint(request: Request) -> str:
    return hashlib.sha256(json.dumps([request.method, request.params], sort_keys=True).encode()).hexdigest()


def conflict(status: int, message: str, code: str | None = None) -> StripeError:
    return StripeError(status, "idempotency_error", message, code=code, saved=False)
