"""Colour for terminals, and nowhere else. NO_COLOR (https://no-color.org) switches it off."""

import os

_CODES = {"red": "31", "green": "32", "yellow": "33", "bold": "1", "dim": "2"}


class Paint:
    """A function (text, colour) -> text for one file. Without colour it returns the text as it is."""

    def __init__(self, file, environment=os.environ):
        self.on = (
            not environment.get("NO_COLOR")
            and environment.get("TERM", "") != "dumb"
            and hasattr(file, "isatty")
            and file.isatty()
        )

    def __call__(self, text, colour):
        return f"\x1b[{_CODES[colour]}m{text}\x1b[0m" if self.on else text
