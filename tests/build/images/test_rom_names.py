"""rom_names.py: names that every firmware has."""

import ast
import re
from pathlib import Path

from build.images import rom_names
from build.images.rom_names import ASKED, MORE, STATIC, identifiers, unused
from build.install import client_package

SOURCE = """
from lib.copy import index as find

def count(items, *step):
    return items.split(end=find)
"""


def test_names_are_in_each_firmware(micropython_source):
    source = (Path(micropython_source) / "py" / "makeqstrdata.py").read_text()
    listed = ast.literal_eval(re.search(r"^static_qstr_list = (\[.*?^\])", source, re.MULTILINE | re.DOTALL)[1])
    assert len(STATIC) > 100 and set(STATIC) <= set(listed)
    assert {name for name in listed if name.isidentifier() and not name.startswith("_")} - set(STATIC) <= ASKED | {
        "NoneType", "builtins", "const", "micropython", "self"
    }  # fmt: skip


def test_more_names_are_those_of_modules_that_each_firmware_has(micropython_source):
    texts = [(Path(micropython_source) / "py" / f"mod{name}.c").read_text() for name in ("gc", "sys", "struct")]
    texts.append((Path(micropython_source) / "py" / "modmicropython.c").read_text())
    found = set(re.findall(r"MP_QSTR_(\w+)", "".join(texts)))
    assert len(MORE) > 20 and set(MORE) <= found and not set(MORE) & (ASKED | set(STATIC))


def test_names_that_micropython_asks_objects_for_are_left_out(micropython_source):
    asked = set()
    for path in (Path(micropython_source) / "py").glob("*.c"):
        asked |= set(re.findall(r"mp_load_method(?:_maybe)?\([^;]*?MP_QSTR_(\w+)", path.read_text()))
    asked |= set(re.findall(r"mp_load_method_maybe\([^;]*?MP_QSTR_(\w+)", _asyncio(micropython_source)))
    assert {"close", "throw", "keys", "remove"} <= asked
    assert not {name for name in asked if not name.startswith("__")} & set(STATIC)


def _asyncio(source):
    return (Path(source) / "extmod" / "modasyncio.c").read_text()


def test_free_names_are_those_that_no_source_has():
    found = {"lib", "copy", "index", "find", "count", "items", "step", "split", "end"}
    assert identifiers([ast.parse(SOURCE)]) == found
    free, others = unused([ast.parse(SOURCE)])
    assert not found & set(free) and set(others) == found - {"lib"}
    assert free.index("sort") < free.index("len") and "len" not in others


def test_joined_client_has_no_short_name_of_its_own_while_the_firmware_has_one():
    bundle = client_package.bundle()
    assert len(set(bundle.short.attributes.values()) & set(STATIC)) > 30
    assert not [name for name in bundle.short.attributes.values() if name.startswith("_")]
    assert not set(bundle.short.attributes.values()) & rom_names.ASKED
