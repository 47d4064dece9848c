"""What the server does for its gateways; tests/server/gateways/test_interface.py runs one."""

from pathlib import Path

import pytest

from server.gateways.setting import SettingsError
from server.service import settings
from server.service.running_gateways import RunningGateways

pytestmark = pytest.mark.usefixtures("more_gateways")
RECORDER = '[recorder]\nclients = ["pump"]\n'


def read(text):
    Path("x.toml").write_text(text)
    return settings.read("x.toml")


def test_files_that_a_gateway_needs_are_counted():
    assert RunningGateways(read(RECORDER), None).files_per_client == 3
    assert RunningGateways(read(RECORDER + "[mqtt]\nclients = ['door']"), None).files_per_client == 4


def test_connections_are_for_one_gateway_only():
    """Nobody could tell which of two it is for."""

    class Listener:
        admit_other = None

    running = RunningGateways(read("allow_legacy = ['old']"), None)
    listener = Listener()
    running._give_connections(listener, "micropython_iot", print)
    with pytest.raises(SettingsError, match="^the adapter for micropython-iot and the recorder would both take conn"):
        running._give_connections(listener, "recorder", print)
    assert listener.admit_other is print
