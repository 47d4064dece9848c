"""`pb-link i2c`: which bus a text names, and buses of a running server by its admin socket."""

import asyncio
import json
import threading
from errno import ENODEV
from types import SimpleNamespace

import pytest

from remote_i2c.asked import AskedBus, answer_to
from remote_i2c.errors import CALLER, BusError
from remote_i2c.linux import LinuxBus
from remote_i2c.providers import make_bus
from remote_i2c.shared import SharedBus
from server.service import cli, i2c_command
from server.service.admin import AdminServer
from sim.remote_bus import SimulatedBus
from tests.patience import PATIENCE_S
from tests.remote_i2c.doors import open_door

PLAN = [{"type": "MCP9808", "address": "0x18"}, {"type": "TMP117", "address": "0x48"}]


@pytest.fixture
def plan(tmp_path):
    file = tmp_path / "plan.json"
    file.write_text(json.dumps(PLAN))
    return f"sim:{file}"


def test_a_text_names_a_bus(plan):
    assert isinstance(i2c_command.open_bus("/dev/i2c-1", None), LinuxBus)
    assert isinstance(i2c_command.open_bus(plan, None), SimulatedBus)
    assert isinstance(i2c_command.open_bus("1", None), AskedBus)
    assert isinstance(i2c_command.open_bus("client:pump:0", None), AskedBus)
    with pytest.raises(ValueError, match="client:ID:BUS is needed"):
        i2c_command.open_bus("client:pump", None)


def test_force_is_told_to_the_bus(monkeypatch):
    bus = LinuxBus(1)
    monkeypatch.setattr(i2c_command, "open_bus", lambda *given: bus)
    options = SimpleNamespace(tool="get", words=["-f", "-y", "1", "0x18"], json=False)
    assert i2c_command.run(options, None) == 1  # there is no such bus here
    assert bus.force is True


@pytest.mark.parametrize("bus", ["sim", "1", "client:pump:0", "grpc://127.0.0.1:1/1"])
def test_force_is_refused_where_another_computer_says_who_may_use_a_device(plan, capsys, bus):
    assert cli.main(["i2c", "get", "-f", "-y", plan if bus == "sim" else bus, "0x18"]) == 1
    assert "-f is for /dev/i2c-N" in capsys.readouterr().err


def test_a_simulated_bus_is_used_from_the_command_line(plan, capsys):
    assert cli.main(["i2c", "get", "-y", plan, "0x18", "6", "w"]) == 0
    assert capsys.readouterr().out == "0x5400\n"
    assert cli.main(["i2c", "get", "-y", plan, "0x19"]) == 2
    assert cli.main(["i2c", "transfer", "-y", plan, "w1@0x18", "6", "r2"]) == 0
    assert capsys.readouterr().out == "0x00 0x54\n"


def test_a_bus_over_grpc_is_used_with_the_token_of_the_environment(capsys, monkeypatch):
    token = "a-token-of-the-tests"
    with open_door(token=token, log=None) as door:
        assert cli.main(["i2c", "get", "-y", door.url, "0x48", "5"]) == 1
        assert "a valid token is needed" in capsys.readouterr().err
        monkeypatch.setenv("PB_LINK_SMBUS_TOKEN", token)
        assert cli.main(["i2c", "get", "-y", door.url, "0x48", "5"]) == 0
        assert capsys.readouterr().out == "0x05\n"


def test_what_cannot_be_used_is_told(plan, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for words, told in (
        (["get", "-y", "1", "0x18"], "no server runs here"),
        (["get", "-y", "1", "0x18"], "That of this computer is /dev/i2c-1"),
        (["get", "-y", "sim:absent", "0x18"], "No such file"),
        (["get", "-y", "/dev/i2c-", "0x18"], "a number is needed"),
    ):
        assert cli.main(["i2c", *words]) == 1
        assert told in capsys.readouterr().err
    assert cli.main(["i2c", "--json", "get", "-y", plan, "0x18"]) == 1
    assert "no --json" in capsys.readouterr().err


class Server:
    """An admin socket in a thread, whose gateways are asked by `ask`, a coroutine function."""

    def __init__(self, path, ask):
        self._path, self._ask = path, ask
        self._started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main()), daemon=True)

    def __enter__(self):
        self._thread.start()
        assert self._started.wait(PATIENCE_S)
        return self

    async def _main(self):
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        admin = AdminServer(str(self._path), None, None, None, None, self._ask)
        await admin.start()
        self._started.set()
        await self._end.wait()
        admin.close()

    def __exit__(self, *error):
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(PATIENCE_S)


def test_a_bus_of_the_running_server_is_used_by_its_name(plan, capsys, tmp_path, monkeypatch):
    shared = SharedBus(make_bus(plan, "desk"), {0x18, 0x19})

    def find(name):
        if name != "desk":
            raise BusError(ENODEV, f"the server has no bus {name}, but desk", place=CALLER)
        return shared

    async def ask(gateway, request):
        assert gateway == "i2c"
        return await answer_to(find, request)

    monkeypatch.chdir(tmp_path)
    with Server(tmp_path / "pb_link.sock", ask):
        assert cli.main(["i2c", "get", "-y", "desk", "0x18", "6", "w"]) == 0
        assert capsys.readouterr().out == "0x5400\n"
        assert cli.main(["i2c", "get", "-y", "desk", "0x48"]) == 1
        assert "not allowed" in capsys.readouterr().err
        assert cli.main(["i2c", "get", "-y", "other", "0x18"]) == 1
        assert "the server has no bus other, but desk" in capsys.readouterr().err
        assert cli.main(["i2c", "detect", "-y", "desk", "0x18", "0x1f"]) == 0
        shown = capsys.readouterr()
        assert "\n10:                         18 --                   \n" in shown.out and "left out" in shown.err
