"""What documents name exists: files, links, sections, tests; and README has the speed that was measured."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = (
    "build|docs|esp_link|examples|firmware|i2c_devices|pb_link|primitives|protocol|remote_i2c|sensor_bus|server|sim|tests"
)
QUOTED_PATH = re.compile(rf"`((?:{FOLDERS})/[\w/.-]+\.\w+)`")
LINK = re.compile(r"\]\(([^()\s#]+)(#[\w-]+)?\)|(?:src|srcset)=\"([^\"]+)\"")
# `docs/operations.md`, "Install": a section of a document, by its heading or the words that it begins with in bold.
SECTION = re.compile(r'`((?:docs/[\w-]+|README|CONTRIBUTING)\.md)`(?:\]\([^)]*\))?,\s+"([^"]+)"')
NUMBERED = re.compile(r"`(docs/[\w-]+\.md)`(?:\]\([^)]*\))?,?\s+section\s+(\d+)")
TITLE = re.compile(r"^#+ (.+?)\s*$|^\*\*(.+?)\.?\*\*", re.MULTILINE)
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


def broken_links(text, folder):
    """Returns the targets of links and pictures in a document that are no file, seen from its folder."""
    targets = [plain or quoted for plain, _, quoted in LINK.findall(text)]
    return [target for target in targets if not re.match(r"https?:", target) and not (folder / target).exists()]


def test_links_lead_to_files():
    documents = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]
    found = {
        document.name: broken
        for document in documents
        if (broken := broken_links(document.read_text(encoding="utf-8"), document.parent))
    }
    assert not found


def test_broken_links_are_found(tmp_path):
    (tmp_path / "here.md").touch()
    text = '[a](here.md#part) [b](gone.md) <img src="gone.svg"> [c](https://example.org/x) ![d](here.md)'
    assert broken_links(text, tmp_path) == ["gone.md", "gone.svg"]


def sections(text):
    """Returns the titles of the sections of a document, and of those with a number in front also the number."""
    titles = {heading or bold for heading, bold in TITLE.findall(text)}
    return titles | {title.partition(".")[0].partition(" ")[0] for title in titles}


def missing_sections(text, root):
    """Returns the sections that a document names, of any document, and that are not there."""
    named = [(path, " ".join(title.split())) for path, title in SECTION.findall(text)] + NUMBERED.findall(text)
    return [f"{path}, {title}" for path, title in named if title not in sections((root / path).read_text("utf-8"))]


def test_sections_that_documents_name_are_there():
    documents = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]
    texts = {document.name: document.read_text(encoding="utf-8") for document in documents}
    assert any(SECTION.findall(text) for text in texts.values()) and any(map(NUMBERED.findall, texts.values()))
    assert {name: gone for name, text in texts.items() if (gone := missing_sections(text, ROOT))} == {}


def test_sections_that_are_not_there_are_found(tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").write_text("# A\n\n## 2. Two words\n\n**Bold.** Text.\n")
    there = '`docs/a.md`,\n"Bold", [`docs/a.md`](a.md), "2. Two\nwords", `docs/a.md` section 2; '
    text = there + '`docs/a.md`, "C", `docs/a.md`, section 3.'
    assert missing_sections(text, tmp_path) == ["docs/a.md, C", "docs/a.md, 3"]


def test_speed_in_readme_is_that_of_the_measurements():
    """KB/s: shares of what 400 kHz carries at 9 clocks a byte, from the first table of the measurements."""
    measured = (ROOT / "docs" / "measurements.md").read_text()
    row = re.search(r"^\| lines of 180 bytes, one way \|(.*)\|$", measured, re.MULTILINE)[1]
    free, _, calculated = (f"{float(share) * 400 / 9:.0f} KB/s" for share in row.split("|"))
    text = (ROOT / "README.md").read_text()
    assert f"{calculated} calculated" in text and f"{free} if computing" in text
    assert f"| {calculated}, calculated |" in text
    assert f"| {calculated}, calculated |" in (ROOT / "docs" / "compare.md").read_text()


def test_names_of_nothing_are_found(tmp_path):
    (tmp_path / "sim").mkdir()
    (tmp_path / "sim" / "wire.py").touch()
    text = "`sim/wire.py`, `sim/gone.py` and `own/file.py`; `test_here`, `test_gone`."
    assert missing(text, tmp_path, {"test_here"}) == ["sim/gone.py", "test_gone"]
