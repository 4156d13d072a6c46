"""HTTP: reads one request, hands it to the API, the control or the pages, and writes the answer."""

import socket
import sys
import threading
import traceback
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

from . import api, control, pages
from .api import Answer
from .world import World

MAX_BODY = 1 << 20
MAX_CONNECTIONS = 512
IDLE_S = 75


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256
    world: World

    def __init__(self, address: tuple[str, int]) -> None:
        self.slots = threading.BoundedSemaphore(MAX_CONNECTIONS)
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        super().__init__(address, Handler)

    def process_request(self, request: socket.socket, client_address: tuple[str, int]) -> None:
        """One thread a connection, and no more connections than that."""
        if not self.slots.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: socket.socket, client_address: tuple[str, int]) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.slots.release()

    def handle_error(self, request: object, client_address: object) -> None:
        """A caller that leaves is no error."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "fake-stripe"
    sys_version = ""
    timeout = IDLE_S
    disable_nagle_algorithm = True
    server: Server

    def handle_any(self) -> None:
        body = self.body()
        if body is None:
            return
        try:
            answer = self.answer(body)
        except Exception:
            # A fault of the fake itself: told as Stripe tells its own, and shown to whoever runs it.
            traceback.print_exc(file=sys.stderr)
            answer = Answer(500, b'{"error": {"type": "api_error", "message": "The fake itself failed; its log says why"}}',
                            {"Content-Type": "application/json"})
        self.write(answer)

    def answer(self, body: bytes) -> Answer:
        url = urlsplit(self.path)
        path, world = unquote(url.path), self.server.world
        if path.startswith("/v1/"):
            raw = "&".join(part for part in (url.query, body.decode("utf-8", "replace")) if part)
            return api.answer(world, self.command, path, raw, self.headers)
        if path.startswith("/_fake/"):
            return control.answer(world, self.command, path, url.query, body, self.headers.get("Content-Type", ""))
        return pages.answer(world, self.command, path, body)

    do_GET = do_POST = do_DELETE = do_PUT = handle_any

    def body(self) -> bytes | None:
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not length.isdecimal() or int(length) > MAX_BODY:
            self.close_connection = True
            self.write(Answer(413, b'{"error": {"type": "invalid_request_error", "message": "The body needs a '
                                   b'Content-Length of at most 1 MiB"}}', {"Content-Type": "application/json"}))
            return None
        return self.rfile.read(int(length))

    def write(self, answer: Answer) -> None:
        if answer.cut:
            self.close_connection = True
            return
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, format: str, *args: object) -> None:
        """Silent: `/_fake/calls` tells who called."""
