"""Processes and waiting for them.

Nothing here sleeps for a guessed time: `wait_until` looks again and again until a condition holds, and says what it was
waiting for where it never does.
"""

import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

_given: set[int] = set()


def wait_until(what: str, condition: Callable[[], T], seconds: float = 10.0) -> T:
    """The first truthy value of `condition`; fails where none comes in time."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what} (last seen: {value!r})")
        time.sleep(0.02)


def free_port() -> int:
    """A port that neither TCP nor UDP uses, and that this run has not given out before."""
    while True:
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            tcp.bind(("127.0.0.1", 0))
            port = tcp.getsockname()[1]
            try:
                udp.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in _given:
            _given.add(port)
            return port


class Service:
    """A long-running process that can be started again with the same arguments."""

    def __init__(self, name: str, command: list[str], folder: Path):
        self.name = name
        self.command = command
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.log = folder / f"{name}.log"
        self.process: subprocess.Popen | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    @property
    def pid(self) -> int:
        return self.process.pid

    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def last_words(self, lines: int = 5) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def wait_until(self, what: str, condition: Callable[[], T], seconds: float = 20.0) -> T:
        """As `wait_until`, but gives up at once where the process has died."""

        def alive_and_met() -> T:
            assert self.is_running(), f"{self.name} died with {self.process.returncode}: {self.last_words()}"
            return condition()

        return wait_until(f"{self.name}: {what}", alive_and_met, seconds)

    def terminate(self) -> None:
        """Asks it to stop, and returns at once."""
        self.process.send_signal(signal.SIGTERM)

    def wait(self, seconds: float = 40.0) -> int:
        """Its exit code."""
        return self.process.wait(timeout=seconds)

    def stop(self) -> int:
        self.terminate()
        return self.wait()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(timeout=10)

    def clean_up(self) -> None:
        if self.is_running():
            self.kill()
