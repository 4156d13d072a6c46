"""Stripe's test cards, by their published numbers, and what comes of each.

See https://docs.stripe.com/testing. Any other number is declined, as Stripe does in test mode: a real card must never be
typed in here.
"""

import hashlib
from dataclasses import dataclass
from enum import Enum

from .errors import card_error


class Challenge(Enum):
    """When the bank asks the holder to confirm (3-D Secure)."""

    NEVER = 0
    UNLESS_SET_UP = 1
    ALWAYS = 2


@dataclass(frozen=True)
class Decline:
    code: str
    decline_code: str | None
    message: str


DECLINED = Decline("card_declined", "generic_decline", "Your card was declined.")
NO_FUNDS = Decline("card_declined", "insufficient_funds", "Your card has insufficient funds.")
EXPIRED = Decline("expired_card", "expired_card", "Your card has expired.")
WRONG_CVC = Decline("incorrect_cvc", "incorrect_cvc", "Your card's security code is incorrect.")
NO_TEST_CARD = Decline("card_declined", "test_mode_live_card",
                       "Your card was declined. Your request was in test mode, but used a non test card.")
NEEDS_HOLDER = Decline("authentication_required", "authentication_required",
                       "Your card was declined. This transaction requires authentication.")


@dataclass(frozen=True)
class Card:
    number: str
    does: str
    brand: str = "visa"
    country: str = "US"
    declined: Decline | None = None
    # Declines a charge, but may be saved.
    declined_later: Decline | None = None
    challenge: Challenge = Challenge.NEVER
    # Has a challenge when a merchant asks for one, even if the bank does not.
    enrolled: bool = False
    disputed: str | None = None
    fraud_warning: str | None = None
    refunds: str = "succeeded"
    available_at_once: bool = False

    @property
    def last4(self) -> str:
        return self.number[-4:]

    @property
    def fingerprint(self) -> str:
        """The same for the same card, whoever saves it."""
        return hashlib.sha256(f"fake card {self.number}".encode()).hexdigest()[:16]


CARDS = {card.number: card for card in (
    Card("4242424242424242", "pays"),
    Card("5555555555554444", "pays", brand="mastercard"),
    Card("4000008260000000", "pays, from the United Kingdom", country="GB"),
    Card("4000000000000077", "pays, and the money is available at once", available_at_once=True),
    Card("4000000000000002", "is declined", declined=DECLINED),
    Card("4000000000009995", "is declined: insufficient funds", declined=NO_FUNDS),
    Card("4000000000000069", "is declined: expired", declined=EXPIRED),
    Card("4000000000000127", "is declined: wrong security code", declined=WRONG_CVC),
    Card("4000000000000341", "can be saved, then every charge is declined", declined_later=DECLINED),
    Card("4000002500003155", "asks its holder, until saved for later use", challenge=Challenge.UNLESS_SET_UP, enrolled=True),
    Card("4000002760003184", "asks its holder for every payment", challenge=Challenge.ALWAYS, enrolled=True),
    Card("4000000000003220", "asks its holder for every payment", challenge=Challenge.ALWAYS, enrolled=True),
    Card("4000000000000259", "pays, and is disputed as fraudulent", disputed="fraudulent"),
    Card("4000000000002685", "pays, and is disputed: not received", disputed="product_not_received"),
    Card("4000000000005423", "pays, and an early fraud warning follows", fraud_warning="made_with_stolen_card"),
    Card("4000000000007726", "pays; refunds are pending, then succeed", refunds="pending"),
    Card("4000000000005126", "pays; refunds succeed, then fail", refunds="failed"),
)}

# Payment methods that Stripe has ready for tests.
READY = {
    "pm_card_visa": "4242424242424242", "pm_card_mastercard": "5555555555554444", "pm_card_gb": "4000008260000000",
    "pm_card_bypassPending": "4000000000000077", "pm_card_visa_chargeDeclined": "4000000000000002",
    "pm_card_visa_chargeDeclinedInsufficientFunds": "4000000000009995",
    "pm_card_chargeDeclinedExpiredCard": "4000000000000069", "pm_card_chargeCustomerFail": "4000000000000341",
    "pm_card_authenticationRequiredOnSetup": "4000002500003155",
    "pm_card_authenticationRequired": "4000002760003184", "pm_card_threeDSecure2Required": "4000000000003220",
    "pm_card_createDispute": "4000000000000259", "pm_card_createProductNotReceivedDispute": "4000000000002685",
    "pm_card_createIssuerFraudRecord": "4000000000005423", "pm_card_pendingRefund": "4000000000007726",
    "pm_card_refundFail": "4000000000005126",
}


def card(number: str) -> Card:
    digits = "".join(number.split())
    if not (digits.isascii() and digits.isdigit() and 12 <= len(digits) <= 19 and luhn(digits)):
        raise card_error("Your card number is incorrect.", "incorrect_number", param="number")
    return CARDS.get(digits) or Card(digits, "is no test card", declined=NO_TEST_CARD)


def luhn(digits: str) -> bool:
    doubled = (int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits)))
    return sum(value - 9 * (value > 9) for value in doubled) % 10 == 0
