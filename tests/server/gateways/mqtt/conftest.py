"""The gateway's modules that need the extra, for tests that use them."""

import pytest

from tests.patience import PATIENCE_S


@pytest.fixture
def mqtt(missing_tool, monkeypatch):
    """The module, which needs the extra. It tries again sooner, and gives up later: a machine may be slow."""
    try:
        from server.gateways.mqtt import gateway as mqtt
        from server.gateways.mqtt import session
    except ModuleNotFoundError as error:
        missing_tool(f"{error}: pip install '.[mqtt]'")
    monkeypatch.setattr(session, "FIRST_S", 0.05)
    monkeypatch.setattr(session, "LEAVE_S", PATIENCE_S)
    return mqtt


@pytest.fixture
def arrived(mqtt, monkeypatch):
    """The payloads of the messages that the gateway has got from the broker, whatever it did with them."""
    from server.gateways.mqtt.broker import Broker

    payloads, take = [], Broker._on_message

    def on_message(self, client, userdata, message):
        take(self, client, userdata, message)
        payloads.append(message.payload)

    monkeypatch.setattr(Broker, "_on_message", on_message)
    return payloads
