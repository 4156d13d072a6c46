"""Everything a test starts, in one folder, and its orderly end."""

from pathlib import Path

from .gateway import Gateway
from .node import Node, ScriptedNode

REAL_MODEL = "smollm2-135m-instruct"


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
