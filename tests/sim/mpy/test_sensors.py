"""`sim board --sensors` and `sim up --sensors`: MicroPython programs and virtual sensors."""

import json
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parent / "programs" / "sensors.py"
DEVICES = [
    {"type": "PCA9548A"},
    {"type": "AHT20", "slot": 1, "values": {"temperature": 21.0}},
    {"type": "MCP9808", "slot": 2, "values": {"temperature": 20.0}, "faults": [[3, "stick_sda", 8, 0]]},
    {"type": "TMP117", "plug": [[5, True]]},
]
EXPECTED = [
    "main [112]",
    "slots [24, 56, 112]",
    "mcp 64",
    "aht 24 21",
    "stuck 110",
    "sda 0",
    "clocks 8 b'\\x00T'",
    "reset []",
    "plugged [72, 112]",
]


def written(tmp_path, data):
    path = tmp_path / "sensors.json"
    path.write_text(json.dumps(data))
    return path


def test_program_on_a_board_finds_its_sensors(sim, tmp_path):
    result = sim("board", PROGRAM, "--sensors", written(tmp_path, DEVICES))
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.splitlines() == EXPECTED
    assert "sensors * MCP9808@18/2 stick_sda 8 0" in result.stderr
    assert "sensors * TMP117@48/0 plug" in result.stderr


def test_client_of_the_link_has_them_on_its_second_bus(sim_with_bridge, tmp_path):
    program = tmp_path / "client.py"
    program.write_text("from machine import I2C\nimport time\ntime.sleep_ms(50)\nprint('found', I2C(2).scan())\n")
    sensors = written(tmp_path, {"buses": {"i2c1": {}}, "devices": [{"type": "AHT20"}, {"type": "SHT40"}]})
    result = sim_with_bridge("up", "--client", program, "--sensors", sensors)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "client | found [56, 68]" in result.stdout


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([{"type": "AHT21"}], "no model of 'AHT21'"),
        ({"buses": {"b": {"scl": "Z1", "sda": "Y2"}}, "devices": []}, "a pyboard has no pin 'Z1'"),
        ({"buses": {"b": {"scl": "Y1"}}, "devices": []}, "bus b has no pin sda"),
        ({"buses": {"b": {"scl": "Y1", "sda": "Y1"}}, "devices": []}, "its pins are used twice"),
        ({"buses": {"b": {"scl": "X1", "sda": "Y2"}}, "devices": []}, "its pins are used twice"),
        ([3], "device 1: a device is to be an object"),
    ],
)
def test_mistakes_in_the_file_are_told(sim, tmp_path, data, message):
    result = sim("board", PROGRAM, "--wires", "X1=X2", "--sensors", written(tmp_path, data))
    assert result.returncode == 2
    assert message in result.stderr
