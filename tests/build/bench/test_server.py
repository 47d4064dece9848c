"""build/bench/server.py: the rates of the server, and a load that fails."""

import pytest

from build.bench import server
from build.bench.bars import BARS
from build.tools.shell import BuildError


def test_rates_of_the_server_are_related_to_those_with_one_client():
    measured = server.figures({"memory, 1": 50.0, "memory, 100": 75.0, "durable, 1": 20.0, "durable, 1000": 5.0})
    values = {figure.name: figure.value for figure in measured}
    assert values["server, memory, 100 clients to 1"] == 1.5
    assert values["server, durable, 1000 clients to 1"] == 0.25
    assert not set(values) & {name.removesuffix(", of the limit") for name in BARS}


def test_load_that_fails_says_why(monkeypatch):
    monkeypatch.setattr(server, "_LINES", "many")
    with pytest.raises(BuildError, match="invalid int value: 'many'"):
        server.measure()
