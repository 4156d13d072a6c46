"""The command line: where to listen, whom to tell, where to remember."""

import argparse
import ipaddress
import signal
import sys
import threading
from functools import partial
from pathlib import Path

from . import everything, events, knobs
from .server import Server
from .state import State
from .webhooks import Outbox, good_url
from .world import World

TICK_S = 1.0


def arguments(given: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="fake-stripe", description="A fake Stripe for tests and demos: nothing is paid.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1)")
    parser.add_argument("--port", type=int, default=12111, help="port to listen on, 0 for any free one (default: 12111)")
    parser.add_argument("--public-url", help="how browsers reach it, for links to its pages (default: http://HOST:PORT)")
    parser.add_argument("--webhook-url", help="where events are sent (default: nowhere; they are listed at /v1/events)")
    parser.add_argument("--webhook-secret", action="append", default=[], metavar="whsec_…",
                        help="signs events; give it several times while secrets are rotated")
    parser.add_argument("--state-file", type=Path, help="remembers everything in this file (default: in memory only)")
    parser.add_argument("--anyone", action="store_true", help="allow an address that other machines reach")
    chosen = parser.parse_args(given)
    if not chosen.anyone and not loopback(chosen.host):
        parser.error(f"--host {chosen.host} is open to other machines, and whoever reaches the fake can do anything with it; "
                     "use 127.0.0.1, or add --anyone")
    if chosen.webhook_url and not chosen.webhook_secret:
        parser.error("--webhook-url needs --webhook-secret")
    if chosen.webhook_url and not good_url(chosen.webhook_url):
        parser.error(f"--webhook-url must be http://HOST:PORT/PATH, not {chosen.webhook_url}")
    return chosen


def loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def made(server: Server, chosen: argparse.Namespace) -> World:
    state = State(chosen.state_file)
    outbox = Outbox(partial(events.body, state), partial(events.delivered, state))
    outbox.endpoint.url, outbox.endpoint.secrets = chosen.webhook_url, chosen.webhook_secret
    host = f"[{chosen.host}]" if ":" in chosen.host else chosen.host
    url = chosen.public_url or f"http://{host}:{server.server_address[1]}"
    world = World(state, outbox, url.rstrip("/"))
    for event in state.objects["event"].values():
        if event["pending_webhooks"] and outbox.endpoint.wants(event["type"]):
            outbox.post(event["id"], event["type"])
    return world


def main(given: list[str] | None = None) -> int:
    chosen = arguments(given)
    try:
        server = Server((chosen.host, chosen.port))
    except (OSError, OverflowError) as error:
        print(f"fake-stripe: cannot listen on {chosen.host} port {chosen.port}: {error}; choose another --port", file=sys.stderr)
        return 1
    try:
        server.world = made(server, chosen)
    except (OSError, ValueError, KeyError) as error:
        print(f"fake-stripe: cannot read --state-file {chosen.state_file}: {error!r}; move it away to begin anew", file=sys.stderr)
        return 1
    stopped = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stopped.set())
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    # Read by whoever started it with port 0.
    print(f"fake Stripe: nothing is paid: {server.world.base_url}", flush=True)
    while not stopped.wait(TICK_S):
        knobs.tick(server.world)
    server.shutdown()
    with server.world.state.lock:
        server.world.state.save()
    return 0


assert everything.LOADED
