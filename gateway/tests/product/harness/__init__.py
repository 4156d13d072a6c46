"""Real gateways and nodes for tests: processes on free ports, with their state in a folder of the test's own."""

from .gateway import Account, Gateway
from .net import Host, Net
from .node import Node, ScriptedNode
from .process import Service, free_port, wait_until
from .world import EMBEDDER, EMBEDDER_PRICE, REAL_ASK, REAL_MODEL, SCRIPTED_ASK, Market, World

__all__ = [
    "EMBEDDER", "EMBEDDER_PRICE", "REAL_ASK", "REAL_MODEL", "SCRIPTED_ASK",
    "Account", "Gateway", "Host", "Market", "Net", "Node", "ScriptedNode", "Service", "World", "free_port", "wait_until",
]
