"""A node, with the real engine or with the one that fails on demand."""

import json
from pathlib import Path

import httpx

from .gateway import Gateway
from .net import Host
from .process import Service, free_port, wait_until


class Node:
    """A node in a folder of its own. Started again it has the same identity."""

    def __init__(self, binary: str, folder: Path, name: str, gateway: Gateway, *flags: str, host: Host | None = None):
        self.gateway = gateway
        self.data = folder / name
        self._peer_id: str | None = None
        self.status_file = folder / f"{name}.status.json"
        command = [
            binary, "--data-dir", str(self.data), "--gateway", gateway.address,
            "--status-file", str(self.status_file), *flags,
        ]
        self.service = Service(name, host.inside(command) if host else command, folder)

    def start(self) -> "Node":
        self.launch()
        self.wait_until_serving()
        return self

    def launch(self) -> None:
        """Starts it and returns at once."""
        self.status_file.unlink(missing_ok=True)
        self.service.start()

    def wait_until_serving(self, seconds: float = 60.0) -> None:
        self.service.wait_until("serves", lambda: self.is_listed(), seconds)

    @property
    def peer_id(self) -> str | None:
        """None until the node has said who it is. It stays the same when the node starts again."""
        if self._peer_id is None and self.status_file.exists():
            self._peer_id = json.loads(self.status_file.read_text()).get("peer_id")
        return self._peer_id

    def is_listed(self) -> bool:
        """Whether the gateway sends requests to it."""
        return self.peer_id in self.gateway.healthy_nodes()

    def occupied(self) -> int | None:
        """Requests there now, as the gateway sees it. None where it does not see the node."""
        seen = [node["occupied"] for node in self.gateway.nodes() if node["node"] == self.peer_id]
        return seen[0] if seen else None


class ScriptedNode(Node):
    """A node whose engine does as the messages say, and counts what it did."""

    def __init__(self, binary: str, folder: Path, name: str, gateway: Gateway, *flags: str, model: str = "scripted",
                 host: Host | None = None):
        # On a host of a network nobody can ask for the counters.
        self.counters_url = f"http://127.0.0.1:{free_port()}/"
        super().__init__(
            binary, folder, name, gateway, "--engine", "scripted", "--model-id", model,
            "--script-counters", self.counters_url.removeprefix("http://").rstrip("/"), *flags, host=host,
        )

    def counters(self) -> dict[str, int]:
        return httpx.get(self.counters_url, timeout=2).json()

    def at_rest(self) -> dict[str, int]:
        """What it has done, once nothing that was asked before still runs."""
        return wait_until("nothing runs", lambda: self._counters_at_rest())

    def _counters_at_rest(self) -> dict[str, int] | None:
        counters = self.counters()
        return counters if counters["running"] == 0 else None
