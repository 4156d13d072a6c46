"""async-openai, whose types are stricter than any other client's: a program that asks everything and checks what it got."""

import os
import subprocess

from harness import REAL_MODEL


def test_the_example_is_satisfied(market, async_openai):
    account = market.gateway.account("5")
    variables = {
        "PATH": os.environ["PATH"], "OPENAI_BASE_URL": f"{account.gateway.url}/v1", "OPENAI_API_KEY": account.key,
        "PEERWAY_MODEL": REAL_MODEL,
    }
    done = subprocess.run(
        [async_openai], env=variables, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.strip()
