"""Real gateways and nodes for tests: processes on free ports, with their state in a folder of the test's own."""

from .gateway import Account, Gateway
from .node import Node, ScriptedNode
from .process import Service, free_port, wait_until
from .world import REAL_MODEL, Market, World

__all__ = [
    "REAL_MODEL", "Account", "Gateway", "Market", "Node", "ScriptedNode", "Service", "World", "free_port", "wait_until",
]
