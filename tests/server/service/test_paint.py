"""Colour is for terminals whose user has not refused it."""

import io

import pytest

from server.service.paint import Paint


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(
    "file, environment, on",
    [
        (Terminal(), {}, True),
        (Terminal(), {"NO_COLOR": ""}, True),  # https://no-color.org: "when present and not an empty string"
        (Terminal(), {"NO_COLOR": "1"}, False),
        (Terminal(), {"TERM": "dumb"}, False),
        (io.StringIO(), {}, False),
        (object(), {}, False),
    ],
)
def test_colour_depends_on_file_and_environment(file, environment, on):
    paint = Paint(file, environment)
    assert paint.on is on and paint("x", "red") == ("\x1b[31mx\x1b[0m" if on else "x")
