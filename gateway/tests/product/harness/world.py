"""Everything a test starts, in one folder, and its orderly end."""

from dataclasses import dataclass
from pathlib import Path

from .gateway import Gateway
from .node import Node, ScriptedNode

REAL_MODEL = "smollm2-135m-instruct"
# The demo model's own template, and what it lacks: tools. Both ends need it: the gateway counts what the node renders.
WITH_TOOLS = ("--chat-template", str(Path(__file__).parent / "tools.jinja"))


@dataclass(frozen=True)
class Market:
    """A gateway with one node that does as it is told, and one with the real model."""

    gateway: Gateway
    scripted: ScriptedNode
    real: Node


class World:
    """Makes gateways and nodes; in the end stops them and has the ledgers prove that they are sound."""

    def __init__(self, folder: Path, binaries: dict[str, str], gguf: str):
        self.folder = folder
        self.binaries = binaries
        self.gguf = gguf
        self.gateways: list[Gateway] = []
        self.nodes: list[Node] = []

    def gateway(self, *flags: str) -> Gateway:
        """A running gateway that sells the real and the scripted model."""
        made = Gateway(self.binaries["gateway"], self.folder / f"g{len(self.gateways)}", *flags)
        self.gateways.append(made)
        for model in (REAL_MODEL, "scripted"):
            made.sell(model, self.gguf)
        return made.start()

    def mistral(self, name: str, gateway: Gateway, *flags: str) -> Node:
        """A node with the real engine and the demo model, launched."""
        made = Node(self.binaries["node"], self.folder, name, gateway, "--model", self.gguf, "--model-id", REAL_MODEL, *flags)
        self.nodes.append(made)
        made.launch()
        return made

    def scripted(self, name: str, gateway: Gateway, *flags: str) -> ScriptedNode:
        """A node with the scripted engine, serving."""
        made = ScriptedNode(self.binaries["scripted"], self.folder, name, gateway, *flags)
        self.nodes.append(made)
        made.start()
        return made

    def market(self, *flags: str) -> Market:
        """A gateway with both kinds of nodes. Neither is free of charge, so that each answer's cost can be told apart."""
        gateway = self.gateway(*flags)
        gateway.sell(REAL_MODEL, self.gguf, *WITH_TOOLS)
        real = self.mistral("real", gateway, "--price-input", "0.05", "--price-output", "0.10", *WITH_TOOLS)
        asks = ("--price-input", "10", "--price-output", "1000")
        scripted = self.scripted("scripted", gateway, *asks, "--slots", "16")
        real.wait_until_serving()
        return Market(gateway, scripted, real)

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
