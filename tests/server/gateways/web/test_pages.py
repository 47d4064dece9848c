"""The page's files: all there is, served to everybody, of bounded size, and asking for nothing from elsewhere."""

import gzip
import re

from server.gateways.web.pages import FOLDER
from tests.server.gateways.web.bed import served_test

MAX_BYTES = 60_000  # of all files; the whole page may cost 150 KB over the wire
MARKUP = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|srcdoc"
FILES = sorted(FOLDER.iterdir())


def test_each_file_is_served_and_kept_by_its_tag(tmp_path):
    async def test(found):
        browser = found.browser()
        for path in FILES:
            where = "/" if path.name == "index.html" else f"/page/{path.name}"
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
    data = [path.read_bytes() for path in FILES]
    assert sum(map(len, data)) <= MAX_BYTES
    packed = sum(len(gzip.compress(one)) for one in data)
    report_line(f"web page: {sum(map(len, data))} bytes in {len(data)} files, {packed} if a proxy packs them")
