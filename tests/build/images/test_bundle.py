"""Modules joined into one: what a program does stays the same."""

import re
import subprocess
import sys

import pytest

from build.images import firmware
from build.images.bundle import Bundle
from build.install import client_package
from build.tools.shell import BuildError

CONST = b"def const(value):\n    return value\n"
LATE = b"from protocol import const\nTWICE = const(len(()))\nLONGEST = const(x)\n"
LIMITS = b"from protocol import const\n\nLONGEST = const(5)\nTWICE = const(2 * LONGEST)\nNAME = 'x' * LONGEST\n"
SHAPES = b'''"""Two shapes."""

from math import pi

from protocol import const, limits
from protocol.limits import TWICE as MORE

_SIDES = const(4)


class Shape:
    _scale = 1

    def __init__(self, side, name="shape"):
        self._side, self.name = side, name

    def area(self):
        return self._scale * self._squared(self._side)

    def _squared(self, number):
        return number * number


class Circle(Shape):
    _factor = pi

    def area(self):
        return self._factor * self._squared(self._side)


def size_of(shape, more=MORE):
    area = [side for side in range(_SIDES)]
    return shape.area() + more + len(area) + limits.LONGEST


def times(factor):
    return lambda number: factor * number


def nobody_asks():
    return 1
'''
PROGRAM = b'''import sys

from lib.shapes import Circle, Shape, size_of, times
from protocol import const, limits as bounds

try:
    from micropython import nothing
except ImportError:  # CPython
    nothing = "for CPython"

SIDES = 7  # another than that of shapes


def sizes(module=bounds):
    from lib import later
    from lib.shapes import size_of as also

    shape = Shape(3, name="square")
    sizes = [size_of(shape), also(Circle(1), more=0), later.twice(shape)]
    return sizes, module.TWICE, bounds.LONGEST, SIDES, times(3)(5)
'''
LATER = b'''from lib import shapes
from lib.shapes import size_of as measured
from protocol.limits import TWICE


def twice(shape, times=2):
    return times * measured(shape) + TWICE, isinstance(shape, shapes.Shape)
'''
# Its short names would be those of functions and classes that its body uses after them.
HIDING = b"""

class Hiding:
    _p, _q, _r, _s, _t = range(5)
    _kind = Shape

    def __init__(self, also=size_of):
        self._also = also

    def _t(self):
        return self._kind, self._also
"""
HIDES = b"from lib.shapes import Hiding\ndef hides():\n    return Hiding()._t()\n"
SOURCES = {
    "protocol": CONST, "protocol.limits": LIMITS, "lib.shapes": SHAPES, "lib.main": PROGRAM, "lib.later": LATER,
}  # fmt: skip


@pytest.fixture
def run(tmp_path):
    """run(sources, code) executes code where the modules {name: source} can be imported. Returns what it prints."""
    (tmp_path / "micropython.py").write_text("nothing = 'for MicroPython'\ndef const(value):\n    return value\n")

    def run_code(sources, code):
        for name, source in sources.items():
            path = tmp_path / f"{name.replace('.', '/')}{'/__init__' if name == 'protocol' else ''}.py"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(source if isinstance(source, bytes) else source.encode())
        return subprocess.check_output([sys.executable, "-B", "-c", code], cwd=tmp_path, text=True)

    return run_code


def joined():
    bundle = Bundle(SOURCES, "lib.main")
    return bundle, {"protocol": CONST, **{name: bundle.beside(name) for name in SOURCES if name != "protocol"}}


def test_joined_program_computes_what_its_modules_do(run):
    code = "from lib.main import sizes; print(sizes())"
    wanted = run(SOURCES, code)
    bundle, sources = joined()
    assert bundle.joined == {"lib.main", "lib.shapes", "protocol.limits"}
    assert run(sources, code) == wanted


def test_body_of_a_class_uses_what_the_module_defines_whatever_is_short(run):
    sources = {**SOURCES, "lib.shapes": SHAPES + HIDING, "lib.main": PROGRAM + HIDES}
    bundle = Bundle(sources, "lib.main")
    sources = {"protocol": CONST, **{name: bundle.beside(name) for name in SOURCES if name != "protocol"}}
    code = "from lib.main import hides; from lib.shapes import Shape, size_of; print(hides() == (Shape, size_of))"
    assert run(sources, code) == "True\n"


def test_module_as_an_object_has_its_functions_and_short_names(run):
    """Each name of the class in its place may be short, and none hides what another one stands for."""
    names = [f"limit_{i}" for i in range(40)]
    limits = "".join(f"{name.upper()} = const({i})\n" for i, name in enumerate(names))
    limits += "".join(f"def {name}():\n    return {i}\n" for i, name in enumerate(names))
    taken = ", ".join(f"limits.{name}(), limits.{name.upper()}" for name in names)
    program = f"from protocol import limits\ndef taken(limits=limits):\n    return {taken}\n"
    sources = {
        "protocol": CONST,
        "protocol.limits": b"from protocol import const\n" + limits.encode(),
        "lib.main": program.encode(),
    }
    bundle = Bundle(sources, "lib.main")
    assert {"limit_3", "LIMIT_3"} <= set(bundle.short.attributes)
    made = {"protocol": CONST, "protocol.limits": bundle.beside("protocol.limits"), "lib.main": bundle.source()}
    code = "from lib.main import taken; print(list(taken()) == [i // 2 for i in range(80)])"
    assert run(made, code) == "True\n"


def test_part_for_micropython_is_left(run):
    _, sources = joined()
    assert run(sources, "from lib.main import nothing; print(nothing)") == "for MicroPython\n"
    assert "for CPython" not in sources["lib.main"]


def test_constants_and_what_nobody_asks_for_are_left_out(run):
    bundle, sources = joined()
    code = "import lib.main as main; print({'LONGEST', 'TWICE', '_SIDES', 'NAME', 'SIDES'} & set(vars(main)))"
    assert run(sources, code) == "{'SIDES'}\n"  # the program's own: users may import it
    assert "nobody_asks" not in sources["lib.main"] and "_squared" not in sources["lib.main"]
    assert {origin.name for origin in bundle.unused} == {"nobody_asks"}


def test_value_that_nobody_asks_for_and_const_that_has_no_use_are_left_out():
    values = b"\nASKED = bytes(2)\nIDLE = bytes(3)\n_HELD = bytes(ASKED)\ndef held():\n    return _HELD\n"
    program = PROGRAM + b"from lib.shapes import held\ndef use():\n    return held()\n"
    sources = {**SOURCES, "lib.shapes": SHAPES + values, "lib.main": program}
    bundle = Bundle(sources, "lib.main")
    assert {origin.name for origin in bundle.unused} == {"nobody_asks", "IDLE"}
    assert "bytes(3)" not in bundle.source() and "import const" not in bundle.source()
    kept = {**sources, "lib.shapes": SHAPES + values + b"class Kept:\n    WIDTH = const(3)\n"}
    assert "from micropython import const" in Bundle(kept, "lib.main").source()


def test_methods_that_nobody_asks_for_are_left_out_with_what_they_alone_use():
    kept = b"class Pen:\n    def __init__(self):\n        self.ink = 1\n    def read(self):\n        return self.ink\n"
    pens = kept + b"    def idle(self):\n        return idle_too()\ndef idle_too():\n    return 'unused'\n"
    program = PROGRAM + b"from lib.shapes import Pen\ndef use():\n    return Pen()\n"
    bundle = Bundle({**SOURCES, "lib.shapes": SHAPES + pens, "lib.main": program}, "lib.main")
    assert bundle.idle == {("lib.shapes", "Pen", "idle")}  # and not `read`, which MicroPython asks streams for
    assert {origin.name for origin in bundle.unused} == {"nobody_asks", "idle_too"}
    assert "idle" not in bundle.source()
    asked = program + b"def ask(pen):\n    return pen.idle()\n"
    bundle = Bundle({**SOURCES, "lib.shapes": SHAPES + pens, "lib.main": asked}, "lib.main")
    assert not bundle.idle and "'unused'" in bundle.source()


def test_modules_in_the_place_of_joined_ones_have_their_names(run):
    _, sources = joined()
    code = (
        "from lib import main, shapes\nfrom protocol import limits\n"
        "print(shapes.size_of(shapes.Circle(0)), limits.LONGEST, limits.TWICE, limits.NAME)\n"
        "print(hasattr(shapes, 'nobody_asks'), shapes.Shape.__module__, shapes.size_of.__module__)"
    )
    assert run(sources, code) == "19.0 5 10 xxxxx\nFalse lib.main lib.main\n"


STARTING = b"""from lib.checks import Checked, checked
def begin(number):
    return checked(number).number + Checked(1).twice()
"""
CHECKS = b"""from lib.shapes import Shape
from protocol.limits import LONGEST

class Checked:
    def __init__(self, number):
        self.number = number
        self._shape = Shape(number)
    def twice(self):
        return 2 * self._shape.area()

def checked(number):
    if number > LONGEST:
        raise ValueError("too long")
    return Checked(number)

def asked_elsewhere():
    return _helped()
def _helped():
    return 7
def asked_nowhere():
    return 8
"""
ELSEWHERE = b"""def from_elsewhere():
    from lib.checks import asked_elsewhere
    return asked_elsewhere()
"""


def joined_later(**changes):
    sources = {**SOURCES, "lib.starting": STARTING, "lib.checks": CHECKS, "lib.elsewhere": ELSEWHERE, **changes}
    bundle = Bundle(sources, "lib.main", later={"lib.starting": ("lib.checks",)})
    return bundle, {"protocol": CONST, **{name: bundle.beside(name) for name in sources if name != "protocol"}}


def test_modules_that_are_needed_later_are_joined_into_another_one(run):
    bundle, sources = joined_later()
    code = (
        "import sys, lib.main\n"
        "assert 'lib.starting' not in sys.modules\n"
        "from lib.starting import begin\n"
        "assert 'lib.checks' not in sys.modules and 'lib.shapes' not in sys.modules\n"
        "from lib.checks import Checked, asked_elsewhere\n"
        "from lib.elsewhere import from_elsewhere\n"
        "print(begin(2), Checked.__module__, asked_elsewhere(), from_elsewhere())\n"
        "import lib.checks; print(hasattr(lib.checks, 'asked_nowhere'))"
    )
    assert run(sources, code) == "4 lib.starting 7 7\nFalse\n"
    assert "asked_nowhere" not in sources["lib.starting"] and "_helped" not in sources["lib.starting"]
    number = sources["lib.starting"].split("\n").index('        raise ValueError("too long")') + 1
    source = CHECKS.decode().split("\n").index('        raise ValueError("too long")') + 1
    assert bundle.where(f"lib/starting.py:{number}") == f"lib/checks.py:{source} in checked"


@pytest.mark.parametrize(
    "later, what",
    [
        ({"lib.starting": ("lib.checks", "lib.shapes")}, "lib.shapes: cannot be joined later"),
        ({"lib.starting": ("lib.absent",)}, "lib.absent, lib.starting: cannot be joined later"),
        ({"lib.later": ("lib.elsewhere",)}, "lib.elsewhere: not imported with lib.later"),
    ],
)
def test_what_cannot_be_joined_later_is_refused(later, what):
    sources = {**SOURCES, "lib.elsewhere": ELSEWHERE}
    if "lib.shapes" in what:
        sources |= {"lib.starting": STARTING, "lib.checks": CHECKS}
    with pytest.raises(BuildError, match=what):
        Bundle(sources, "lib.main", later=later)


def test_line_of_the_joined_module_leads_to_its_source():
    bundle, sources = joined()
    line = re.search("        return (\\w+) \\* \\1$", sources["lib.main"], re.MULTILINE)  # Shape._squared
    number = sources["lib.main"][: line.start()].count("\n") + 1
    source = SHAPES.decode().split("\n").index("        return number * number") + 1
    assert bundle.where(f"lib/main.py:{number}") == f"lib/shapes.py:{source} in Shape._squared"
    for place in ("lib/other.py:1", "lib/main.py:9999", "lib/main.py", "lib/main.py:x"):
        with pytest.raises(BuildError):
            bundle.where(place)


@pytest.mark.parametrize(
    "change, what",
    [
        ({"lib.shapes": b"from lib.main import sizes\n"}, "modules that import each other"),
        ({"lib.shapes": SHAPES + b"\nfor one in range(3):\n    pass\n"}, "line 43: a module that is joined has only"),
        ({"lib.shapes": SHAPES + b"\ndef f():\n    global pi\n"}, "line 44: `global`"),
        ({"lib.shapes": b"from lib import *\n"}, "line 1: name what is imported"),
        ({"lib.shapes": b"import lib.later\n"}, "line 1: write `from lib.later import"),
        ({"lib.main": b"from lib.shapes import absent\n"}, "lib.main imports absent of lib.shapes"),
        ({"protocol.limits": LATE}, "LONGEST is not"),
        ({"lib.main": PROGRAM + b"\ndef f(also):\n    pass\n"}, "a function imports what has the same name"),
    ],
)  # fmt: skip
def test_what_cannot_be_joined_is_refused_with_its_line(change, what):
    with pytest.raises(BuildError, match="(?s).*" + what.replace("(", "\\(")):
        Bundle({**SOURCES, **change}, "lib.main")


@pytest.mark.parametrize("program", ["client", "bridge"])
def test_device_programs_are_joined_the_same_way_each_time(program):
    def made():
        if program == "client":
            return client_package.bundle()
        return firmware.bundle()

    assert made().source() == made().source()
    assert made().source().startswith("if not len: from sys import ") == (program == "client")
    assert len(made().joined) >= 10


def test_joined_client_is_what_a_program_in_micropython_imports(tmp_path, micropython64):
    """The exceptions that programs catch are those that the link raises; what is loaded when needed is not joined."""
    files = client_package.files()
    firmware.joined(tmp_path, files, client_package.bundle())
    code = (
        "import sys\n"
        "from pb_link.app_base import AppBase\n"
        "assert 'pb_link.link' not in sys.modules and 'pb_link.runner' not in sys.modules\n"
        "from pb_link.link import Link\n"
        "from protocol.errors import LinkDown\n"
        "assert issubclass(LinkDown, Exception) and LinkDown.__name__ == 'LinkDown'\n"
        "from pb_link import selftest, runner, settings, start, reasons, failures\n"
        "from i2c_devices.ports import TargetPort\n"
        "from i2c_devices.port_table import PORTS\n"
        "print(AppBase.write, TargetPort)\n"
    )
    shown = subprocess.check_output([micropython64, "-c", code], cwd=tmp_path, text=True)
    assert "TargetPort" in shown
