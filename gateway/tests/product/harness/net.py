"""A network of hosts on one machine: network namespaces on a switch, behind routers, cut off, or losing packets.

Needs root and Linux. Everything lies in namespaces whose names carry this process's id, and is gone with them. Delay needs
the kernel's `netem`, which not every kernel has; loss and partitions are rules of nftables, which are everywhere.
"""

import contextlib
import os
import subprocess
from dataclasses import dataclass, field

PREFIX = f"pw{os.getpid()}"
# Addresses of this machine's own end, of hosts on the switch, and behind routers.
HERE, SWITCH, BEHIND = "10.77.0.254", "10.77.0", "10.78"


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
    return done.stdout


def why_impossible() -> str | None:
    """What is missing for namespaces, if anything."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    name = f"{PREFIX}-try"
    try:
        run("ip", "netns", "add", name)
        run("ip", "netns", "exec", name, "nft", "add", "table", "inet", "try")
    except (OSError, AssertionError) as error:
        return f"no network namespaces here: {error}"
    finally:
        with contextlib.suppress(OSError):
            subprocess.run(["ip", "netns", "del", name], capture_output=True, timeout=20)
    return None


@dataclass
class Host:
    """One machine of the network."""

    namespace: str
    ip: str

    def inside(self, command: list[str]) -> list[str]:
        """The command that runs another on this host. The process stays the same, so signals reach it."""
        return ["ip", "netns", "exec", self.namespace, *command]

    def run(self, *command: str) -> str:
        return run(*self.inside(list(command)))

    def nft(self, rule: str) -> None:
        self.run("nft", *rule.split())

    def cut_off(self) -> None:
        """From now on no packet goes in or out, and nobody is told."""
        for hook in ("input", "output"):
            self.nft(f"add chain inet cut {hook} {{ type filter hook {hook} priority 0 ; policy drop ; }}")

    def mend(self) -> None:
        self.nft("flush table inet cut")
        for hook in ("input", "output"):
            self.nft(f"delete chain inet cut {hook}")

    def lose(self, percent: int) -> None:
        """Loses packets that come in."""
        self.nft("add chain inet cut input { type filter hook input priority 0 ; policy accept ; }")
        self.nft(f"add rule inet cut input numgen random mod 100 < {percent} drop")

    def delay(self, milliseconds: int) -> bool:
        """Delays what goes out. False where this kernel cannot."""
        command = self.inside(["tc", "qdisc", "replace", "dev", "eth0", "root", "netem", "delay", f"{milliseconds}ms"])
        return subprocess.run(command, capture_output=True, timeout=20).returncode == 0


@dataclass
class Net:
    """A switch and what is plugged into it; all of it is gone at the end of a `with`."""

    hosts: int = 0
    namespaces: list[str] = field(default_factory=list)

    def __enter__(self) -> "Net":
        self.switch = self._namespace("switch")
        run("ip", "-n", self.switch, "link", "add", "br0", "type", "bridge")
        run("ip", "-n", self.switch, "link", "set", "br0", "up")
        # This machine's own plug, through which tests ask.
        run("ip", "link", "add", PREFIX, "type", "veth", "peer", "name", "here", "netns", self.switch)
        run("ip", "addr", "add", f"{HERE}/24", "dev", PREFIX)
        run("ip", "link", "set", PREFIX, "up")
        self._plug("here")
        return self

    def __exit__(self, *_: object) -> None:
        for name in self.namespaces:
            subprocess.run(["ip", "netns", "del", name], capture_output=True, timeout=20)
        subprocess.run(["ip", "link", "del", PREFIX], capture_output=True, timeout=20)

    def host(self) -> Host:
        """A host with an address of its own on the switch."""
        self.hosts += 1
        host = Host(self._namespace(f"h{self.hosts}"), f"{SWITCH}.{self.hosts}")
        self._wire(host, self.switch, f"p{self.hosts}", "eth0", f"{host.ip}/24")
        self._plug(f"p{self.hosts}")
        host.nft("add table inet cut")
        return host

    def host_behind_nat(self) -> Host:
        """A host behind a router that lets connections out under its own address and none in."""
        router = self.host()
        self.hosts += 1
        subnet = f"{BEHIND}.{self.hosts}"
        host = Host(self._namespace(f"h{self.hosts}"), f"{subnet}.2")
        self._wire(host, router.namespace, "lan", "eth0", f"{host.ip}/24")
        run("ip", "-n", router.namespace, "addr", "add", f"{subnet}.1/24", "dev", "lan")
        run("ip", "-n", router.namespace, "link", "set", "lan", "up")
        run("ip", "-n", host.namespace, "route", "add", "default", "via", f"{subnet}.1")
        router.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
        router.nft("add table ip nat")
        router.nft("add chain ip nat out { type nat hook postrouting priority 100 ; }")
        router.nft("add rule ip nat out oifname eth0 masquerade")
        router.nft("add chain ip nat through { type filter hook forward priority 0 ; policy drop ; }")
        router.nft("add rule ip nat through iifname lan accept")
        router.nft("add rule ip nat through ct state established,related accept")
        host.nft("add table inet cut")
        return host

    def _namespace(self, name: str) -> str:
        made = f"{PREFIX}-{name}"
        run("ip", "netns", "add", made)
        self.namespaces.append(made)
        run("ip", "-n", made, "link", "set", "lo", "up")
        return made

    def _wire(self, host: Host, other: str, there: str, here: str, address: str) -> None:
        run("ip", "-n", other, "link", "add", there, "type", "veth", "peer", "name", here, "netns", host.namespace)
        run("ip", "-n", host.namespace, "addr", "add", address, "dev", here)
        run("ip", "-n", host.namespace, "link", "set", here, "up")

    def _plug(self, port: str) -> None:
        run("ip", "-n", self.switch, "link", "set", port, "master", "br0", "up")
