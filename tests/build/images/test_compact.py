"""compact.py: a source in fewer lines."""

import ast

import pytest

from build.images import firmware
from build.images.compact import RUN, compacted
from build.install import client_package

SOURCE = '''"""A module."""
import sys  # for its version

pass


class Fault(Exception):
    """Has nothing of its own."""


def first(value, *,
          other=(1,
                 2)):
    """Returns a text.

    Of two lines.
    """
    # a comment
    if value:
        return """one
    two"""; pass

    def nothing():
        """Does nothing."""

    value = 1
    other = 2
    also = 3
    last = 4
    if other: value = 5
    value = 6

    other = 7

    return ("a"
            "b") \\
        + "c" + nothing.__name__
'''
LINES = [
    ("import sys", 2, 2),
    ("class Fault(Exception):", 7, 7),
    ("    pass", 7, 10),
    ("def first(value, *, other=(1, 2)):", 11, 13),
    ("    if value:", 19, 19),
    ('        return """one', 20, 21),
    ('    two"""; pass', 20, 21),
    ("    def nothing():", 23, 23),
    ("        pass", 23, 25),
    ("    value = 1; other = 2; also = 3", 26, 28),
    ("    last = 4", 29, 29),
    ("    if other: value = 5", 30, 30),
    ("    value = 6; other = 7", 31, 33),
    ('    return ("a" "b") + "c" + nothing.__name__', 35, 37),
]


def without_docstrings(tree):
    for node in ast.walk(tree):
        for body in (getattr(node, "body", ()), getattr(node, "orelse", ())):
            if isinstance(body, list):
                texts = [one for one in body if isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant)]
                body[:] = [one for one in body if one not in texts] or [ast.Pass()]
    tree.body = [node for node in tree.body if not isinstance(node, ast.Pass)]
    return ast.dump(tree)


def test_lines_are_fewer_and_lead_to_the_source():
    assert compacted(SOURCE, 3) == LINES
    assert not [text for text, _, _ in compacted(SOURCE) if ";" in text and "two" not in text]


@pytest.mark.parametrize("program, run", [("client", RUN), ("bridge", 1)])
def test_modules_of_the_device_stay_the_same_programs(program, run):
    files = client_package.files() if program == "client" else firmware.modules()
    for path in files.values():
        source = path.read_text()
        made = compacted(source, run)
        before, after = ast.parse(source), ast.parse("\n".join(line for line, _, _ in made))
        assert without_docstrings(before) == without_docstrings(after), path
        lines = source.split("\n")
        for text, first, last in made:
            words = "".join(lines[first - 1 : last]).replace(" ", "")
            assert last - first < run or ";" not in text
            assert text.strip() == "pass" or text.partition(";")[0].replace(" ", "")[:8] in words, (path, text)
