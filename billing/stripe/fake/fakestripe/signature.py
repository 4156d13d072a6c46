"""`Stripe-Signature: t=…,v1=…`: HMAC-SHA256 over `time.body`, once for each secret while secrets are rotated."""

import hashlib
import hmac


def header(secrets: list[str], at: int, body: bytes) -> str:
    """Stripe adds a `v0` in test mode that proves nothing; whoever checks a signature must pass over it."""
    signed = [f"v1={mac(secret, at, body)}" for secret in secrets]
    return ",".join([f"t={at}", *signed, f"v0={mac('v0', at, body)}"])


def mac(secret: str, at: int, body: bytes) -> str:
    return hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
