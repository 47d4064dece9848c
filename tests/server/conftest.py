"""Each test in a folder of its own: a server without a store makes a file in the current one."""

import sys
from pathlib import Path

import pytest

from server import gateways


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def more_gateways(monkeypatch):
    """The gateways of tests/server/gateways/more are beside those of the server."""
    more = Path(__file__).with_name("gateways") / "more"
    monkeypatch.setattr(gateways, "__path__", [*gateways.__path__, str(more)])
    yield
    for name in list(sys.modules):
        if name.startswith(tuple(f"server.gateways.{path.name}" for path in more.iterdir())):
            del sys.modules[name]
