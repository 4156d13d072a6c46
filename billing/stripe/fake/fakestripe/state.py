"""All that the fake remembers: Stripe's objects by kind and id, and what Stripe knows of them but does not show.

Whoever touches it holds `lock`. With a file given, every change is on disk before the answer leaves, so that a demo which
is stopped and started finds its customers and cards again.
"""

import json
import os
import secrets
import threading
import time
from pathlib import Path

from .errors import invalid, missing

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
MAX_OBJECTS = 500_000
PREFIXES = {
    "account": "acct_", "balance_transaction": "txn_", "billing_portal.session": "bps_", "charge": "ch_",
    "checkout.session": "cs_test_", "customer": "cus_", "dispute": "du_", "event": "evt_", "invoice": "in_",
    "item": "li_", "line_item": "il_", "payment_intent": "pi_", "payment_method": "pm_", "price": "price_",
    "product": "prod_", "radar.early_fraud_warning": "issfr_", "refund": "re_", "setup_intent": "seti_",
    "transfer": "tr_", "transfer_reversal": "trr_",
}
# Objects that have no `livemode`, as Stripe has it.
NO_LIVEMODE = {"account", "balance_transaction", "item", "refund", "transfer_reversal"}
NO_CREATED = {"item", "line_item"}


def new_id(prefix: str, length: int = 24) -> str:
    return prefix + "".join(secrets.choice(ALPHABET) for _ in range(length))


def nulls(names: str) -> dict[str, None]:
    """Fields that Stripe always shows and that are empty here."""
    return dict.fromkeys(names.split())


class State:
    def __init__(self, file: Path | None = None) -> None:
        self.lock = threading.RLock()
        self.file = file
        self.ahead_s = 0
        self.objects: dict[str, dict[str, dict]] = {kind: {} for kind in PREFIXES}
        self.hidden: dict[str, dict] = {}
        self.answers: dict[str, dict] = {}
        if file and file.exists():
            self.load(file)

    def now(self) -> int:
        """Seconds since 1970 by the fake's clock, which `/_fake/clock` moves."""
        return int(time.time()) + self.ahead_s

    def add(self, kind: str, fields: dict, hidden: dict | None = None) -> dict:
        if sum(map(len, self.objects.values())) >= MAX_OBJECTS:
            raise invalid(f"The fake holds {MAX_OBJECTS} objects and takes no more; start it anew", status=503)
        made = {"id": new_id(PREFIXES[kind]), "object": kind}
        if kind not in NO_CREATED:
            made["created"] = self.now()
        if kind not in NO_LIVEMODE:
            made["livemode"] = False
        made |= fields
        self.objects[kind][made["id"]] = made
        if hidden:
            self.hidden[made["id"]] = hidden
        return made

    def find(self, kind: str, given: str | None, param: str, status: int = 400) -> dict:
        """The object of that id, or Stripe's `resource_missing`; `status` is 404 when the id stood in the path."""
        found = self.objects[kind].get(given or "")
        if found is None:
            error = missing(kind.rsplit(".")[-1], given, param)
            error.status = status
            raise error
        return found

    def secret(self, owner: str) -> dict:
        """What Stripe knows of an object and does not show, such as the number behind a card."""
        return self.hidden.setdefault(owner, {})

    def load(self, file: Path) -> None:
        kept = json.loads(file.read_text(encoding="utf-8"))
        self.objects |= kept["objects"]
        self.hidden, self.answers, self.ahead_s = kept["hidden"], kept["answers"], kept["ahead_s"]

    def save(self) -> None:
        if self.file is None:
            return
        kept = {"objects": self.objects, "hidden": self.hidden, "answers": self.answers, "ahead_s": self.ahead_s}
        beside = self.file.with_name(self.file.name + ".new")
        with open(beside, "w", encoding="utf-8") as out:
            json.dump(kept, out)
            out.flush()
            os.fsync(out.fileno())
        beside.replace(self.file)
