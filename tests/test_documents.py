"""Each file of the project and each test that a document names exists."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = (
    "build|docs|esp_link|examples|firmware|i2c_devices|pb_link|primitives|protocol|remote_i2c|sensor_bus|server|sim|tests"
)
QUOTED_PATH = re.compile(rf"`((?:{FOLDERS})/[\w/.-]+\.\w+)`")
QUOTED_TEST = re.compile(r"`(test_\w+)`")


def missing(text, root, tests):
    """Returns what stands between backquotes and does not exist. tests: the names of all test functions."""
    paths = [path for path in QUOTED_PATH.findall(text) if not (root / path).exists()]
    return paths + [name for name in QUOTED_TEST.findall(text) if name not in tests]


def test_files_and_tests_that_documents_name_exist():
    sources = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("*.py"))
    tests = set(re.findall(r"def (test_\w+)", sources))
    documents = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]
    found = [
        f"{document.name}: {name}"
        for document in documents
        for name in missing(document.read_text(encoding="utf-8"), ROOT, tests)
    ]
    assert not found, "\n" + "\n".join(found)


def test_names_of_nothing_are_found(tmp_path):
    (tmp_path / "sim").mkdir()
    (tmp_path / "sim" / "wire.py").touch()
    text = "`sim/wire.py`, `sim/gone.py` and `own/file.py`; `test_here`, `test_gone`."
    assert missing(text, tmp_path, {"test_here"}) == ["sim/gone.py", "test_gone"]
