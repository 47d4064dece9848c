"""compact.py: a source in fewer lines."""

import ast

import pytest

from build.images import firmware
from build.images.compact import compacted
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
    ('    return ("a" "b") + "c" + nothing.__name__', 26, 28),
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
    assert compacted(SOURCE) == LINES


@pytest.mark.parametrize("program", ["client", "bridge"])
def test_modules_of_the_device_stay_the_same_programs(program):
    files = client_package.files() if program == "client" else firmware.modules()
    for path in files.values():
        source = path.read_text()
        made = compacted(source)
        before, after = ast.parse(source), ast.parse("\n".join(line for line, _, _ in made))
        assert without_docstrings(before) == without_docstrings(after), path
        lines = source.split("\n")
        for text, first, last in made:
            words = "".join(lines[first - 1 : last]).replace(" ", "")
            assert text.strip() == "pass" or text.replace(" ", "")[:8] in words, (path, text)
