"""`pb-link sensors`: what it shows and where, and what is wrong with its arguments."""

import asyncio
import contextlib
import csv
import json
import sys
from types import SimpleNamespace

import pytest

from server.service import cli, sensors_command
from server.service.sensors_command import bus_number, follow, say, show_answers, show_bus
from tests.patience import PATIENCE_S

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
    with pytest.raises(ValueError, match=r"\.\[linux\]"):
        show_bus(options(bus="/dev/i2c-99"))


@pytest.mark.parametrize("words", [["sensors"], ["sensors", "mast", "--bus", "/dev/i2c-1"]])
def test_it_needs_a_client_or_a_bus(words, capsys):
    assert cli.main(words) == 1
    assert "--bus /dev/i2c-N" in capsys.readouterr().err


class OneDevicePort:
    """A port of a bus on which nothing answers, or an MCP9808 at 0x18, or what has no type at 0x20."""

    lines = None

    def __init__(self):
        self.there = set()
        self._register = None

    def probe(self, address):
        return address in self.there

    def transfer(self, address, write, into=None):
        if address not in self.there:
            raise OSError(19, "nobody is there")
        self._register = write[0] if write else self._register
        if into is not None:
            into[:] = {5: b"\x01\x50", 6: b"\x00\x54", 7: b"\x04\x00"}.get(self._register, bytes(len(into)))


class Shown:
    def __init__(self):
        self.readings = []

    def show(self, reading):
        self.readings.append(reading)


async def until(condition):
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.01)


def test_empty_bus_is_told_and_then_what_is_plugged_in_and_pulled(monkeypatch):
    monkeypatch.setattr(sensors_command, "FIRST_S", 0.1)
    port, shown, notes = OneDevicePort(), Shown(), []

    async def main():
        task = asyncio.create_task(follow(port, 1, [shown], notes.append))
        await until(lambda: notes)
        assert notes == ["nothing answers on bus 1 yet: what is plugged in is shown"]
        port.there = {0x18, 0x20}
        await until(lambda: shown.readings)
        assert shown.readings[0]["values"] == {"temperature": 21.0} and shown.readings[0]["status"] == "online"
        await until(lambda: len(notes) == 2)
        assert notes[1] == "there is no type for 1_20: nothing is read of it"
        port.there = set()
        await until(lambda: shown.readings[-1]["status"] == "gone")
        assert shown.readings[-1]["device"] == "1_18" and shown.readings[-1]["values"] == {}
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    asyncio.run(main())


def test_notes_go_to_stderr_and_are_objects_with_json(capsys):
    say(options(), "it waits")
    say(options(json=True), "it waits")
    said = capsys.readouterr()
    assert said.out == "" and said.err.splitlines() == ["pb-link: it waits", '{"note": "it waits"}']
