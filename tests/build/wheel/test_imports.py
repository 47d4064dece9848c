"""How the wheel's build rewrites imports, and that it leaves no top-level name of the project in any source."""

import ast

import pytest

from build.wheel import contents
from build.wheel.imports import rewritten
from tests.build.imports import ROOT

MODULES = {"server", "server.listener", "protocol", "protocol.frame"}


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ("from protocol.frame import DATA\n", "from pb_link.protocol.frame import DATA\n"),
        ("from protocol import (\n    frame,\n)\n", "from pb_link.protocol import (\n    frame,\n)\n"),
        ("import server\n", "from pb_link import server\n"),
        ("import server  # why\n", "from pb_link import server  # why\n"),
        ("    import server\n".strip(), "from pb_link import server"),
        ("import server.listener\n", "import pb_link.server.listener; from pb_link import server\n"),
        ("import server.listener as one\n", "import pb_link.server.listener as one\n"),
        ("import_module('server.listener')\n", "import_module('pb_link.server.listener')\n"),
        ("é = 1; import server\n", "é = 1; from pb_link import server\n"),
    ],
)
def test_import_of_ours_goes_below_pb_link(source, wanted):
    assert rewritten(source, MODULES) == wanted


@pytest.mark.parametrize(
    "source",
    [
        "from pb_link.link import Link\n",
        "import json, os\n",
        "from . import protocol\n",
        "from serverless import x\n",
        "name = 'server'\n",
        "name = f'server.listener{x}'\n",
        '"""About protocol.frame and server."""\n',
        "server.run()\n",
    ],
)
def test_everything_else_stays_as_it_is(source):
    assert rewritten(source, MODULES) == source


def test_import_that_is_not_understood_is_named_with_its_line():
    with pytest.raises(ValueError, match="x.py, line 2: one module a line"):
        rewritten("\nimport server, json\n", MODULES, "x.py")


def test_name_of_a_module_that_an_f_string_makes_is_refused():
    with pytest.raises(ValueError, match="x.py, line 1: write names of modules whole"):
        rewritten("import_module(f'server.{name}')\n", MODULES, "x.py")


def test_no_source_of_the_wheel_imports_a_name_outside_of_pb_link(tmp_path):
    contents.write(ROOT, tmp_path)
    files = [path for path in sorted(tmp_path.rglob("*")) if path.suffix in contents.SOURCES]
    assert len(files) > 100 and {".py", ".pyi"} == {path.suffix for path in files}
    assert {path.relative_to(tmp_path).parts[0] for path in files} == {"pb_link"}
    for path in files:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module]
            assert not {name.partition(".")[0] for name in names} & set(contents.PACKAGES), path
