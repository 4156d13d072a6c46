"""Memory of a gateway while thousands of callers read their streams slowly.

Prints the gateway's resident memory at rest and with all streams open, and fails where a stream was refused. Run by
`make bench`.
"""

import argparse
import asyncio
import os
import resource
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests/product"))

from harness import Account, Gateway, World  # noqa: E402

# An answer outlives the measurement, and its words come faster than they are read.
BODY = (b'{"model":"scripted","stream":true,"max_tokens":600,'
        b'"messages":[{"role":"user","content":"[[tokens=600]] [[every=500ms]]"}]}')
BYTES_A_SECOND = 300
SLOTS = 440


def resident_mib(gateway: Gateway) -> float:
    status = Path(f"/proc/{gateway.service.pid}/status").read_text()
    [line] = [line for line in status.splitlines() if line.startswith("VmRSS")]
    return int(line.split()[1]) / 1024


async def read_slowly(account: Account, statuses: list[bytes]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", account.gateway.port, limit=2048)
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {account.key}\r\n" \
           f"Content-Type: application/json\r\nContent-Length: {len(BODY)}\r\n\r\n"
    writer.write(head.encode() + BODY)
    statuses.append((await reader.readline()).strip())
    while await reader.read(BYTES_A_SECOND):
        await asyncio.sleep(1)


async def measure(world: World, streams: int) -> None:
    gateway = world.gateway()
    for number in range(streams // SLOTS + 1):
        world.scripted(f"n{number}", gateway, "--slots", str(SLOTS), "--queue", "8", "--price-output", "0.01")
    account = gateway.account("1000")
    print(f"gateway at rest, its nodes connected: {resident_mib(gateway):.0f} MiB")
    statuses: list[bytes] = []
    readers = []
    for number in range(streams):
        readers.append(asyncio.create_task(read_slowly(account, statuses)))
        if number % 64 == 63:
            await asyncio.sleep(0.25)
    await asyncio.sleep(9)
    resident = resident_mib(gateway)
    print(f"with {len(statuses)} slow readers: {resident:.0f} MiB, which is {resident * 1.048576:.0f} MB (must be < 200)")
    for reader in readers:
        reader.cancel()
    await asyncio.gather(*readers, return_exceptions=True)
    refused = [status for status in statuses if b" 200 " not in status]
    assert len(statuses) == streams and not refused, refused[:3]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--streams", type=int, default=4096)
    streams = options.parse_args().streams
    # A socket here and one at the gateway for each.
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    binaries = {"gateway": os.environ["PEERWAY_BIN"], "node": os.environ["PEERWAY_NODE_BIN"],
                "scripted": os.environ["PEERWAY_SCRIPTED_NODE_BIN"]}
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder), binaries, os.environ["PEERWAY_DEMO_MODEL"])
        try:
            asyncio.run(measure(world, streams))
        finally:
            world.close()


if __name__ == "__main__":
    main()
