"""Which devices a client says that it has."""

import asyncio
import math
from types import SimpleNamespace

import pytest

from protocol.errors import LocalProtocolError, StoreError
from server.core.sensor_listing import devices_of
from tests.server.core.sensor_peer import FakeClient


def raising(error):
    def answer(request):
        raise error

    return answer


@pytest.mark.parametrize(
    "answer, devices",
    [
        (
            lambda request: {"bus": 1, "devs": [[0x18, "MCP9808", 1], [0x276, None, 1]]},
            {"1_18": "MCP9808", "1_276": None},
        ),
        (lambda request: {"bus": 2, "devs": []}, {}),
        (None, None),  # it is absent
        (raising(StoreError("the client has gone to another server")), None),
        (raising(LocalProtocolError("a bug")), None),
        (lambda request: {"error": "not_allowed"}, None),
        (lambda request: {"bus": 1}, None),
        (lambda request: {"bus": "x", "devs": [[0x18, "MCP9808", 1]]}, None),
        (lambda request: {"bus": 1, "devs": 7}, None),
        (lambda request: {"bus": 1, "devs": [[0x48, 5, 1], [0x49, ["x"], 1]]}, {"1_48": None, "1_49": None}),
        (lambda request: {"bus": math.inf, "devs": [[0x18, "MCP9808", 1]]}, None),
        (lambda request: b"no JSON", None),
    ],
)
def test_devices_or_none_if_the_client_does_not_say(answer, devices):
    client = FakeClient()
    client.commands.answer = answer
    connection = SimpleNamespace(sensors=lambda: client.sensors)
    assert asyncio.run(devices_of(connection)) == devices
    [(command, _, wait)] = client.commands.asked
    assert command == {"cmd": "listdevs"} and wait is False
