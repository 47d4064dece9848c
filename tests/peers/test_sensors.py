"""The examples of sensors as users run them: a client on virtual boards and its server, a board alone, Linux."""

import json
import re
import shutil
import signal
import sys

import pytest

from build.install import sensor_types
from tests.peers.processes import ROOT, running, up, write_settings

EXAMPLES = ROOT / "examples"
# From the file of the examples, without its times: what is there is there from the beginning.
DEVICES = [
    {"type": "PCA9548A"},
    {"type": "AHT20", "values": {"temperature": 20.0, "humidity": 40}},
    {"type": "TMP117", "slot": 1, "values": {"temperature": 21.5}},
]
AHT20, TMP117 = "1_38", "1_148"
# Of an adapter with one TMP117 at 0x48: what LinuxI2C takes from smbus2.
SMBUS = '''
class I2cFunc:
    I2C, SMBUS_QUICK = 1, 0x10000


class i2c_msg:
    def __init__(self, address, data):
        self.address, self.data = address, data

    @staticmethod
    def write(address, data):
        return i2c_msg(address, bytes(data))

    @staticmethod
    def read(address, count):
        return i2c_msg(address, bytearray(count))

    def __iter__(self):
        return iter(self.data)


class SMBus:
    funcs = I2cFunc.I2C | I2cFunc.SMBUS_QUICK

    def __init__(self, path):
        if path != "/dev/i2c-7":
            raise FileNotFoundError(path)

    def i2c_rdwr(self, *messages):
        if messages[0].address != 0x48:
            raise OSError(6, "No such device or address")
        if len(messages) == 2:
            messages[1].data[:] = {0x0F: b"\\x01\\x17", 0x00: b"\\x0a\\xc0"}[messages[0].data[0]]

    def close(self):
        pass
'''


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder, with settings, the table of types, and the plan of the sensors."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    (tmp_path / "sensor_types.py").write_text(sensor_types.source(("AHT20", "TMP117"), [sensor_types.OWN]))
    (tmp_path / "sensors.json").write_text(json.dumps(DEVICES))
    for name in ("sensor_client.py", "sensor_board.py", "sensor_linux.py"):
        shutil.copyfile(EXAMPLES / name, tmp_path / name)
    (tmp_path / "smbus2.py").write_text(SMBUS)
    return tmp_path


@pytest.fixture
def boards(micropython64, micropython_bridge):
    return {"MICROPYTHON": micropython64, "MICROPYTHON_BRIDGE": micropython_bridge}


def test_values_of_the_client_are_at_the_server(folder, boards):
    write_settings(folder)
    with running([sys.executable, EXAMPLES / "sensor_server.py"], folder) as server:
        with running(up("sensor_client.py", "--sensors", "sensors.json"), folder, **boards):
            server.wait_for(f"demo has TMP117 as {TMP117}")
            server.wait_for(f"demo has AHT20 as {AHT20}")
            assert re.fullmatch(rf"[\d:]{{8}} {TMP117} temperature 21\.5", server.wait_for(f"{TMP117} temperature"))


def test_board_alone_shows_what_comes_goes_and_is_read(folder, boards):
    plan = json.loads((EXAMPLES / "sensors.json").read_text())
    assert [one["type"] for one in plan["devices"]] == [one["type"] for one in DEVICES]
    command = [sys.executable, "-m", "sim", "board", "sensor_board.py", "--sensors", EXAMPLES / "sensors.json"]
    with running(command, folder, **boards) as board:
        for line in ("online 38 AHT20", "online 148 TMP117", "sample 148 0ac0", "gone 148 TMP117", "online 448 TMP117"):
            board.wait_for(line)


def test_pb_link_shows_a_bus_of_this_computer(folder):
    command = [sys.executable, "-m", "server", "sensors", "--bus"]
    with running([*command, "/dev/i2c-7"], folder) as shown:
        assert shown.wait_for("7_48").endswith("temperature=21.5")
        shown.process.send_signal(signal.SIGINT)
        shown.wait_for_end()
        assert shown.process.wait() == 1 and "Traceback" not in "\n".join(shown.lines)
    with running([*command, "/dev/i2c-1"], folder) as none:
        none.wait_for("pb-link: there is no /dev/i2c-1: enable I2C")
        assert none.process.wait() == 1


def test_linux_alone_shows_values_and_says_if_there_is_no_bus(folder):
    with running([sys.executable, "sensor_linux.py", "7"], folder) as linux:
        assert linux.wait_for("48 temperature") == "48 temperature 21.5 °C"
        linux.process.send_signal(signal.SIGINT)
        linux.wait_for_end()
        assert "Traceback" not in "\n".join(linux.lines)
    with running([sys.executable, "sensor_linux.py"], folder) as linux:
        linux.wait_for("sensor_linux: there is no /dev/i2c-1: enable I2C")
