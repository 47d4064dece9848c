"""The photograph of the web page in docs/: `make demo-web` as a browser shows it, after some of its faults.

It needs Chromium, and the libraries of the page and of its tests, which .venv has.
"""

import asyncio
import base64
import io
import re
import shutil
import sys

from PIL import Image

from build.tools.cache import ROOT
from build.tools.shell import BuildError
from tests.remote_i2c.web.javascript import Chromium

FILE = ROOT / "docs" / "web-page.png"
COMMAND = (sys.executable, "-m", "sim", "demo", "--web", "--plain")
PAGE = "#/client/demo"
WIDTH, HEIGHT = 1280, 1500  # px
COLOURS = 128  # of the palette
FAULTS = 8  # of the demo, before the photograph
START_S, FAULT_S, RECOVERY_S = 120, 120, 4
_READY = """
const until = async (condition) => { while (!condition()) await sleep(20); };
await until(() => document.querySelectorAll(".lines li").length > 9);
await until(() => document.querySelectorAll("canvas").length > 3);
const press = async (text) => {
  [...document.querySelectorAll("button")].find((one) => one.textContent === text).click();
  await sleep(1000);
};
await press("Last hour");
for (let span = 3600; span > 120; span /= 2) await press("Zoom in");
scrollTo(0, 0);
"""


async def photograph(program, faults=FAULTS, command=COMMAND):
    """Returns the page as a PNG with a palette (bytes). Args: program: Chromium; faults: that are waited for.

    Raises: BuildError if the demo ends, or TimeoutError if it takes too long.
    """
    demo = await asyncio.create_subprocess_exec(
        *command, cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        async with asyncio.timeout(START_S):
            address = re.search(r"http://\S+", await _line_with(demo, "the web page: "))[0]
        for _ in range(faults):
            async with asyncio.timeout(FAULT_S):
                await _line_with(demo, "fault * ")
        await asyncio.sleep(RECOVERY_S if faults else 0)
        async with Chromium.started(program) as browser:
            return compact(await _shot(browser, address + PAGE))
    finally:
        if demo.returncode is None:
            demo.terminate()
        await demo.communicate()


async def _line_with(process, text):
    """Returns the next line of its output that has the text."""
    lines = []
    while line := (await process.stdout.readline()).decode(errors="replace"):
        if text in line:
            return line
        lines.append(line)
    raise BuildError("the demo has ended:\n" + "".join(lines[-10:]))


async def _shot(browser, address):
    target = (await browser.command("Target.createTarget", url="about:blank"))["targetId"]
    session = (await browser.command("Target.attachToTarget", targetId=target, flatten=True))["sessionId"]
    size = {"width": WIDTH, "height": HEIGHT, "deviceScaleFactor": 1, "mobile": False}
    await browser.command("Emulation.setDeviceMetricsOverride", session, **size)
    await browser.command("Emulation.setScrollbarsHidden", session, hidden=True)
    light = [{"name": "prefers-color-scheme", "value": "light"}]
    await browser.command("Emulation.setEmulatedMedia", session, features=light)
    await browser.command("Page.navigate", session, url=address)
    ready = f"(async () => {{ const sleep = (ms) => new Promise((done) => setTimeout(done, ms)); {_READY} }})()"
    await browser.command("Runtime.evaluate", session, expression=ready, awaitPromise=True)
    return base64.b64decode((await browser.command("Page.captureScreenshot", session, format="png"))["data"])


def compact(png, colours=COLOURS):
    """Returns a PNG with a palette, without the alpha channel."""
    image = Image.open(io.BytesIO(png)).convert("RGB")
    small = io.BytesIO()
    image.quantize(colours, dither=Image.Dither.NONE).save(small, "PNG", optimize=True)
    return small.getvalue()


def keep(path=FILE):
    """Takes the photograph, and writes it. Raises: BuildError."""
    program = shutil.which("chromium")
    if program is None:
        raise BuildError("the web page is photographed by Chromium: apt-get install chromium")
    path.write_bytes(asyncio.run(photograph(program)))
    print(f"wrote  {path.relative_to(ROOT)}")
