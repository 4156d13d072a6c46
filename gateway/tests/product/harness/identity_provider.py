"""A small OpenID provider: a discovery document, keys, and tokens signed with them, honest and forged.

It is real where a gateway meets it: an HTTP server that can be away, slow, or roll its keys over. Tokens are put together
by hand, because no library would make the forged ones, and a forged one shall differ from an honest one in one thing only.
"""

import base64
import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt import get_algorithm_by_name

from .process import free_port

ALGORITHMS = ("RS256", "ES256", "EdDSA")
AUDIENCE = "peerway"


@dataclass
class SigningKey:
    """A private key, and how the world sees it."""

    kid: str
    algorithm: str
    private: object = field(repr=False)

    @classmethod
    def make(cls, kid: str, algorithm: str) -> "SigningKey":
        make = {
            "RS256": lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048),
            "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
            "EdDSA": ed25519.Ed25519PrivateKey.generate,
        }
        return cls(kid, algorithm, make[algorithm]())

    def jwk(self) -> dict:
        public = get_algorithm_by_name(self.algorithm).to_jwk(self.private.public_key(), as_dict=True)
        return {**public, "kid": self.kid, "alg": self.algorithm, "use": "sig"}

    def sign(self, claims: dict, **header: object) -> str:
        """A token. A change of the header to None leaves the field out."""
        header = {"alg": self.algorithm, "typ": "JWT", "kid": self.kid, **header}
        said = f"{part({name: value for name, value in header.items() if value is not None})}.{part(claims)}"
        return f"{said}.{part(get_algorithm_by_name(self.algorithm).sign(said.encode(), self.private))}"

    def public_pem(self) -> bytes:
        return self.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


class IdentityProvider:
    """The provider, from when it is made until it is closed."""

    def __init__(self):
        self.port = free_port()
        self.issuer = f"http://127.0.0.1:{self.port}"
        self.keys = {algorithm: SigningKey.make(f"first-{algorithm}", algorithm) for algorithm in ALGORITHMS}
        # Served instead of the keys, where it is not None.
        self.key_set: dict | None = None
        # Answers wait until it is set.
        self.is_awake = threading.Event()
        self.is_awake.set()
        # Paths that were asked for.
        self.asked: list[str] = []
        self._server: ThreadingHTTPServer | None = None
        self.go_up()

    def go_up(self) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), self._handler())
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def go_down(self) -> None:
        """Connections are refused from here on."""
        self.is_awake.set()
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def rotate(self, name: str) -> None:
        """New keys in place of the old ones."""
        self.keys = {algorithm: SigningKey.make(f"{name}-{algorithm}", algorithm) for algorithm in ALGORITHMS}

    def served_keys(self) -> dict:
        if self.key_set is not None:
            return self.key_set
        return {"keys": [key.jwk() for key in self.keys.values()]}

    def claims(self, account: str, **changes: object) -> dict:
        """What a token says. A change to None leaves the claim out."""
        now = int(time.time())
        claims = {
            "iss": self.issuer, "aud": AUDIENCE, "sub": "ada", "iat": now, "exp": now + 300,
            "peerway_account": account, "scope": "inference", **changes,
        }
        return {name: value for name, value in claims.items() if value is not None}

    def token(self, account: str, algorithm: str = "RS256", header: dict | None = None, **changes: object) -> str:
        """A token that is good but for the changes."""
        return self.keys[algorithm].sign(self.claims(account, **changes), **(header or {}))

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                provider.asked.append(self.path)
                provider.is_awake.wait(60)
                documents = {
                    "/.well-known/openid-configuration": {
                        "issuer": provider.issuer, "jwks_uri": f"{provider.issuer}/jwks",
                        "id_token_signing_alg_values_supported": list(ALGORITHMS),
                    },
                    "/jwks": provider.served_keys(),
                }
                body = json.dumps(documents.get(self.path)).encode()
                try:
                    self.send_response(200 if self.path in documents else 404)
                    self.send_header("Content-Type", "application/json")
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)
                except OSError:
                    # Who asked did not wait.
                    self.close_connection = True

            def log_message(self, format: str, *args: object) -> None:
                """Tests read `asked` instead."""

        return Handler


def part(value: dict | bytes) -> str:
    """A part of a token."""
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
