"""The page in a real Chromium: what it shows, live, for whom, and what it makes of hostile texts."""

import asyncio
import base64
import os
import time
from pathlib import Path

import pytest

from server.gateways.web.recent import MAX_CLIENTS
from tests.remote_i2c.web.javascript import Chromium
from tests.server.gateways.web.bed import PASSWORD, Fleet, served
from tests.server.peer import until

SCREENSHOTS = "PB_LINK_SCREENSHOTS"  # environment variable: the folder in which pictures of the pages are put
HOSTILE = '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>'

# Helpers of the scripts: the page's elements by what they show.
HELPERS = f"""
const all = (selector) => [...document.querySelectorAll(selector)];
const one = (selector) => document.querySelector(selector);
const until = async (condition, what) => {{
  for (let count = 0; count < 6000; count++) {{ if (condition()) return; await sleep(10); }}
  throw new Error(what + " did not come; the page shows: " + document.body.innerText);
}};
const shows = (text) => until(() => document.body.innerText.includes(text), text);
const fill = (element, text) => {{
  element.value = text;
  element.dispatchEvent(new Event("input", {{ bubbles: true }}));
}};
const press = (text) => all("button").find((one) => one.textContent === text).click();
const first = (text) => until(() => one("tbody th").textContent === text, text + " as the first row");
const gone = (selector) => until(() => !one(selector), "the end of " + selector);
const there = (selector) => until(() => one(selector), selector);
const go = async (hash, text) => {{ location.hash = hash; await shows(text); }};
const logIn = async (name) => {{
  await until(() => one("form.login"), "the login");
  fill(one("[name=user]"), name); fill(one("[name=password]"), "{PASSWORD}");
  one("form.login").requestSubmit();
  await until(() => one("nav"), "the page behind it");
}};
"""


class Page:
    """A Tab with the helpers."""

    def __init__(self, tab):
        self._tab = tab

    async def run(self, script):
        return await self._tab.run(HELPERS + script)

    async def picture(self, name, dark=False, width=1200, height=900):
        """Put a picture of the page into the folder of SCREENSHOTS, if there is one."""
        folder = os.environ.get(SCREENSHOTS)
        if not folder:
            return
        command = lambda method, **params: self._tab._browser.command(method, self._tab._session, **params)
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        await command("Emulation.setEmulatedMedia", features=scheme)
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        await command("Emulation.setDeviceMetricsOverride", **size)
        await self._tab.run("scrollTo(0, 0); await sleep(50);")
        data = (await command("Page.captureScreenshot", format="png"))["data"]
        Path(folder, f"{name}{'-dark' if dark else ''}.png").write_bytes(base64.b64decode(data))


def in_chromium(program, folder, fleet, test, **settings):
    """Run `await test(found, page)` with the page of a server of this fleet."""

    async def run():
        async with served(folder, fleet, **settings) as found, Chromium.started(program) as browser:
            base = "http://%s:%d" % found.gateway.address
            await test(found, Page(await browser.page(base + settings.get("prefix", "") + "/")))

    asyncio.run(run())


def busy_fleet():
    fleet = Fleet("garden-pump", "hall-lamp", "new-board", "roof-sensor", HOSTILE)
    for name in ("garden-pump", "hall-lamp", "roof-sensor"):
        row = fleet.clients[name].row
        row.update(lines_acknowledged=1234, round_trips=10, round_trip_s=0.4, longest_round_trip_s=0.2)
    return fleet


def begin(fleet):
    """Bring the clients to their states; the gateway must listen already."""
    for name in ("garden-pump", "hall-lamp", "roof-sensor"):
        fleet.connect(name)
    fleet.leave("roof-sensor")
    now = time.time()
    for name, ago_s in (("garden-pump", 17000), ("hall-lamp", 260000)):
        fleet.clients[name].row["since"] = now - ago_s
    fleet.clients["roof-sensor"].row["left"] = now - 140


def test_overview_shows_states_live_and_makes_no_markup(chromium_program, tmp_path):
    async def test(found, page):
        begin(found.fleet)
        await page.run("await logIn('vic'); await shows('2 clients are connected, 1 away, 2 never here');")
        await page.picture("overview")
        await page.picture("overview", dark=True)
        await page.picture("overview-phone", width=390, height=800)
        rows = "all('tbody tr').map(({ cells }) => cells[0].textContent + ': ' + cells[1].innerText.slice(2).trim())"
        assert await page.run(f"return {rows};") == [
            f"{HOSTILE}: never here", "garden-pump: connected", "hall-lamp: connected", "new-board: never here",
            "roof-sensor: away",
        ]  # fmt: skip
        found.fleet.leave("garden-pump")
        await page.run("await shows('1 client is connected, 2 away');")
        found.fleet.connect("garden-pump")
        await page.run("await shows('2 clients are connected, 1 away');")
        await page.run("one('[data-sort=state] button').click(); await first('garden-pump');")
        sorts = "return all('thead th').map((head) => head.getAttribute('aria-sort')).filter(Boolean);"
        assert await page.run(sorts) == ["ascending"]
        await page.run("fill(one('[type=search]'), 'ROOF'); await shows('1–1 of 1');")
        assert await page.run("return window.hacked ?? null;") is None

    in_chromium(chromium_program, tmp_path, busy_fleet(), test)


def test_client_with_lines_sent_and_received_paused_and_found(chromium_program, tmp_path):
    async def test(found, page):
        begin(found.fleet)
        await page.run("await logIn('sam'); await go('#/client/garden-pump', 'Where the line stands');")
        for number in range(12):
            found.fleet.receive("garden-pump", b"temperature %d.5\n" % (20 + number))
        found.fleet.receive("garden-pump", HOSTILE.encode())
        await page.run("await shows('temperature 31.5'); await shows('onerror');")
        await page.run("fill(one('[name=line]'), 'valve open'); press('Send'); await shows('It is stored');")
        assert found.fleet.clients["garden-pump"].lines == ["valve open"]
        await page.run("await until(() => one('.lines [data-way=to] code')?.textContent === 'valve open', 'the line');")
        await page.picture("client")
        await page.picture("client", dark=True)
        await page.picture("client-phone", width=390, height=800)
        assert await page.run("return all('h2').map((head) => head.textContent).includes('Key');") is False
        await page.run("one('[aria-pressed]').click();")
        found.fleet.receive("garden-pump", b"while paused\n")
        found.fleet.leave("garden-pump")
        await page.run("await until(() => one('[data-box=board]').dataset.is === 'bad', 'the outage');")
        await page.picture("client-away")
        assert not await page.run("return one('.lines').textContent.includes('while paused');")
        await page.run("one('[aria-pressed]').click(); await shows('while paused');")
        shown = "all('.lines li').filter((item) => !item.hidden).length"
        assert await page.run(f"fill(one('.tools [type=search]'), 'TEMPERATURE 2'); return {shown};") == 10
        assert await page.run("return window.hacked ?? null;") is None

    in_chromium(chromium_program, tmp_path, busy_fleet(), test)


def test_administrator_rotates_a_key_that_is_shown_once(chromium_program, tmp_path):
    async def test(found, page):
        begin(found.fleet)
        await page.run("await logIn('ann'); await go('#/client/garden-pump', 'Rotate');")
        await page.run("press('Rotate'); await shows('Make a new key?');")
        await page.run("press('Cancel'); await gone('dialog');")
        assert found.fleet.keys == []
        await page.run("press('Rotate'); await shows('Make a new key?');")
        await page.run("one('dialog .danger').click(); await there('.key');")
        assert await page.run("return one('.key').textContent;") == "ab" * 32
        await page.picture("key")
        await page.run("press('I have copied it'); await gone('dialog');")
        assert not await page.run("return document.body.textContent.includes('abab');")
        assert found.fleet.keys == [("rotate", "garden-pump")]

    in_chromium(chromium_program, tmp_path, busy_fleet(), test)


def test_log_help_login_and_what_ends_a_session(chromium_program, tmp_path):
    async def test(found, page):
        await page.run("await there('form.login');")
        await page.picture("login", dark=True)
        wrong = "fill(one('[name=user]'), 'vic'); fill(one('[name=password]'), 'wrong'); press('Log in');"
        await page.run(wrong + "await shows('no such user');")
        await page.run("await logIn('vic'); await go('#/log', 'web_login_failed');")
        found.log("refused", reason="a proof that is wrong", peer="10.0.0.9:1")
        found.log("connected", HOSTILE, peer="10.0.0.7:2")
        await page.run("await shows('a proof that is wrong'); await shows('onerror');")
        await page.picture("log")
        await page.picture("log", dark=True)
        await page.run("await go('#/help', 'What the states mean');")
        await page.picture("help")
        await page.run("await go('#/', 'never here');")
        found.file.remove("vic")
        await page.run("await there('form.login');")
        assert await page.run("return window.hacked ?? null;") is None

    in_chromium(chromium_program, tmp_path, Fleet("garden-pump"), test, prefix="/desk")


def test_five_thousand_clients_are_listed_a_page_at_a_time(chromium_program, tmp_path, report_line):
    fleet = Fleet(*(f"client-{number:04}" for number in range(5000)))

    async def test(found, page):
        began = time.perf_counter()
        await page.run("await shows('1–50 of 5,000');")
        took_s = time.perf_counter() - began
        await page.run("all('.pager button')[1].click(); await shows('51–100 of 5,000');")
        assert await page.run("return all('tbody tr').length;") == 50
        await page.run("one('[data-sort=id] button').click(); await first('client-4999');")
        used = await page.run("return performance.memory.usedJSHeapSize;")
        for name in list(fleet.clients)[:MAX_CLIENTS]:
            fleet.connect(name)
        await page.run("await shows('500 clients are connected');")
        report_line(f"web page: 5,000 clients, shown {took_s * 1000:.0f} ms after its files, {used / 1e6:.1f} MB of JS")
        assert used < 60e6

    in_chromium(chromium_program, tmp_path, fleet, test, users=(), anonymous="view")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_have_enough_contrast(chromium_program, tmp_path, scheme):
    """4.5 to 1 (WCAG 2.2, 1.4.3), of each text against what is behind it."""
    script = """
    const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
    const parts = (color) => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1);
      return canvas.getImageData(0, 0, 1, 1).data; };
    const light = (color) => { const [r, g, b] = [...parts(color)].map((value) => { const part = value / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4; });
      return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
    const behind = (element) => { const color = getComputedStyle(element).backgroundColor;
      return parts(color)[3] === 0 && element.parentElement ? behind(element.parentElement) : color; };
    const bad = [];
    for (const element of all("body *")) {
      const texts = [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.textContent.trim());
      if (!texts || !element.checkVisibility() || element.disabled) continue;
      const [a, b] = [light(getComputedStyle(element).color), light(behind(element))];
      const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
      if (contrast < 4.5) bad.push(element.textContent.slice(0, 30) + " " + contrast.toFixed(2));
    }
    return bad;
    """

    async def test(found, page):
        begin(found.fleet)
        found.fleet.receive("garden-pump", b"hello\n")
        tab = page._tab
        await tab._browser.command(
            "Emulation.setEmulatedMedia", tab._session, features=[{"name": "prefers-color-scheme", "value": scheme}]
        )
        await page.run("await shows('2 clients are connected');")
        assert await page.run(script) == []
        others = ("#/client/roof-sensor", "Nothing has come from it"), ("#/help", "What the"), ("#/log", "web_")
        for hash, text in others:
            await page.run(f"await go('{hash}', '{text}');")
            assert await page.run(script) == [], hash

    in_chromium(chromium_program, tmp_path, busy_fleet(), test, users=(), anonymous="administer")


def test_page_that_is_closed_or_hidden_is_no_viewer(chromium_program, tmp_path):
    async def test(found, page):
        await page.run("await shows('garden-pump');")
        assert found.gateway.live.viewers == 1
        await page.run("await go('#/help', 'What the states mean');")
        await until(lambda: found.gateway.live.viewers == 0, "the end of the stream")

    in_chromium(chromium_program, tmp_path, Fleet("garden-pump"), test, users=(), anonymous="view")
