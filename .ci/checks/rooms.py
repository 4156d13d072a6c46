"""Who may import whom.

The rooms stay apart only as long as something notices when they do not: a node that learns about money, or SQL outside
the ledger, arrives one convenient dependency at a time.
"""

import json
import subprocess
import sys

# Room -> rooms that it may import.
ROOMS = {
    "peerway-openapi": set(),
    "peerway-p2p": set(),
    "peerway-billing": {"peerway-billing-store", "peerway-billing-sqlite", "peerway-billing-postgres", "peerway-billing-stripe"},
    "peerway-billing-store": set(),
    "peerway-billing-sqlite": {"peerway-billing-store"},
    "peerway-billing-postgres": {"peerway-billing-store"},
    "peerway-billing-stripe": set(),
    "peerway": {"peerway-openapi", "peerway-p2p", "peerway-billing"},
    "peerway-node": {"peerway-openapi", "peerway-p2p"},
}
# Libraries, by the beginning of their names -> the rooms that may import them.
HOMES = {
    "mistralrs": {"peerway-node"},
    "libp2p": {"peerway-p2p"},
    "sqlx": {"peerway-billing", "peerway-billing-sqlite", "peerway-billing-postgres"},
    "async-stripe": {"peerway-billing-stripe"},
}


def findings(packages: list[dict]) -> list[str]:
    found = [f"{package['name']} is no room; rooms are {', '.join(sorted(ROOMS))}"
             for package in packages if package["name"] not in ROOMS]
    for package in packages:
        room = package["name"]
        for dependency in {dependency["name"] for dependency in package["dependencies"]}:
            if dependency in ROOMS and dependency not in ROOMS.get(room, set()):
                found.append(f"{room} imports {dependency}")
            for library, homes in HOMES.items():
                if dependency.startswith(library) and room not in homes:
                    found.append(f"{room} imports {dependency}, which is only for {', '.join(sorted(homes))}")
    return sorted(found)


def main() -> None:
    command = ["cargo", "metadata", "--format-version", "1", "--no-deps", "--locked"]
    packages = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)["packages"]
    if found := findings(packages):
        sys.exit("\n".join(f"rooms: {finding}" for finding in found))
    print(f"rooms: {len(packages)} rooms import only what they may")


if __name__ == "__main__":
    main()
