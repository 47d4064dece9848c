"""What a module defines and imports, as the joined module needs it."""

import pytest

from build.images.bundle_source import CONST, Module, Origin
from build.tools.shell import BuildError

KNOWN = ("protocol", "protocol.limits", "lib.shapes")
SOURCE = b'''import sys
from collections import namedtuple as tuples

from lib import shapes
from protocol import const
from protocol.limits import LONGEST  # noqa: F401 - for others

try:
    from micropython import schedule
except ImportError:  # CPython

    def schedule(function):
        import threading

if sys.implementation.name == "micropython":
    BOARD = 1
else:
    OTHER = 2

HALF = const(4)
WHOLE = HALF * 2
PAIR = (1, 2)
count, total = 0, 1


class Box:
    def open(self):
        return HALF
'''


def test_names_lead_to_where_they_are_defined():
    module = Module("lib.box", SOURCE, KNOWN)
    assert module.names == {
        "sys": Origin("sys", None), "tuples": Origin("collections", "namedtuple"), "shapes": Origin("lib.shapes", None),
        "const": CONST, "LONGEST": Origin("protocol.limits", "LONGEST"), "schedule": Origin("micropython", "schedule"),
        **{name: Origin("lib.box", name) for name in ("BOARD", "HALF", "WHOLE", "PAIR", "count", "total", "Box")},
    }  # fmt: skip
    assert module.imports == ["lib.shapes", "protocol", "protocol.limits"]
    assert set(module.constants) == {"BOARD", "HALF", "WHOLE"}
    assert "LONGEST" in module.passed_on


def test_parts_for_cpython_are_left_out():
    lines = SOURCE.split(b"\n")
    left_out = Module("lib.box", SOURCE, KNOWN).left_out
    assert [(lines[opening - 1], lines[last - 1].strip()) for opening, _, last in left_out] == [
        (b"try:", b"import threading"), (b'if sys.implementation.name == "micropython":', b"OTHER = 2"),
    ]  # fmt: skip


def test_function_at_a_line_is_named_with_its_class():
    module = Module("lib.box", SOURCE, KNOWN)
    assert module.function_at(len(SOURCE.split(b"\n")) - 1) == " in Box.open"
    assert module.function_at(1) == ""


@pytest.mark.parametrize("source", [b"from . import x\n", b"from lib import *\n", b"import lib.shapes\n"])
def test_imports_that_do_not_name_what_they_bind_are_refused(source):
    with pytest.raises(BuildError, match="line 1"):
        Module("lib.box", source, KNOWN)
