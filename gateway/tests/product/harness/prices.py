"""The price of an answer, worked out a second time, with fractions."""

import math
from fractions import Fraction

FEE = Fraction(5, 100)


def cost_in_nanos(prompt: int, completion: int, usd_input: str, usd_output: str) -> int:
    """Nano-USD for these tokens at these prices in USD per million tokens, fee included, rounded up once."""
    usd = (prompt * Fraction(usd_input) + completion * Fraction(usd_output)) / 1_000_000
    return math.ceil(usd * (1 + FEE) * 10**9)


def nanos(usd: float) -> int:
    """The integer that a cost on the wire stands for."""
    return round(usd * 10**9)
