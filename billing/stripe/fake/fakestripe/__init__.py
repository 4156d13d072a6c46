"""A Stripe that keeps its books in memory and pays nobody.

It answers as Stripe's API does for the calls that Peerway makes, so that tests, and a demo without a key, run the same
code as real payments. What it cannot do, it refuses: a parameter that its tables lack is an error, never ignored.
Standard library only, because the demo runs it with the system's Python.
"""
