"""A PostgreSQL server for as long as the tests run."""

import os
import subprocess
import tempfile
import uuid
from pathlib import Path

from .process import wait_until

SCRIPT = Path(__file__).parents[4] / "billing/postgres/testing/server.sh"


class PostgresServer:
    """A server on a socket in a folder of its own. It ends with this process, however that ends, and the folder with it."""

    def __init__(self):
        # Not among pytest's folders: where root starts it PostgreSQL runs as another user, who may not enter those.
        self.folder = Path(tempfile.gettempdir()) / f"peerway-postgres-{uuid.uuid4().hex[:12]}"
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        subprocess.run(["setsid", "--fork", SCRIPT, self.folder, str(os.getpid())], check=True, **quiet)
        wait_until("PostgreSQL has started", self._is_ready, 120)

    def _is_ready(self) -> bool:
        failed = self.folder / "failed"
        assert not failed.exists(), f"PostgreSQL did not start: {failed.read_text()}"
        return (self.folder / "ready").exists()

    def database(self) -> str:
        """An empty database, as `--database` names it."""
        name = f"test_{uuid.uuid4().hex}"
        socket = self.folder / "socket"
        command = ["psql", "-X", "-q", "-h", socket, "-U", "postgres", "-c", f"CREATE DATABASE {name}"]
        subprocess.run(command, check=True, capture_output=True, timeout=60)
        return f"postgres://postgres@localhost/{name}?host={socket}"
