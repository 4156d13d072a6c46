"""Requests to the scripted model, whose answers do what the message says."""

import json
from collections.abc import Iterator

import httpx

from .gateway import Account


def body(directives: str, **changes) -> dict:
    """A request whose answer follows these directives."""
    return {"model": "scripted", "messages": [{"role": "user", "content": f"Please. {directives}"}], **changes}


def call(name: str, **arguments: object) -> str:
    """The directive to call a tool."""
    return f"[[tool={name}:{json.dumps(arguments, separators=(',', ':'))}]]"


def say(text: str) -> str:
    """The directive to answer with exactly this text."""
    return f"[[say={text}]]"


def post(account: Account, directives: str = "", **changes) -> httpx.Response:
    """The answer, whole, whatever its status."""
    url = f"{account.gateway.url}/v1/chat/completions"
    return httpx.post(url, headers=account.headers, json=body(directives, **changes), timeout=60)


def events(response: httpx.Response) -> Iterator[dict]:
    """The events of a stream as they come, without the last, `[DONE]`."""
    for line in response.iter_lines():
        if line.startswith("data: ") and line != "data: [DONE]":
            yield json.loads(line.removeprefix("data: "))


def stream(account: Account, directives: str = "", **changes):
    """A context with an open stream."""
    url = f"{account.gateway.url}/v1/chat/completions"
    request = body(directives, stream=True, stream_options={"include_usage": True}, **changes)
    return httpx.stream("POST", url, headers=account.headers, json=request, timeout=60)
