"""`pb-link sensors`: what it shows and where, and what is wrong with its arguments."""

import csv
import json
import sys
from types import SimpleNamespace

import pytest

from server.service import cli
from server.service.sensors_command import bus_number, show_answers, show_bus

READING = {
    "device": "1_18", "type": "MCP9808", "time": 1_700_000_000.5, "values": {"temperature": 21.0},
    "units": {"temperature": "C"}, "invalid": [], "raw": "0150",
}  # fmt: skip


def options(**changed):
    return SimpleNamespace(**{"json": False, "csv": None, "id": "mast", "bus": None, **changed})


def test_answers_are_lines_or_json(capsys):
    assert show_answers(options(), [READING, READING]) == 1
    assert len(capsys.readouterr().out.splitlines()) == 2
    show_answers(options(json=True), [READING])
    assert json.loads(capsys.readouterr().out) == READING


def test_file_gets_rows_and_a_second_run_adds_to_them(tmp_path, capsys):
    path = tmp_path / "mast.csv"
    for _ in range(2):
        show_answers(options(csv=str(path)), [READING])
    rows = list(csv.DictReader(path.open(encoding="utf-8")))
    assert [row["device"] for row in rows] == ["1_18", "1_18"] and capsys.readouterr().out == ""


def test_bus_is_named_as_linux_names_it():
    assert bus_number("/dev/i2c-1") == bus_number("1") == 1
    for text in ("/dev/i2c-", "i2c-1", "-1", ""):
        with pytest.raises(ValueError, match="/dev/i2c-1"):
            bus_number(text)


def test_missing_extra_is_told_with_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "smbus2", None)
    monkeypatch.delitem(sys.modules, "sensor_bus.linux_i2c", raising=False)
    with pytest.raises(ValueError, match="pb-link\\[linux\\]"):
        show_bus(options(bus="/dev/i2c-99"))


@pytest.mark.parametrize("words", [["sensors"], ["sensors", "mast", "--bus", "/dev/i2c-1"]])
def test_it_needs_a_client_or_a_bus(words, capsys):
    assert cli.main(words) == 1
    assert "--bus /dev/i2c-N" in capsys.readouterr().err
