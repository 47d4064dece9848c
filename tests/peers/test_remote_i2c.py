"""A client's second bus from the command line: `pb-link serve`, boards in real MicroPython, and the i2c-tools."""

import json
import os
import subprocess
import sys
import time
import tomllib
from errno import ETIMEDOUT
from pathlib import Path

import pytest

from pb_link.smbus import I2cFunc, SMBus
from server.service.key_file import KeyFile
from tests.patience import PATIENCE_S, until
from tests.peers.processes import ROOT, running, up, write_settings
from tests.remote_i2c.drivers.packages import packages_folder, run_program
from tests.server.peer import free_port

SENSORS = [
    {"type": "MCP9808", "address": "0x18", "values": {"temperature": 25.0}},
    {"type": "TMP117", "address": "0x48"},
    {"type": "TMP117", "address": "0x49"},
]
SETTINGS = """
port = {port}
[i2c]
smbus_listen = "127.0.0.1:{smbus_port}"
[i2c.buses.1]
bus = "client:demo:0"
addresses = "0x48"
[i2c.buses.mast]
bus = "client:demo:0"
addresses = "0x08-0x77"
[i2c.buses.few]
bus = "client:demo:0"
addresses = "0x48"
[i2c.buses.desk]
bus = "sim:sensors.json"
addresses = "all"
"""


@pytest.fixture
def serving(tmp_path, monkeypatch):
    """The command of a server in the current folder, with a key for the client, and sensors.json."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    settings = write_settings(tmp_path)
    KeyFile("keys.json").add("demo", settings["key"])
    (tmp_path / "sensors.json").write_text(json.dumps(SENSORS))
    ports = {"port": settings["port"], "smbus_port": free_port()}
    (tmp_path / "pb_link.toml").write_text(SETTINGS.format(**ports))
    monkeypatch.setenv("PB_LINK_SMBUS", f"grpc://127.0.0.1:{ports['smbus_port']}")
    return [sys.executable, "-m", "server", "serve", "--config", "pb_link.toml"]


LATE = f"[Errno {ETIMEDOUT}]"  # of a call that was not done in its time: on a loaded machine no fault


def port_of(folder):
    """Returns the port of the server that `serving` has set up."""
    return tomllib.loads((folder / "pb_link.toml").read_text())["port"]


def tool(*words):
    """Returns (exit status, stdout, stderr) of `pb-link i2c`. A call that is late is made again: all are repeatable."""
    command = [sys.executable, "-m", "server", "i2c", *words]
    deadline = time.monotonic() + PATIENCE_S
    while True:
        done = subprocess.run(command, capture_output=True, text=True)
        if LATE not in done.stderr or time.monotonic() > deadline:
            return done.returncode, done.stdout, done.stderr


def in_time(function, *arguments):
    """Returns what the function returns. Calls of a bus that are late are made again."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            return function(*arguments)
        except (AssertionError, OSError) as error:
            if LATE not in str(error) or time.monotonic() > deadline:
                raise


def test_tools_reach_the_bus_of_a_board(serving, tmp_path, micropython64, micropython_bridge):
    interpreters = {"MICROPYTHON": micropython64, "MICROPYTHON_BRIDGE": micropython_bridge}
    with running(serving, tmp_path) as server:
        server.wait_for("started")
        status, out, err = tool("get", "-y", "mast", "0x18")
        assert (status, out) == (1, "") and "the client demo is not connected" in err
        client = ROOT / "examples" / "i2c_client.py"
        with running(up(client, "--sensors", "sensors.json"), tmp_path, **interpreters) as board:
            board.wait_for("the bus may be used")
            until(lambda: tool("get", "-y", "mast", "0x18", "6", "w") == (0, "0x5400\n", ""), "the board's bus")
            use_buses()
        until(lambda: "not connected" in tool("get", "-y", "mast", "0x18")[2], "the end of the board")


def use_buses():
    assert tool("detect", "-y", "mast", "0x10", "0x1f")[0] == 0
    status, out, err = tool("detect", "-y", "mast", "0x40", "0x4f")
    assert status == 0 and "\n40:                         48                      \n" in out
    assert "not allowed" in err  # 0x49, by the client's own list
    assert tool("transfer", "-y", "mast", "w1@0x18", "7", "r2", "w1", "6", "r2") == (0, "0x04 0x00\n0x00 0x54\n", "")
    assert tool("get", "-y", "mast", "0x18", "7", "s") == (0, "0x00 0x04 0x00 0x04\n", "")  # what the device counts
    status, out, err = tool("set", "-y", "-r", "mast", "0x48", "4", "0x1234", "w")
    assert (status, out) == (0, "Value 0x1234 written, readback matched\n")
    status, out, err = tool("get", "-y", "few", "0x18")  # by the server's list
    assert (status, out) == (1, "") and "not allowed: see the addresses of the bus" in err
    status, out, err = tool("get", "-y", "mast", "0x49")
    assert (status, out) == (1, "") and "the client does not allow this address" in err
    assert tool("get", "-y", "desk", "0x18", "6", "w") == (0, "0x5400\n", "")  # of virtual sensors at the server


def test_client_is_reached_by_its_text_without_a_section_of_the_settings(
    serving, tmp_path, micropython64, micropython_bridge
):  # fmt: skip
    """As a new user types it: `client:ID:BUS`, with the tools and with both commands that serve buses."""
    (tmp_path / "pb_link.toml").write_text(SETTINGS.partition("[i2c]")[0].format(port=port_of(tmp_path)))
    interpreters = {"MICROPYTHON": micropython64, "MICROPYTHON_BRIDGE": micropython_bridge}
    text = "client:demo:0"
    status, out, err = tool("get", "-y", text, "0x18")
    assert (status, out) == (1, "") and "no server runs here" in err
    with running(serving, tmp_path) as server:
        server.wait_for("started")
        status, _, err = tool("get", "-y", "client:pump:0", "0x18")
        assert status == 1 and "the server knows no client 'pump'" in err
        status, _, err = tool("get", "-y", text, "0x18")
        assert status == 1 and "the client demo is not connected" in err
        client = ROOT / "examples" / "i2c_client.py"
        with running(up(client, "--sensors", "sensors.json"), tmp_path, **interpreters) as board:
            board.wait_for("the bus may be used")
            until(lambda: tool("get", "-y", text, "0x18", "6", "w") == (0, "0x5400\n", ""), "the board's bus")
            assert "the client does not allow this address" in tool("get", "-y", text, "0x49")[2]
            use_served(text, tmp_path)


def use_served(text, folder):
    """`pb-link smbus serve` beside the server: its addresses count, and so do the client's."""
    port = free_port()
    command = [sys.executable, "-m", "server", "smbus", "serve", "--bus", f"2={text}", "--addresses", "0x18,0x49"]
    with running([*command, "--listen", f"127.0.0.1:{port}"], folder) as served:
        served.wait_for("Server started")
        with SMBus(f"grpc://127.0.0.1:{port}/2") as bus:
            assert bus.funcs & I2cFunc.SMBUS_READ_BLOCK_DATA
            assert in_time(bus.read_word_data, 0x18, 6) == 0x5400
            assert in_time(two_registers, bus) == [[0x00, 0x54], [0x04, 0x00]]
            for address, told in ((0x48, "see the addresses of the bus"), (0x49, "the client does not allow")):
                with pytest.raises(OSError, match=told):
                    in_time(bus.read_byte, address)


def two_registers(bus):
    batch = bus.batch()
    for register in (6, 7):
        batch.read_i2c_block_data(0x18, register, 2)
    return batch.run()


def test_driver_of_others_reads_a_sensor_of_a_board(
    serving, tmp_path, micropython64, micropython_bridge, missing_tool
):  # fmt: skip
    """Adafruit's for the TMP117, unmodified: over gRPC, the server and the link, to a board's second bus."""
    packages = packages_folder(missing_tool)
    interpreters = {"MICROPYTHON": micropython64, "MICROPYTHON_BRIDGE": micropython_bridge}
    (tmp_path / "sensors.json").write_text(json.dumps([{"type": "TMP117", "values": {"temperature": 31.25}}]))
    with running(serving, tmp_path) as server:
        server.wait_for("started")
        client = ROOT / "examples" / "i2c_client.py"
        with running(up(client, "--sensors", "sensors.json"), tmp_path, **interpreters) as board:
            board.wait_for("the bus may be used")
            until(lambda: tool("get", "-y", "1", "0x48")[0] == 0, "the board's bus")
            found = in_time(run_program, packages, "tmp117", os.environ["PB_LINK_SMBUS"])
            assert found["temperature"] == pytest.approx(31.25, abs=0.01)
            with SMBus(1) as bus, pytest.raises(OSError, match="not allowed"):
                in_time(bus.read_byte, 0x18)  # by the client, and not by the server


def test_settings_are_checked(serving):
    done = subprocess.run([*serving[:3], "check", "--config", "pb_link.toml"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    with open("pb_link.toml", "a") as file:
        file.write('[i2c.buses.none]\nbus = "sim:absent.json"\n')
    done = subprocess.run([*serving[:3], "check", "--config", "pb_link.toml"], capture_output=True, text=True)
    assert done.returncode == 1 and "[i2c.buses.none]" in done.stdout and "absent.json" in done.stdout


def test_server_with_a_door_of_smbus_ends_without_a_word(serving):
    """What gRPC leaves behind would be told when the interpreter ends."""
    log = Path("log")
    with log.open("wb") as file:
        process = subprocess.Popen(serving, stderr=file)
    try:
        until(lambda: " started " in log.read_text(), "the start")
        with SMBus(os.environ["PB_LINK_SMBUS"] + "/desk") as bus:
            assert bus.read_word_data(0x18, 6) == 0x5400
        process.terminate()
        assert process.wait(PATIENCE_S) == 0
    finally:
        process.kill()
        process.wait()
    lines = log.read_text().splitlines()
    assert " stopped" in lines[-1] and not [line for line in lines if "excepthook" in line], lines
