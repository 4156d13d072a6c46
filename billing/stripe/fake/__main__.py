"""`python3 billing/stripe/fake --port 12111`: starts the fake Stripe."""

import sys

from fakestripe.command import main

if __name__ == "__main__":
    sys.exit(main())
