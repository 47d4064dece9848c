"""What a log says about an exception: the user's line, though libraries raised it; the traceback, whatever it is."""

import asyncio
import json
from pathlib import Path

from server.core.failures import traceback_text, where
from tests.patience import PATIENCE_S


def raised_by(function):
    try:
        function()
    except Exception as error:
        return error


def test_place_is_the_users_line_not_the_librarys():
    file, line = where(raised_by(lambda: json.loads("{"))).rsplit(":", 1)
    assert file == __file__ and 'json.loads("{")' in Path(file).read_text().splitlines()[int(line) - 1]


def test_place_is_not_in_this_project():
    from protocol.credentials import parse_id

    assert where(raised_by(lambda: parse_id(5))).startswith(__file__ + ":")


def test_place_of_an_error_of_libraries_alone_is_the_innermost():
    async def main():
        task = asyncio.ensure_future(asyncio.wait_for(asyncio.sleep("x"), PATIENCE_S))
        await asyncio.wait([task])
        return task.exception()

    assert "asyncio" in where(asyncio.run(main()))
    assert where(ValueError("never raised")) is None


def test_traceback_has_every_frame_and_cause():
    def fail():
        try:
            json.loads("{")
        except ValueError as error:
            raise KeyError("mine") from error

    text = traceback_text(raised_by(fail))
    assert "JSONDecodeError" in text and text.endswith("KeyError: 'mine'\n") and text.count(__file__) == 3


def test_exception_that_cannot_be_shown_is_named():
    class Mute(Exception):
        def __str__(self):
            raise RuntimeError

    assert "Mute" in traceback_text(Mute())
