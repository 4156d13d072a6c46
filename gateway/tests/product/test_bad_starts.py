"""What a person gets wrong at the start: one clear line on standard error, and an exit code that is not 0."""

import os
import socket
import sqlite3
import subprocess

import pytest

from harness import free_port


@pytest.fixture(scope="module")
def truncated(tmp_path_factory, gguf):
    """The first half megabyte of the model."""
    path = tmp_path_factory.mktemp("models") / "half.gguf"
    with open(gguf, "rb") as whole:
        path.write_bytes(whole.read(512 * 1024))
    return str(path)


@pytest.fixture(scope="module")
def cut_at_the_end(tmp_path_factory, gguf):
    """The model without its last megabyte: its head is whole, its weights are not."""
    path = tmp_path_factory.mktemp("models") / "cut.gguf"
    with open(gguf, "rb") as whole:
        path.write_bytes(whole.read(os.path.getsize(gguf) - 1024 * 1024))
    return str(path)


@pytest.fixture
def not_gguf(tmp_path):
    path = tmp_path / "text.gguf"
    path.write_text("This is no model.\n" * 100)
    return str(path)


@pytest.fixture
def unwritable():
    """A folder that not even root can write in."""
    return "/proc/peerway"


def complaint(*command: str) -> str:
    """The one line that a command fails with."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, stdin=subprocess.DEVNULL)
    assert done.returncode != 0, f"{command} went well"
    assert done.returncode > 0, f"{command} died of signal {-done.returncode}"
    lines = done.stderr.strip().splitlines()
    # Log lines may come before it; what went wrong is the last line, and nothing panicked.
    assert lines, f"{command} says nothing"
    assert "panicked" not in done.stderr and "RUST_BACKTRACE" not in done.stderr
    assert not [line for line in lines[:-1] if "ERROR" in line], done.stderr
    # A flag that cannot be read is told first, and after it how to call the command.
    return next((line for line in lines if line.startswith("error: ")), lines[-1])


@pytest.fixture
def node(binaries, tmp_path):
    """How a node complains. Later flags win over these."""

    def run(*flags: str, data: str = str(tmp_path / "node")) -> str:
        gateway = () if "--gateway" in flags else ("--gateway", "/ip4/127.0.0.1/tcp/1")
        return complaint(binaries["node"], "--data-dir", data, *gateway, *flags)

    return run


@pytest.fixture
def serve(binaries, tmp_path):
    """How a gateway complains."""

    def run(*flags: str, data: str = str(tmp_path / "gateway")) -> str:
        listen = () if "--listen" in flags else ("--listen", f"127.0.0.1:{free_port()}")
        p2p = () if "--p2p-listen" in flags else ("--p2p-listen", f"/ip4/127.0.0.1/tcp/{free_port()}")
        return complaint(binaries["gateway"], "--data-dir", data, "serve", "--mdns", "false", *listen, *p2p, *flags)

    return run


def test_a_model_file_that_is_missing(node):
    assert "/nowhere/model.gguf" in node("--model", "/nowhere/model.gguf")


def test_a_model_file_that_is_truncated(node, truncated):
    assert truncated in node("--model", truncated)


def test_a_model_file_that_lacks_its_end(node, cut_at_the_end):
    line = node("--model", cut_at_the_end)
    assert cut_at_the_end in line


def test_a_model_file_that_is_none(node, not_gguf):
    line = node("--model", not_gguf)
    assert not_gguf in line and "GGUF" in line


def test_a_catalog_entry_from_a_bad_file(binaries, tmp_path, truncated, not_gguf):
    for path in ("/nowhere/model.gguf", truncated, not_gguf):
        line = complaint(binaries["gateway"], "--data-dir", str(tmp_path / "data"), "model", "add", "m", "--gguf", path)
        assert path in line


def test_a_node_with_a_bad_gateway_address(node, gguf):
    assert "not-a-multiaddr" in node("--model", gguf, "--gateway", "not-a-multiaddr")


def test_a_node_with_a_bad_price(node, gguf):
    for price in ("free", "-1", "0.0000000001", "1e400", "NaN"):
        assert "price" in node("--model", gguf, f"--price-input={price}")


def test_a_node_in_an_unwritable_folder(node, gguf, unwritable):
    assert unwritable in node("--model", gguf, data=unwritable)


def test_a_node_whose_config_has_an_unknown_field(node, tmp_path):
    config = tmp_path / "node.toml"
    config.write_text('slotz = 2\n')
    line = node("--config", str(config))
    assert "slotz" in line and str(config) in line


def test_a_node_with_an_identity_that_others_can_read(binaries, tmp_path, gguf):
    data = tmp_path / "node"
    data.mkdir()
    key = data / "identity"
    key.write_bytes(b"x" * 68)
    key.chmod(0o644)
    line = complaint(
        binaries["node"], "--data-dir", str(data), "--gateway", "/ip4/127.0.0.1/tcp/1", "--model", gguf
    )
    assert str(key) in line


def test_a_port_in_use(serve):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"127.0.0.1:{port}" in serve("--listen", f"127.0.0.1:{port}")
        assert f"/ip4/127.0.0.1/tcp/{port}" in serve("--p2p-listen", f"/ip4/127.0.0.1/tcp/{port}")


def test_a_gateway_with_a_bad_multiaddr(serve):
    assert "nonsense" in serve("--p2p-listen", "nonsense")


def test_a_gateway_in_an_unwritable_folder(serve, unwritable):
    assert unwritable in serve(data=unwritable)


def test_a_gateway_whose_config_has_an_unknown_field(serve, tmp_path):
    config = tmp_path / "serve.toml"
    config.write_text("max_in_flite = 7\n")
    line = serve("--config", str(config))
    assert "max_in_flite" in line


def test_a_gateway_whose_ledger_is_no_ledger(serve, tmp_path):
    data = tmp_path / "gateway"
    data.mkdir()
    (data / "ledger.sqlite").write_text("this is no database\n" * 100)
    assert str(data / "ledger.sqlite") in serve()


def test_two_gateways_on_one_folder(own_world):
    gateway = own_world.gateway()
    line = complaint(
        *gateway.peerway, "serve", "--mdns", "false", "--listen",
        f"127.0.0.1:{free_port()}", "--p2p-listen", f"/ip4/127.0.0.1/tcp/{free_port()}",
    )
    assert str(gateway.data) in line
    # The first one has not noticed.
    assert gateway.nodes() == []


def test_commands_on_what_is_not_there(binaries, tmp_path):
    data = str(tmp_path / "data")
    assert data in complaint(binaries["gateway"], "--data-dir", data, "key", "list")
    subprocess.run([binaries["gateway"], "--data-dir", data, "account", "create", "me"], check=True, capture_output=True)
    for command in (
        ("account", "show", "acct_nobody"),
        ("credit", "grant", "acct_nobody", "1"),
        ("key", "create", "acct_nobody"),
        ("key", "revoke", "key_none"),
        ("node", "list"),
    ):
        assert complaint(binaries["gateway"], "--data-dir", data, *command)


def test_a_ledger_that_was_tampered_with_is_found(binaries, tmp_path):
    data = tmp_path / "data"
    peerway = [binaries["gateway"], "--data-dir", str(data)]
    account = subprocess.run([*peerway, "account", "create", "me"], check=True, capture_output=True, text=True).stdout.strip()
    subprocess.run([*peerway, "credit", "grant", account, "1"], check=True, capture_output=True)
    assert subprocess.run([*peerway, "ledger", "verify"], capture_output=True).returncode == 0
    with sqlite3.connect(data / "ledger.sqlite") as database:
        database.execute("UPDATE accounts SET balance = balance + 1 WHERE id = ?", (account,))
    done = subprocess.run([*peerway, "ledger", "verify"], capture_output=True, text=True)
    assert done.returncode == 1
    assert account in done.stdout


def test_the_released_node_cannot_be_told_to_fail(binaries):
    help_text = subprocess.run([binaries["node"], "--help"], capture_output=True, text=True, check=True).stdout
    assert "--model" in help_text and "scripted" not in help_text
    assert "scripted" in complaint(binaries["node"], "--engine", "scripted")
