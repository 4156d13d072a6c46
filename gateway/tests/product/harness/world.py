"""Everything a test starts, in one folder, and its orderly end."""

from dataclasses import dataclass
from pathlib import Path

from .gateway import Gateway
from .net import Host
from .node import Node, ScriptedNode

REAL_MODEL = "smollm2-135m-instruct"
EMBEDDER = "scripted-embeddings"
# USD per million tokens read and written, each another, so that a cost tells what it was made of.
REAL_ASK = ("0.05", "0.10")
SCRIPTED_ASK = ("10", "1000")
EMBEDDER_PRICE = "20"
# The demo model's own template, and what it lacks: tools. Both ends need it: the gateway counts what the node renders.
WITH_TOOLS = ("--chat-template", str(Path(__file__).parent / "tools.jinja"))


@dataclass(frozen=True)
class Market:
    """A gateway with a node that does as it is told, one that makes vectors, and one with the real model."""

    gateway: Gateway
    scripted: ScriptedNode
    embedder: ScriptedNode
    real: Node


class World:
    """Makes gateways and nodes; in the end stops them and has the ledgers prove that they are sound."""

    def __init__(self, folder: Path, binaries: dict[str, str], gguf: str):
        self.folder = folder
        self.binaries = binaries
        self.gguf = gguf
        self.gateways: list[Gateway] = []
        self.nodes: list[Node] = []

    def gateway(self, *flags: str, host: Host | None = None, database: str | None = None) -> Gateway:
        """A running gateway that sells the real and the scripted model."""
        folder = self.folder / f"g{len(self.gateways)}"
        made = Gateway(self.binaries["gateway"], folder, *flags, host=host, database=database)
        self.gateways.append(made)
        for model in (REAL_MODEL, "scripted"):
            made.sell(model, self.gguf)
        return made.start()

    def mistral(self, name: str, gateway: Gateway, *flags: str, host: Host | None = None) -> Node:
        """A node with the real engine and the demo model, launched."""
        flags = ("--model", self.gguf, "--model-id", REAL_MODEL, *flags)
        made = Node(self.binaries["node"], self.folder, name, gateway, *flags, host=host)
        self.nodes.append(made)
        made.launch()
        return made

    def scripted(
        self, name: str, gateway: Gateway, *flags: str, model: str = "scripted", host: Host | None = None,
    ) -> ScriptedNode:
        """A node with the scripted engine, serving."""
        made = ScriptedNode(self.binaries["scripted"], self.folder, name, gateway, *flags, model=model, host=host)
        self.nodes.append(made)
        made.start()
        return made

    def embedder(self, gateway: Gateway) -> ScriptedNode:
        """A node that makes vectors of any text, serving."""
        gateway.sell(EMBEDDER, self.gguf)
        flags = ("--model-kind", "embeddings", "--price-input", EMBEDDER_PRICE)
        return self.scripted("embedder", gateway, *flags, model=EMBEDDER)

    def market(self, *flags: str) -> Market:
        """A gateway with a node of each kind."""
        gateway = self.gateway(*flags)
        gateway.sell(REAL_MODEL, self.gguf, *WITH_TOOLS)
        asks = ("--price-input", REAL_ASK[0], "--price-output", REAL_ASK[1])
        real = self.mistral("real", gateway, *asks, *WITH_TOOLS)
        asks = ("--price-input", SCRIPTED_ASK[0], "--price-output", SCRIPTED_ASK[1])
        can = ("--capability", "image_input", "--capability", "reasoning_effort")
        scripted = self.scripted("scripted", gateway, *asks, *can, "--slots", "16")
        embedder = self.embedder(gateway)
        real.wait_until_serving()
        return Market(gateway, scripted, embedder, real)

    def close(self) -> None:
        try:
            for gateway in self.gateways:
                if gateway.service.is_running():
                    assert gateway.service.stop() == 0, gateway.service.last_words()
                report = gateway.assert_sound()
                assert report["overdue_holds"] == [], report
        finally:
            for service in [made.service for made in [*self.nodes, *self.gateways]]:
                service.clean_up()
