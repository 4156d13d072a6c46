"""A gateway, its command line, and accounts on it."""

import json
import re
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import openai

from .net import Host
from .process import Service, free_port, wait_until


@dataclass(frozen=True)
class Account:
    """An account with a key, and ways to ask with it."""

    gateway: "Gateway"
    id: str
    key: str
    key_id: str

    @property
    def client(self) -> openai.OpenAI:
        """The official SDK. It does not retry: a test that passes at the second try has failed."""
        return openai.OpenAI(base_url=f"{self.gateway.url}/v1", api_key=self.key, max_retries=0, timeout=60)

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}

    def with_secret(self, secret: str) -> "Account":
        """The same account, asked with another key or with a token."""
        return replace(self, key=secret)

    def request(self, method: str, path: str, json: object = None, **headers: str) -> httpx.Response:
        """One answer, whole, whatever its status. Underscores in names of headers stand for dashes."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        url = f"{self.gateway.url}{path}"
        return httpx.request(method, url, headers={**self.headers, **named}, json=json, timeout=60)

    def show(self) -> dict:
        return self.gateway.cli("account", "show", self.id)

    def wait_until_spent(self, granted: int, nanos: int) -> None:
        """Waits until exactly this is gone of what was granted: charges are written some milliseconds after an answer."""
        left = granted - nanos
        wait_until(f"{nanos} of {granted} nano-USD are spent", lambda: self.balance()["posted"] == left)

    def balance(self) -> dict[str, int]:
        """Nano-USD: posted, held, available."""
        return self.show()["balance"]


class Gateway:
    """A gateway in a folder of its own. Started again it listens on the same ports."""

    def __init__(
        self, binary: str, folder: Path, *flags: str, host: Host | None = None, database: str | None = None,
    ):
        self.data = folder / "gateway"
        self.peerway = [binary, "--data-dir", str(self.data), *(["--database", database] if database else [])]
        self.port, self.p2p_port = free_port(), free_port()
        self.service = Service("gateway", [], folder)
        self.settle(host, *flags)

    def settle(self, host: Host | None, *flags: str) -> None:
        """Takes its place on a host of a network, or on this machine; to be done while it does not run."""
        ip = host.ip if host else "127.0.0.1"
        self.url = f"http://{ip}:{self.port}"
        self.address = f"/ip4/{ip}/tcp/{self.p2p_port}"
        command = [
            *self.peerway, "serve", "--listen", f"{ip}:{self.port}", "--p2p-listen", self.address, "--p2p-listen", f"/ip4/{ip}/udp/{self.p2p_port}/quic-v1",
            "--mdns", "false", *flags,
        ]
        self.service.command = host.inside(command) if host else command

    def start(self) -> "Gateway":
        self.service.start()
        self.service.wait_until("is healthy", self.is_healthy)
        return self

    @property
    def peer_id(self) -> str:
        """Who it is to other peers; known once it has run."""
        return re.findall(r"gateway is up.* peer=(\w+)", self.service.log.read_text())[-1]

    def restart(self) -> None:
        self.service.clean_up()
        self.start()

    def is_healthy(self) -> bool:
        try:
            return httpx.get(f"{self.url}/health", timeout=2).status_code == 200
        except httpx.TransportError:
            return False

    def run(self, *arguments: str) -> subprocess.CompletedProcess:
        """A command as a person would type it."""
        return subprocess.run([*self.peerway, *arguments], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)

    def cli(self, *arguments: str):
        """A command's JSON. Fails where the command does."""
        done = self.run("--json", *arguments)
        assert done.returncode == 0, f"peerway {' '.join(arguments)}: {done.stderr}"
        return json.loads(done.stdout)

    def account(self, usd: str, *key_flags: str) -> Account:
        """A new account with this much credit, and a key with these flags."""
        account = self.cli("account", "create", "test")["id"]
        self.cli("credit", "grant", account, usd)
        return self.key(account, *key_flags)

    def key(self, account: str, *flags: str) -> Account:
        """The account as one meets it who holds a new key of it."""
        key = self.cli("key", "create", account, *flags)
        return Account(self, account, key["secret"], key["id"])

    def sell(self, model: str, gguf: str, *flags: str) -> None:
        """Puts a model on sale; a gateway that runs has noticed when this returns."""
        reloads = self._reloads()
        self.cli("model", "add", model, "--gguf", gguf, *flags)
        if self.service.is_running():
            self.service.wait_until("notices the model", lambda: self._reloads() > reloads)

    def _reloads(self) -> int:
        return self.service.log.read_text().count("catalog reloaded") if self.service.log.exists() else 0

    def nodes(self) -> list[dict]:
        return self.cli("node", "list")

    def healthy_nodes(self) -> list[str]:
        return [node["node"] for node in self.nodes() if node["healthy"]]

    def exported(self) -> list[dict]:
        """Every transfer of the ledger with its entries and charge."""
        done = self.run("ledger", "export")
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    def charges(self, account: Account) -> list[dict]:
        found = (transfer["charge"] for transfer in self.exported())
        return [charge for charge in found if charge and charge["account"] == account.id]

    def assert_sound(self) -> dict:
        """The ledger agrees with itself."""
        report = self.cli("ledger", "verify")
        assert report["findings"] == [], report
        return report
