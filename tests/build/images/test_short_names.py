"""Private names are shortened, and two that may meet in one object stay two."""

import ast
import itertools
import re
from pathlib import Path

from build.images import firmware
from build.images.short_names import TAKEN, ShortNames, numbered
from build.install import client_package, sensor_package

SOURCE = """
class Base:
    _limit = 1
    def __init__(self):
        self._first = self._second = 0
    def _step(self):
        pass
class Derived(Base):
    def _own(self):
        self._third = self.public = self.__class__
class Alone:
    def __init__(self, queue):
        self._other = self._named = self.write = 0
        queue._io_queue = getattr(self, "_named")
def function(first, longer, third=3, *, exact=False):
    return first + longer + a
function(1, 2, third=4)
"""


def short(kept=(), joined=("lib.one",)):
    return ShortNames({"lib.one": ast.parse(SOURCE)}, kept, joined)


def test_names_of_one_object_stay_different():
    names = short().attributes
    family = ["_limit", "_first", "_second", "_step", "_own", "_third"]
    assert len({names[name] for name in family}) == len(family)
    assert names["_other"] in {names[name] for name in family}  # of another class: shared


def test_names_of_others_and_names_in_texts_stay():
    assert not {"_io_queue", "_named", "write", "__init__", "__class__"} & set(short().attributes)


def test_words_of_docstrings_are_no_names_in_texts():
    source = SOURCE.replace("    _limit = 1\n", '    """The _limit, and the _first step."""\n    _limit = 1\n')
    assert source != SOURCE
    assert {"_limit", "_first"} <= set(ShortNames({"lib.one": ast.parse(source)}, (), ("lib.one",)).attributes)


def test_methods_that_nobody_asks_for_are_idle_unless_users_or_other_classes_may_ask():
    assert short().idle_methods() == {("lib.one", "Base", "_step")}  # `_own` is one of a class with a base
    assert not short(kept=("lib.one",)).idle_methods() and not short(joined=()).idle_methods()
    asked = ast.parse(SOURCE + "Derived()._step()\n")
    assert not ShortNames({"lib.one": asked}, (), ("lib.one",)).idle_methods()
    named = ast.parse(SOURCE + "getattr(Base(), '_step')\n")
    assert not ShortNames({"lib.one": named}, (), ("lib.one",)).idle_methods()


def test_public_names_of_modules_that_are_not_joined_stay():
    assert "public" in short().attributes and "public" not in short(joined=()).attributes


def test_no_object_of_micropython_has_a_name_that_is_shortened(micropython_source):
    theirs = set()
    source = Path(micropython_source)
    for path in source.rglob("*.[ch]"):
        theirs.update(re.findall(r"MP_QSTR_(\w+)", path.read_text(errors="replace")))
    for path in (source / "extmod" / "asyncio").glob("*.py"):
        theirs |= {node.attr for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Attribute)}
    for bundle in (client_package.bundle(), firmware.bundle(), sensor_package.bundle()):
        public = {name for name in bundle.short.attributes if not name.startswith("_")}
        assert len(public) > 10 and theirs & public == set()
    assert TAKEN <= theirs


def test_names_of_modules_that_users_see_stay():
    assert short({"lib.one"}).attributes == {}


def test_arguments_are_short_unless_a_call_names_them():
    node = next(node for node in ast.walk(ast.parse(SOURCE)) if getattr(node, "name", "") == "function")
    found = short().arguments("lib.one", node)
    assert set(found) == {"first", "longer", "exact"} and len(set(found.values())) == 3
    assert "a" not in found.values()  # which the function uses as another name
    assert short({"lib.one"}).arguments("lib.one", node) == {}


def test_names_are_numbered_by_letters():
    names = list(itertools.islice(numbered("_"), 28))
    assert names[:2] + names[-3:] == ["_a", "_b", "_z", "_aa", "_ab"]
