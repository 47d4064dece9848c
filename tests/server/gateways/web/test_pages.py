"""The page's files: all there is, served to everybody, of bounded size, and asking for nothing from elsewhere."""

import gzip
import hashlib
import re

from server.gateways.web.pages import FOLDER, page_files
from tests.server.gateways.web.bed import served_test

MAX_BYTES = 150_000  # of all files, over the wire, as they are served
# uPlot 1.6.32, from `npm pack uplot@1.6.32`.
VENDOR = {
    "uPlot.LICENSE": "8f989229699b4fe2f1a0432d0e9edc338a8a911e250e2d1b01ecd770a5f5b1bd",
    "uPlot.iife.min.js": "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f",
    "uPlot.min.css": "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04",
}
MARKUP = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|srcdoc"
FILES = sorted(path for path in FOLDER.iterdir() if path.is_file())  # ours


def test_each_file_is_served_and_kept_by_its_tag(tmp_path):
    async def test(found):
        browser = found.browser()
        assert {path for _, path in page_files()} >= {*FILES, FOLDER / "vendor" / "uPlot.iife.min.js"}
        for where, path in page_files():
            # A link on a page of others leads here.
            answer = await browser.get(where, sec_fetch_site="cross-site")
            assert answer.status == 200 and answer.body == path.read_bytes(), path.name
            again = await browser.get(where, if_none_match=answer.headers["etag"])
            assert again.status == 304 and again.body == b""
        assert (await browser.get("/page/../settings.py")).status == 404
        assert (await browser.get("/page/%2e%2e%2fsettings.py")).status == 404
        assert (await browser.post("/")).status == 405

    served_test(tmp_path, test)


def test_nothing_comes_from_elsewhere():
    for path in FILES:
        assert not re.search(r"""["'(](https?:)?//\w""", path.read_text(encoding="utf-8")), path.name


def test_files_of_others_are_what_they_published_and_make_no_markup():
    found = {path.name: path for path in (FOLDER / "vendor").iterdir()}
    assert {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in found.items()} == VENDOR
    assert not re.search(MARKUP, found["uPlot.iife.min.js"].read_text(encoding="utf-8"))
    assert "url(" not in found["uPlot.min.css"].read_text(encoding="utf-8")
    assert "MIT" in found["uPlot.LICENSE"].read_text(encoding="utf-8")


def test_nothing_makes_markup_of_texts_or_runs_them():
    for path in FILES:
        text = path.read_text(encoding="utf-8")
        assert not re.search(MARKUP, text), path.name
    assert not re.search(r"<script>|\son\w+=|style=", (FOLDER / "index.html").read_text(encoding="utf-8"))


def test_texts_are_in_one_module():
    """Words that a user reads are in texts.js alone: no other module has a text with a space and a capital letter."""
    for path in FILES:
        if path.suffix == ".js" and path.name != "texts.js":
            code = re.sub(r"//.*", "", path.read_text(encoding="utf-8"))
            assert not re.findall(r'"[A-Z][a-z]+ [a-z ]+"', code), path.name


def test_the_page_is_small(report_line):
    data = [path.read_bytes() for _, path in page_files()]
    assert sum(map(len, data)) <= MAX_BYTES
    packed = sum(len(gzip.compress(one)) for one in data)
    report_line(f"web page: {sum(map(len, data))} bytes in {len(data)} files, {packed} if a proxy packs them")
