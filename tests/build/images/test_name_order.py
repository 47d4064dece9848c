"""The names that are used most come first in the table of names of a joined module."""

import subprocess

from build.images import name_order

MANY = 300
BODY = (
    "".join(f"def f{i}(x):\n    x.attribute{i}, x.attribute{i}\n" for i in range(MANY))
    + "def g(x):\n    local = 1\n"
    + "    x.most, local, local\n" * 200
)


def names(source):
    return name_order.never_executed(source).removeprefix("if not len: from sys import ").split(", ")


def test_names_are_ordered_by_their_use_and_bounded():
    found = names(BODY)
    assert found[:2] == ["x", "most"] and len(found) == name_order.FIRST
    assert "local" not in found


def test_module_without_names_needs_no_such_line():
    assert name_order.never_executed("a = 1\n") == ""


def test_line_is_not_executed_and_saves_memory(tmp_path, micropython32, mpy_cross):
    free = {}
    for name, source in {"plain": BODY, "ordered": name_order.never_executed(BODY) + "\n" + BODY}.items():
        (tmp_path / f"{name}.py_").write_text(source)
        subprocess.run([mpy_cross, "-s", f"{name}.py", "-o", f"{name}.mpy", f"{name}.py_"], cwd=tmp_path, check=True)
        code = f"import gc\nimport {name}\ngc.collect(); print(gc.mem_free())"
        free[name] = int(subprocess.check_output([micropython32, "-c", code], cwd=tmp_path, text=True))
    assert free["ordered"] > free["plain"]
