"""The table of sensor types for boards: a choice of records, in an order, as a module that boards import."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from build.install import sensor_types
from sensor_bus.records import CONSTANTS, DETECTION, INIT, POLL, Records, standard_records

ROOT = Path(__file__).resolve().parent.parent.parent.parent
MORE = ROOT / "tests" / "sensor_bus" / "DeviceTypeRecords.json"


def table(text):
    module = {}
    exec(text, module)
    return module["TYPES"]


def test_the_types_are_those_that_were_named_in_their_order():
    records = Records(table(sensor_types.source(["SHT40", "AHT20"], [sensor_types.OWN])))
    assert [records.name(number) for number in range(len(records))] == ["SHT40", "AHT20"]
    whole = standard_records()
    for number in range(2):
        other = whole.number(records.name(number))
        for field in (DETECTION, INIT, POLL, CONSTANTS):
            assert records.field(number, field) == whole.field(other, field)
        for name in ("interval_us", "samples", "size"):
            assert getattr(records, name)(number) == getattr(whole, name)(other)


def test_all_types_are_in_the_order_of_the_file():
    records = Records(table(sensor_types.source(None, [sensor_types.OWN])))
    assert [records.name(number) for number in range(len(records))] == list(
        json.loads(sensor_types.OWN.read_text())["devTypes"]
    )


def test_a_later_file_adds_types_and_replaces_them(tmp_path):
    other = json.loads(sensor_types.OWN.read_text())["devTypes"]["AHT20"]
    other["pollInfo"]["i"] = 60000
    (tmp_path / "own.json").write_text(json.dumps({"devTypes": {"AHT20": other}}))
    records = Records(table(sensor_types.source(["AHT20", "HX711"], [sensor_types.OWN, MORE, tmp_path / "own.json"])))
    assert (records.interval_us(0), records.name(1)) == (60000000, "HX711")


@pytest.mark.parametrize(
    ("arguments", "status", "shown"),
    [
        (["AHT20"], 0, "TYPES = ("), (["--all"], 0, "VL53L4CD"), (["--list"], 0, "AHT20\nTMP117\n"),
        (["FOO"], 1, "there is no type FOO, only AHT20"), ([], 2, "name the types, or say --all"),
        (["AHT20", "--all"], 2, "name the types"), (["--file", "absent.json", "--all"], 1, "absent.json"),
    ],
)  # fmt: skip
def test_the_command(arguments, status, shown):
    command = [sys.executable, "build/sensor_types.py", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == status
    assert shown in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_the_module_is_within_the_rules_of_the_project():
    text = sensor_types.source(None, [sensor_types.OWN])
    assert max(len(line) for line in text.splitlines() if line.startswith("    ")) <= 120


def test_a_board_imports_it_and_runs_a_program(tmp_path, micropython32):
    (tmp_path / "sensor_types.py").write_text(sensor_types.source(["TMP117"], [sensor_types.OWN]))
    program = (
        "import sensor_types; from sensor_bus.records import Records; from sensor_bus.steps import Steps\n"
        "records = Records(sensor_types.TYPES); steps = Steps(records.field(0, 2)); steps.next()\n"
        "print(records.name(0), bytes(steps.write), steps.size(b''), steps.matches(b'\\x01\\x17'))"
    )
    environment = {"MICROPYPATH": f"{ROOT}:{tmp_path}"}
    done = subprocess.run([micropython32, "-c", program], env=environment, capture_output=True, text=True, cwd=tmp_path)
    assert (done.stdout, done.stderr) == ("TMP117 b'\\x0f' 2 True\n", "")
