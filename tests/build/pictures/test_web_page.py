"""docs/web-page.png is small, and shown; what takes it waits for the page, and says why there is none."""

import asyncio
import io
import sys

import pytest
from PIL import Image

from build.pictures import web_page
from build.tools.cache import ROOT
from build.tools.shell import BuildError
from tests.patience import PATIENCE_S
from tests.remote_i2c.web.conftest import chromium_program  # noqa: F401
from tests.remote_i2c.web.javascript import served

MOST_BYTES = 120_000
PAGE = """<!doctype html><style>
body { background: #c00 }
@media (prefers-color-scheme: dark) { body { background: #000 } }
</style>
<ol class="lines"></ol><button>Last hour</button><button>Zoom in</button>
<canvas></canvas><canvas></canvas><canvas></canvas>
<canvas></canvas><script>
for (let number = 0; number < 12; number++) document.querySelector(".lines").append(document.createElement("li"));
</script>"""
DEMO = """
import sys, time
print("noise\\nthe web page: " + sys.argv[1] + "\\nfault * bridge-kill", flush=True)
time.sleep(600)
"""


def test_photograph_is_small_and_shown():
    data = web_page.FILE.read_bytes()
    image = Image.open(io.BytesIO(data))
    assert image.format == "PNG" and image.mode == "P" and image.size == (web_page.WIDTH, web_page.HEIGHT)
    assert len(data) <= MOST_BYTES
    assert "](web-page.png)" in (ROOT / "docs" / "web.md").read_text()


def test_palette_keeps_the_colours_of_a_picture():
    picture = Image.new("RGBA", (40, 10), (200, 0, 0, 255))
    picture.paste((0, 0, 200, 255), (20, 0, 40, 10))
    data = io.BytesIO()
    picture.save(data, "PNG")
    small = Image.open(io.BytesIO(web_page.compact(data.getvalue()))).convert("RGB")
    assert small.getpixel((5, 5)) == (200, 0, 0) and small.getpixel((35, 5)) == (0, 0, 200)


def test_page_is_photographed_in_light_when_it_is_filled(chromium_program, tmp_path, monkeypatch):  # noqa: F811
    (tmp_path / "index.html").write_text(PAGE)
    monkeypatch.setattr(web_page, "RECOVERY_S", 0)
    with served(tmp_path) as origin:
        command = (sys.executable, "-c", DEMO, origin + "/")
        taking = web_page.photograph(chromium_program, 1, command)
        data = asyncio.run(asyncio.wait_for(taking, 2 * PATIENCE_S))
    image = Image.open(io.BytesIO(data))
    assert image.size == (web_page.WIDTH, web_page.HEIGHT)
    assert image.convert("RGB").getpixel((900, 900)) == (0xCC, 0, 0)


def test_demo_that_ends_is_told_with_its_last_lines():
    with pytest.raises(BuildError, match="(?s)has ended:.*no port"):
        asyncio.run(web_page.photograph("chromium", 1, (sys.executable, "-c", "print('no port')")))
