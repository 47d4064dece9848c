"""The examples of docs/sensor-bus.md do what the document says, and its tables name what there is."""

import contextlib
import io
import re
from pathlib import Path

import pytest

from sensor_bus.grammar import detection_program, steps_program
from sensor_bus.loader import load
from sensor_bus.records import DETECTION, INIT, POLL, standard_records

MICROPYTHON = False
MICROPYTHON_REASON = "reads the document with CPython's re"

DOCUMENT = (Path(__file__).resolve().parent.parent.parent / "docs" / "sensor-bus.md").read_text(encoding="utf-8")
RECORD, PROGRAM, SHOWN = re.search(
    r"<!-- example -->\n```json\n(.*?)```.*?<!-- example -->\n```python\n(.*?)```\n\n```\n(.*?)```", DOCUMENT, re.DOTALL
).groups()


def test_the_worked_example_decodes_as_it_is_shown():
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown):
        exec(PROGRAM, {"text": RECORD.encode()})
    assert shown.getvalue() == SHOWN


def test_the_worked_example_is_our_own_record():
    mine, ours = load(RECORD.encode()), standard_records()
    number = ours.number("TMP117")
    assert mine.info(0) == ours.info(number)
    for field in (DETECTION, INIT, POLL):
        assert mine.field(0, field) == ours.field(number, field)
    for name in ("interval_us", "samples"):
        assert getattr(mine, name)(0) == getattr(ours, name)(number)


def test_all_own_types_are_named():
    records = standard_records()
    listed = re.search(r"are in `sensor_bus/types\.json`: (.*?)\. Each", DOCUMENT, re.DOTALL)[1]
    assert re.split(r",\s+", listed) == [records.name(number) for number in range(len(records))]


@pytest.mark.parametrize("text", ["0x0f=0x69,0x6a", "=r6&0xac3300=", "0x89=p10&=r6", "0x3a=r4&0x3e=r{$0.w12*2:max240}"])
def test_texts_of_the_document_are_understood(text):
    assert f"`{text}`" in DOCUMENT
    assert detection_program(text) and steps_program(text)
