"""A fake Stripe as a process of its own, the official client for it, and an endpoint that takes its webhooks."""

import json
import sys
import threading
from collections import deque
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import requests
import stripe

from .process import Service, free_port

ROOT = Path(__file__).parents[4]
SECRET = "whsec_of_tests"


class FakeStripe(Service):
    def __init__(self, folder: Path, *more: str):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        super().__init__("fake-stripe", [sys.executable, str(ROOT / "billing/stripe/fake"), "--port", str(self.port), *more], folder)

    def begin(self) -> "FakeStripe":
        self.start()
        self.wait_until("answers", self.answers)
        return self

    def answers(self) -> bool:
        try:
            return requests.get(f"{self.url}/_fake/health", timeout=5).ok
        except requests.ConnectionError:
            return False

    def client(self, **options: object) -> stripe.StripeClient:
        """The official client; it tries once unless told otherwise, so that a test sees every failure."""
        return stripe.StripeClient("sk_test_peerway", base_addresses={"api": self.url}, **({"max_network_retries": 0} | options))

    def knob(self, method: str, path: str, /, **fields: object) -> dict:
        """Turns a knob; its refusal is the test's failure."""
        status, body = self.try_knob(method, path, **fields)
        assert status == 200, body
        return body

    def try_knob(self, method: str, path: str, /, **fields: object) -> tuple[int, dict]:
        given = {"params": fields} if method == "GET" else {"json": fields}
        answer = requests.request(method, f"{self.url}/_fake/{path}", timeout=60, **given)
        return answer.status_code, answer.json()

    def calls(self, method: str, path: str) -> list[dict]:
        return self.knob("GET", "calls", method=method, path=path)["calls"]


class Receiver:
    """Takes webhooks: keeps the raw bodies and signatures, and answers `statuses` one by one, then 200."""

    def __init__(self) -> None:
        self.taken: list[tuple[bytes, str]] = []
        self.statuses: deque[int] = deque()
        self.before_answer: Callable[[], None] = lambda: None
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.before_answer()
                receiver.taken.append((body, self.headers["Stripe-Signature"]))
                self.send_response(receiver.statuses.popleft() if receiver.statuses else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            request_queue_size = 512
            daemon_threads = True

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/webhooks"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def types(self) -> list[str]:
        return [json.loads(body)["type"] for body, _ in self.taken]

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
