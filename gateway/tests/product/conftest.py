"""What tests are given: paths of the binaries, worlds to start processes in, SDKs of Node, and the official schema."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import jsonschema
import pytest

from harness import Market, World, wait_until
from harness.fake_stripe import FakeStripe
from harness.scripts import Scripts

ROOT = Path(__file__).parents[3]


def path_from(variable: str, fits: Callable[[Path], bool] = Path.is_file) -> str:
    path = os.environ.get(variable)
    if not path or not fits(Path(path)):
        pytest.exit(f"{variable} names nothing that is there; run these tests with: make product", returncode=4)
    return path


@pytest.fixture(scope="session")
def gguf() -> str:
    return path_from("PEERWAY_DEMO_MODEL")


@pytest.fixture(scope="session")
def binaries() -> dict[str, str]:
    """The released gateway and node, and a node with the engine for tests."""
    return {
        "gateway": path_from("PEERWAY_BIN"),
        "node": path_from("PEERWAY_NODE_BIN"),
        "scripted": path_from("PEERWAY_SCRIPTED_NODE_BIN"),
    }


@pytest.fixture(scope="module")
def world(tmp_path_factory, binaries, gguf) -> Iterator[World]:
    """Processes that the tests of one file share."""
    made = World(tmp_path_factory.mktemp("world"), binaries, gguf)
    yield made
    made.close()


@pytest.fixture
def own_world(tmp_path, binaries, gguf) -> Iterator[World]:
    """Processes that one test may do anything to."""
    made = World(tmp_path, binaries, gguf)
    yield made
    made.close()


@pytest.fixture(scope="session")
def market(tmp_path_factory, binaries, gguf) -> Iterator[Market]:
    """Processes that all tests share which only ask: they may neither stop nor overload them."""
    made = World(tmp_path_factory.mktemp("market"), binaries, gguf)
    try:
        yield made.market()
    finally:
        made.close()


@pytest.fixture
def breaks_nodes(market) -> Iterator[None]:
    """For a test that makes a node fail: the gateway leaves such a node alone for a while, and others want to ask it."""
    serving = set(market.gateway.healthy_nodes())
    yield
    wait_until("the node is asked again", lambda: set(market.gateway.healthy_nodes()) == serving)


@pytest.fixture(scope="session")
def scripts(tmp_path_factory) -> Scripts:
    """The scripts in `node/`, with the packages that they import."""
    modules = path_from("PEERWAY_NODE_MODULES", Path.is_dir)
    return Scripts(tmp_path_factory.mktemp("node"), Path(modules))


@pytest.fixture(scope="module")
def fake(tmp_path_factory) -> Iterator[FakeStripe]:
    """A fake Stripe that the tests of one file share."""
    made = FakeStripe(tmp_path_factory.mktemp("fake")).begin()
    yield made
    made.clean_up()


@pytest.fixture
def api(fake):
    """Its official client."""
    return fake.client().v1


@pytest.fixture(scope="session")
def async_openai() -> str:
    """A program on top of the crate async-openai."""
    return path_from("PEERWAY_ASYNC_OPENAI")


@pytest.fixture(scope="session")
def official():
    """Checks a value against a type of OpenAI's own description of its API."""
    defs = json.loads((ROOT / "openapi/tests/official/responses.json").read_text())["$defs"]
    # The description refers to its types by both names.
    types = {"$defs": defs, "components": {"schemas": defs}}

    def check(name: str, value: dict) -> None:
        faults = jsonschema.Draft202012Validator({"$ref": f"#/$defs/{name}", **types}).iter_errors(value)
        assert [f"{fault.json_path}: {fault.message}" for fault in faults] == []

    return check
