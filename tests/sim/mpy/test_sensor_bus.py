"""The sensor bus in real MicroPython, on the wires of bed mpy: found, identified, polled, stuck, pulled, plugged."""

import json
from pathlib import Path

from build.install import sensor_types

PROGRAM = Path(__file__).parent / "programs" / "sensor_bus_program.py"
DEVICES = [
    {"type": "PCA9548A"},
    {"type": "AHT20", "slot": 1, "values": {"temperature": 21.0}},
    {"type": "MCP9808", "slot": 2, "values": {"temperature": 20.0}, "faults": [[3, "stick_sda", 8, 0]]},
    {"type": "TMP117", "plug": [[5, True]]},
]


def test_bus_manages_its_devices(sim, tmp_path):
    program = tmp_path / "program.py"
    program.write_text(PROGRAM.read_text())
    (tmp_path / "sensor_types.py").write_text(sensor_types.source(None, [sensor_types.OWN]))
    sensors = tmp_path / "sensors.json"
    sensors.write_text(json.dumps(DEVICES))
    result = sim("board", program, "--sensors", sensors)
    assert result.returncode == 0, result.stdout + result.stderr
    said = result.stdout.splitlines()
    for address, name in (("138", "AHT20"), ("218", "MCP9808"), ("48", "TMP117")):
        assert f"event identified {address} {name}" in said, result.stdout
    assert "at the end ['48', '138', '218']" in said and "raw b'\\x00T'" in said, result.stdout
    assert not [line for line in said if line.startswith(("event gone", "event stuck"))], result.stdout
    values = {line for line in said if line.startswith("mcp ")}
    assert values and values <= {"mcp 0.0", "mcp 20.0"}, values  # 0: before its first conversion
