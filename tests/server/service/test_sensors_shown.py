"""Readings for people and files."""

import csv
import io
import json

from sensor_bus.publish import PENDING_DELETION
from server.core.sensors import Reading
from server.service.sensors_shown import CSV, JSONLines, Lines, Table, as_dict

UTC = 1_700_000_000.25


def reading(device="1_18", values=None, invalid=(), kind="MCP9808", at=UTC):
    values = {"temperature": 21.0} if values is None else values
    return as_dict(Reading(device, 1, 0x18, kind, at, values, {"temperature": "\u00b0C"}, invalid, 1, b"\x01\x50", 3))


def test_line_has_time_device_type_and_values():
    out = io.StringIO()
    Lines(out).show(reading())
    Lines(out).show(reading(values={}, kind=None))
    first, second = out.getvalue().splitlines()
    assert first.split()[2:] == ["1_18", "MCP9808", "temperature=21"] and ".250 " in first
    assert second.split()[2:] == ["1_18", "?", "0150"]


def gone(device="1_18"):
    return as_dict(Reading(device, 1, 0x18, "MCP9808", UTC, {}, {}, (), PENDING_DELETION, b"", 4))


def test_device_that_is_gone_is_told_and_leaves_the_table():
    out, table, rows = io.StringIO(), io.StringIO(), io.StringIO()
    Lines(out).show(gone())
    assert out.getvalue().split()[2:] == ["1_18", "MCP9808", "gone"] and gone()["status"] == "gone"
    shown = Table(table, clock=lambda: UTC)
    for one in (reading(), reading("1_19"), gone()):
        shown.show(one)
        shown.draw()
    assert "1_18" not in table.getvalue().split("\x1b[J")[-1] and "1_19" in table.getvalue().split("\x1b[J")[-1]
    CSV(rows, head=False).show(gone())
    assert rows.getvalue() == ""


def test_json_lines_are_objects():
    out = io.StringIO()
    JSONLines(out).show(reading())
    assert json.loads(out.getvalue()) == reading() and reading()["raw"] == "0150"


def test_csv_has_a_row_for_each_value_and_marks_invalid_ones():
    out = io.StringIO()
    rows = CSV(out)
    rows.show(reading(values={"temperature": 21.0, "humidity": 140}, invalid=("humidity",)))
    found = list(csv.DictReader(io.StringIO(out.getvalue())))
    assert [(row["name"], row["value"], row["valid"]) for row in found] == [
        ("temperature", "21.0", "1"), ("humidity", "140", "0"),
    ]  # fmt: skip
    assert found[0]["unit"] == "\u00b0C" and float(found[0]["time"]) == UTC


def test_table_has_the_newest_of_each_device_and_is_not_drawn_too_often():
    now = UTC + 1
    out = io.StringIO()
    table = Table(out, lambda: now)
    table.show(reading())
    table.show(reading("1_19", invalid=("temperature",)))
    assert out.getvalue().count("\x1b[H") == 1 and "1_19" not in out.getvalue()
    now += 0.3
    table.show(reading("1_18", {"temperature": 22.5}))
    shown = out.getvalue().rpartition("\x1b[H")[2]
    assert "22.5" in shown and "1_19" in shown and " !" in shown and "1.3 s" in shown


def test_what_a_client_sends_does_not_command_the_terminal():
    out = io.StringIO()
    Lines(out).show(reading(kind="\x1b[2J"))
    assert "\x1b" not in out.getvalue()
