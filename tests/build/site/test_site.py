"""The site, made as `make docs` makes it: whole, of nothing from elsewhere, and refused if a link is broken."""

import ast
import fcntl
import os
import re
import shutil
import subprocess
import sys

import pytest

from build.tools.cache import ROOT

LIMIT_S = 280  # making it takes seconds; a machine that is ten times as slow is allowed for
# Stubs whose public names the reference has: (stub, the names' prefix there).
REFERENCE = (
    ("pb_link/app_base.pyi", "pb_link.app_base"),
    ("pb_link/i2c_service.pyi", "pb_link.i2c_service"),
    ("pb_link/selftest.pyi", "pb_link.selftest"),
    ("sensor_bus/service.pyi", "sensor_bus.service"),
)


def sphinx(source, target):
    words = [sys.executable, "-m", "sphinx", "--fail-on-warning", "--keep-going", "--quiet", source, target]
    return subprocess.run([*map(str, words)], cwd=ROOT, capture_output=True, text=True, timeout=LIMIT_S)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of the site, which is made once for all processes of a run."""
    base = tmp_path_factory.getbasetemp()
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    with open(base / "site.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (base / "site.made").exists():
            done = sphinx(ROOT / "docs", base / "site")
            assert done.returncode == 0, done.stderr
            (base / "site.made").touch()
    return base / "site"


@pytest.fixture(scope="module")
def names(site):
    """The names that the reference has."""
    text = "".join(page.read_text() for page in (site / "api").iterdir())
    return set(re.findall(r'<dt class="sig[^>]*id="([\w.]+)"', text))


def test_pages_ask_nobody_else(site):
    loads = re.compile(r"<(?:script|img|iframe|source|link)\b[^>]*(?:src|href)=\"([^\"]+)")
    found = {address for page in site.rglob("*.html") for address in loads.findall(page.read_text())}
    assert found and not [address for address in found if re.match(r"(?:https?:)?//", address)]
    styles = "".join(page.read_text() for page in site.rglob("*.css"))
    assert not re.findall(r"(?:@import|url\()\s*[\"']?(?:https?:)?//", styles)


def test_every_page_can_be_found_by_its_words(site):
    index = (site / "searchindex.js").read_text()
    pages = {page.stem for page in (ROOT / "docs").glob("*.md")}
    assert pages <= set(re.search(r'"?docnames"?:\[([^]]*)\]', index)[1].replace('"', "").split(","))


def test_named_page_is_a_link(site):
    text = (site / "client.html").read_text()
    assert re.search(r'<a class="reference internal" href="channels.html"><[^>]*>docs/channels.md', text)


@pytest.mark.parametrize(("stub", "module"), REFERENCE)
def test_reference_has_the_public_names(names, stub, module):
    wanted = set()
    for one in ast.parse((ROOT / stub).read_text()).body:
        if isinstance(one, (ast.ClassDef, ast.FunctionDef)) and not one.name.startswith("_"):
            wanted.add(f"{module}.{one.name}")
            inner = one.body if isinstance(one, ast.ClassDef) else ()
            methods = [part.name for part in inner if isinstance(part, (ast.FunctionDef, ast.AsyncFunctionDef))]
            wanted |= {f"{module}.{one.name}.{name}" for name in methods if not name.startswith("_")}
    assert wanted and wanted <= names, wanted - names


def test_reference_has_what_the_server_exports(names):
    text = (ROOT / "pb_link" / "server.py").read_text()
    exported = ast.literal_eval(re.search(r"__all__ = (\[.*?\])", text, re.DOTALL)[1])
    last = {name.rpartition(".")[2] for name in names if name.startswith(("pb_link.server.", "protocol."))}
    assert {"run", "Connection", "StoreError"} <= set(exported) <= last


def test_reference_has_what_a_connection_has(names):
    tree = ast.parse((ROOT / "server" / "__init__.pyi").read_text())
    (stub,) = (one for one in tree.body if isinstance(one, ast.ClassDef) and one.name == "Connection")
    methods = [part.name for part in stub.body if isinstance(part, (ast.FunctionDef, ast.AsyncFunctionDef))]
    wanted = {f"pb_link.server.Connection.{name}" for name in methods if not name.startswith("_")}
    assert wanted - {"pb_link.server.Connection.close_all"} <= names, wanted - names  # it has no description there


def test_reference_has_nothing_that_no_user_calls(names):
    assert "pb_link.server.Connection.write" in names and "pb_link.server.Connection.admit_reader" not in names
    assert not [name for name in names if name.startswith("pb_link.app_base.AppBase._")]


def test_signature_is_the_stubs(site):
    text = re.sub(r"<[^>]+>", "", (site / "api" / "client.html").read_text())
    assert "write(line: str, qos: bool = True, wait: bool = True)" in text


@pytest.mark.parametrize("text", ["[gone](gone.md)", "`docs/gone.md`"])
def test_broken_link_fails(tmp_path, text):
    source = tmp_path / "docs"
    source.mkdir()
    shutil.copy(ROOT / "docs" / "conf.py", source)
    here = "Path(__file__).resolve().parent.parent"
    (source / "conf.py").write_text((source / "conf.py").read_text().replace(here, f"Path({str(ROOT)!r})"))
    (source / "index.md").write_text(f"# Site\n\nSee {text}.\n")
    done = sphinx(source, tmp_path / "site")
    assert done.returncode != 0 and "gone" in done.stderr
