"""Each test in a folder of its own, where a server without a store makes a file, and with its own default server."""

import sys
from pathlib import Path

import pytest

import server
from server import gateways
from server.stores.default import default_store


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture(autouse=True)
def own_default_server(monkeypatch):
    """What a test puts in the place of the default server is gone after it."""
    monkeypatch.setattr(server, "_server", server.Server(default_store))


@pytest.fixture
def more_gateways(monkeypatch):
    """The gateways of tests/server/gateways/more are beside those of the server."""
    more = Path(__file__).with_name("gateways") / "more"
    monkeypatch.setattr(gateways, "__path__", [*gateways.__path__, str(more)])
    yield
    for name in list(sys.modules):
        if name.startswith(tuple(f"server.gateways.{path.name}" for path in more.iterdir())):
            del sys.modules[name]
