"""`make up`, `make status` and `make down`, as a stranger types them."""

import os
import re
import signal
import socket
import subprocess
import time
from pathlib import Path

import openai
import pytest

from harness import free_port, wait_until

ROOT = Path(__file__).parents[3]


class Demo:
    """A demo with its state in a folder of the test's own."""

    def __init__(self, state: Path):
        self.state = state
        self.variables = {
            **os.environ, "PEERWAY_STATE": str(state),
            "PEERWAY_PORT": str(free_port()), "PEERWAY_P2P_PORT": str(free_port()),
        }

    def make(self, goal: str) -> str:
        done = subprocess.run(
            ["make", "-C", str(ROOT), goal], env=self.variables, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=600,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    @property
    def env(self) -> dict[str, str]:
        return dict(line.split("=", 1) for line in (self.state / "env").read_text().splitlines())

    def pids(self) -> dict[str, int]:
        return {name: int(value) for name, value in self.env.items() if name.endswith("_PID")}

    def ask(self) -> str:
        client = openai.OpenAI(base_url=self.env["OPENAI_BASE_URL"], api_key=self.env["OPENAI_API_KEY"], max_retries=0)
        messages = [{"role": "user", "content": "Say hello."}]
        answer = client.chat.completions.create(model=self.env["PEERWAY_MODEL"], messages=messages, max_tokens=8)
        return answer.choices[0].message.content


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    made = Demo(tmp_path_factory.mktemp("demo") / "state")
    yield made
    made.make("down")


def test_up_prints_a_curl_line_that_works_and_leaves_its_variables(demo):
    printed = demo.make("up")
    curl = re.search(r"^ *curl .*\\\n.*$", printed, re.MULTILINE).group()
    answered = subprocess.run(["bash", "-c", curl], capture_output=True, text=True, timeout=60, check=True).stdout
    assert '"chat.completion"' in answered and '"cost"' in answered
    assert set(demo.env) == {
        "OPENAI_BASE_URL", "OPENAI_API_KEY", "PEERWAY_MODEL",
        "PEERWAY_GATEWAY_PID", "PEERWAY_NODE1_PID", "PEERWAY_NODE2_PID",
    }
    assert demo.env["OPENAI_BASE_URL"] in printed and demo.env["OPENAI_API_KEY"] in printed
    assert (demo.state / "env").stat().st_mode & 0o077 == 0
    assert all(is_alive(pid) for pid in demo.pids().values())
    assert demo.ask()


def test_up_again_is_quick_and_changes_nothing(demo):
    before = demo.env
    started = time.monotonic()
    demo.make("up")
    assert time.monotonic() - started < 15
    assert demo.env == before


def test_status_shows_what_runs_at_which_price_and_what_is_left(demo):
    status = demo.make("status")
    for pid in demo.pids().values():
        assert f"pid {pid}" in status
    for shown in ("$0.05/M", "$0.10/M", "$0.20/M", "smollm2-135m-instruct", "available", demo.env["OPENAI_BASE_URL"]):
        assert shown in status, shown
    available = re.search(r"available +\$(\d+\.\d+)", status).group(1)
    assert 9 < float(available) < 10


def test_up_starts_again_what_has_died(demo):
    before = demo.pids()
    os.kill(before["PEERWAY_NODE1_PID"], signal.SIGKILL)
    wait_until("it is dead", lambda: not is_alive(before["PEERWAY_NODE1_PID"]))
    demo.make("up")
    after = demo.pids()
    assert after.pop("PEERWAY_NODE1_PID") != before.pop("PEERWAY_NODE1_PID")
    assert after == before
    assert demo.ask()


def test_down_stops_what_up_started_and_nothing_else(demo):
    pids = demo.pids()
    # A process of someone else, under an id that was ours once.
    with subprocess.Popen(["sleep", "600"]) as stranger:
        try:
            node = demo.state / "node2.pid"
            ours = node.read_text()
            node.write_text(f"{stranger.pid} {ours.split()[1]}\n")
            demo.make("down")
            assert stranger.poll() is None
            assert not any(is_alive(pids[name]) for name in ("PEERWAY_GATEWAY_PID", "PEERWAY_NODE1_PID"))
            assert is_alive(pids["PEERWAY_NODE2_PID"])
            node.write_text(ours)
            demo.make("down")
            assert not is_alive(pids["PEERWAY_NODE2_PID"])
        finally:
            stranger.kill()
    assert not (demo.state / "env").exists()
    assert "nothing runs" in demo.make("down")
    assert "make up" in demo.make("status")


def test_up_keeps_account_and_key_and_passes_by_a_port_in_use(demo):
    key = (demo.state / "key").read_text()
    wanted = int(demo.variables["PEERWAY_PORT"])
    with socket.create_server(("127.0.0.1", wanted)):
        printed = demo.make("up")
    assert f"port {wanted} is in use" in printed
    assert f":{wanted}/" not in demo.env["OPENAI_BASE_URL"]
    assert demo.env["OPENAI_API_KEY"] == key.strip()
    assert demo.ask()
    demo.make("down")
