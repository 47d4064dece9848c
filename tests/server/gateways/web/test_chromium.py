"""The page in a real Chromium: what it shows, live, for whom, and what it makes of hostile texts."""

import asyncio
import base64
import itertools
import json
import os
import re
import time
from pathlib import Path

import pytest

from server.gateways.web import gateway, live
from server.gateways.web.recent import MAX_CLIENTS
from tests.patience import PATIENCE_S
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
  // So long that the error comes before the command's own end.
  for (const end = performance.now() + {1000 * (PATIENCE_S - 10)}; performance.now() < end; await sleep(10)) {{
    if (condition()) return;
  }}
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
BRIDGE = {
    "at": 1.79e9, "number": 7, "connections": 2, "free_bytes": 27664, "fallbacks": 0, "release": "0.2.0",
    "rssi_dbm": -64,
}  # fmt: skip


class Page:
    """A Tab with the helpers."""

    def __init__(self, tab):
        self._tab = tab

    async def run(self, script):
        return await self._tab.run(HELPERS + script)

    async def mouse(self, kind, x, y):
        """Have the mouse do what Input.dispatchMouseEvent of the DevTools protocol calls so, at this place."""
        held = {"button": "left", "buttons": 1, "clickCount": 1}
        await self._tab._browser.command("Input.dispatchMouseEvent", self._tab._session, type=kind, x=x, y=y, **held)

    async def picture(self, name, dark=False, width=1200, height=900):
        """Put a picture of the page into the folder of SCREENSHOTS, if there is one."""
        folder = os.environ.get(SCREENSHOTS)
        if not folder:
            return
        os.makedirs(folder, exist_ok=True)
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
    fleet.clients["garden-pump"].unread = 7
    fleet.clients["garden-pump"].row["bridge"] = BRIDGE
    now = time.time()
    for name, ago_s in (("garden-pump", 17000), ("hall-lamp", 260000)):
        fleet.clients[name].row["since"] = now - ago_s
    fleet.clients["roof-sensor"].row["left"] = now - 140


def test_overview_shows_states_live_and_makes_no_markup(chromium_program, tmp_path):
    async def test(found, page):
        begin(found.fleet)
        await page.run("await logIn('vic'); await shows('2 clients are connected, 1 away, 2 never here');")
        cells = "all('tbody tr')[1].querySelectorAll('.c-unread, .c-wifi, .c-heap, .c-release, .c-lines_per_s')"
        await page.run(f"await until(() => {cells}[0].textContent === '0', 'the rate');")
        found_cells = await page.run(f"return [...{cells}].map((cell) => cell.textContent);")
        assert found_cells == ["0", "7", "\u221264 dBm", "27.7 kB", "0.2.0"]
        await page.picture("overview")
        await page.picture("overview", dark=True)
        await page.picture("overview-phone", width=390, height=800)
        rows = "all('tbody tr').map(({ cells }) => cells[0].textContent + ': ' + cells[1].innerText.slice(2).trim())"
        assert await page.run(f"return {rows};") == [
            f"{HOSTILE}: never here", "garden-pump: connected", "hall-lamp: connected", "new-board: never here",
            "roof-sensor: away",
        ]  # fmt: skip
        await page.run("one('[data-sort=heap] button').click(); await first('garden-pump');")
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
            found.fleet.receive("garden-pump", b"temperature %d.5" % (20 + number))
        found.fleet.receive("garden-pump", HOSTILE.encode())
        await page.run("await shows('temperature 31.5'); await shows('onerror');")
        await page.run("fill(one('[name=line]'), 'valve open'); press('Send'); await shows('It is stored');")
        assert found.fleet.clients["garden-pump"].lines == ["valve open"]
        await page.run("await until(() => one('.lines [data-way=to] code')?.textContent === 'valve open', 'the line');")
        await page.picture("client")
        await page.picture("client", dark=True)
        await page.picture("client-phone", width=390, height=800)
        assert await page.run("return all('h2').map((head) => head.textContent).includes('Key');") is False
        await page.run("press('Pause');")
        found.fleet.receive("garden-pump", b"while paused")
        found.fleet.leave("garden-pump")
        await page.run("await until(() => one('[data-box=board]').dataset.is === 'bad', 'the outage');")
        await page.picture("client-away")
        assert not await page.run("return one('.lines').textContent.includes('while paused');")
        await page.run("press('Go on'); await shows('while paused');")
        shown = "all('.lines li').filter((item) => !item.hidden).length"
        assert await page.run(f"fill(one('.tools [type=search]'), 'TEMPERATURE 2'); return {shown};") == 10
        assert await page.run("return window.hacked ?? null;") is None

    in_chromium(chromium_program, tmp_path, busy_fleet(), test)


def test_map_says_in_words_what_is_wrong(chromium_program, tmp_path, monkeypatch):
    monkeypatch.setattr(gateway, "SAMPLE_S", 0.05)
    text = "children[1].textContent + ': ' + children[2].textContent"
    boxes = f"Object.fromEntries(all('.map li').map(({{ dataset, children }}) => [dataset.box, {text}]))"

    lines = itertools.count(0, 1000)

    async def test(found, page):
        begin(found.fleet)
        pump = found.fleet.clients["garden-pump"]
        pump.row["bridge"] = {**BRIDGE, "rssi_dbm": -84}
        pump.unread, pump.lines = 7, ["open"]
        await page.run("await go('#/client/garden-pump', 'It has not read 7 lines.'); await shows('1 line waits for');")
        shown = await page.run(f"return {boxes};")
        assert shown["application"] == "waits: It has not read 7 lines. 1 line waits for the client."
        assert shown["wifi"].startswith("weak: It carries them. Its signal is \u221284 dBm, and frames may be lost")
        assert {shown[name].partition(":")[0] for name in ("board", "bridge", "server")} == {"works"}
        await page.picture("client-wrong")
        await page.picture("client-wrong", dark=True)
        found.fleet.passed = lambda name: (next(lines), 0)  # so many that these are on their way
        await page.run("await until(() => one('[data-box=application]').dataset.is === 'good', 'lines on their way');")
        await page.run("await go('#/client/roof-sensor', 'ended: silent.');")
        shown = await page.run(f"return {boxes};")
        assert shown["board"] == "does not answer: Nothing has come from it. Why its connection ended: silent."
        assert shown["wifi"].startswith("not known") and shown["bridge"].startswith("not known")
        assert shown["application"] == "idle: Nothing waits for the client."
        await page.run("await go('#/client/new-board', 'It has not come yet.');")

    in_chromium(chromium_program, tmp_path, busy_fleet(), test, users=(), anonymous="view")


STRANGE = ["ü/ß 日本", "100 %2F%", "#/?&=+", "\\\"'", HOSTILE, "pump/history"]


def test_each_client_has_its_page_whatever_its_id(chromium_program, tmp_path):
    fleet = Fleet(*STRANGE)
    look = """
    const link = all("tbody a").find((one) => one.textContent === id);
    link.click();
    await until(() => one("h1").firstChild.textContent === id && one("h1 [data-state=away]"), "its page");
    await until(() => one("canvas"), "its charts");
    fill(one("[name=line]"), "to " + id); press("Send"); await shows("It is stored");
    await shows("ended: " + reason); await shows("Outages in this time");
    const parts = all(".parts a").map((one) => one.hash);
    for (const [at, text] of [[1, "The client is not connected"], [2, "Nothing yet"], [3, "No bus of this client"]])
      await go(parts[at], text);
    await until(() => one("h1").firstChild.textContent === id, "its name");
    await go("#/", "Find an id"); await until(() => all("tbody a").length, "the list");
    return window.hacked ?? null;
    """

    async def test(found, page):
        for name in STRANGE:
            found.fleet.connect(name)
            found.fleet.leave(name)
            found.fleet.tell("disconnected", name, peer="10.0.0.7:4711", reason=HOSTILE)
        await page.run("await logIn('sam'); await until(() => all('tbody a').length === 6, 'the list');")
        for name in STRANGE:
            assert await page.run(f"const id = {json.dumps(name)}, reason = {json.dumps(HOSTILE)}; {look}") is None
            assert found.fleet.clients[name].lines == ["to " + name]

    in_chromium(chromium_program, tmp_path, fleet, test)


def test_page_says_why_there_is_nothing_to_follow(chromium_program, tmp_path, monkeypatch):
    async def test(found, page):
        await page.run("await go('#/client/100%', 'there is no client');")
        assert await page.run("return one('h1').firstChild.textContent;") == "100%"
        await page.run("await go('#/', 'new-board'); await until(() => one('#trouble').hidden, 'the end of it');")
        monkeypatch.setattr(live, "MAX_VIEWERS", 0)
        await page.run("await go('#/log', 'pages look on already: close one');")
        monkeypatch.undo()
        await page.run("await shows('web_listening'); await until(() => one('#trouble').hidden, 'the end of it');")

    in_chromium(chromium_program, tmp_path, busy_fleet(), test, users=(), anonymous="view")


def test_lines_are_shown_once_if_the_stream_begins_anew_while_they_are_paused(chromium_program, tmp_path):
    hide_and_show = """
    const look = (hidden) => {
      Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
    };
    look(true); look(false);
    """
    shown = "all('.lines li').map((item) => item.querySelector('code').textContent)"

    async def test(found, page):
        begin(found.fleet)
        found.fleet.receive("garden-pump", b"one", b"two")
        await page.run("await go('#/client/garden-pump', 'Where the line stands'); await shows('two'); press('Pause');")
        await page.run(hide_and_show)
        found.fleet.receive("garden-pump", b"three")
        found.fleet.leave("garden-pump")
        await page.run("await until(() => one('[data-box=board]').dataset.is === 'bad', 'the outage');")
        assert await page.run(f"return {shown};") == ["one", "two"]
        await page.run("press('Go on'); await shows('three');")
        assert await page.run(f"return {shown};") == ["one", "two", "three"]

    in_chromium(chromium_program, tmp_path, busy_fleet(), test, users=(), anonymous="view")


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
        await page.picture("key", dark=True)
        await page.picture("key-phone", width=390, height=800)
        await page.run("press('I have copied it'); await gone('dialog');")
        assert not await page.run("return document.body.textContent.includes('abab');")
        assert found.fleet.keys == [("rotate", "garden-pump")]

    in_chromium(chromium_program, tmp_path, busy_fleet(), test)


def test_log_help_login_and_what_ends_a_session(chromium_program, tmp_path):
    async def test(found, page):
        await page.run("await there('form.login');")
        await page.picture("login-phone", width=390, height=800)
        await page.picture("login", dark=True)
        wrong = "fill(one('[name=user]'), 'vic'); fill(one('[name=password]'), 'wrong'); press('Log in');"
        await page.run(wrong + "await shows('no such user');")
        await page.run("await logIn('vic'); await go('#/log', 'web_login_failed');")
        found.log("refused", reason="a proof that is wrong", peer="10.0.0.9:1")
        found.log("connected", HOSTILE, peer="10.0.0.7:2")
        await page.run("await shows('a proof that is wrong'); await shows('onerror');")
        await page.picture("log")
        await page.picture("log", dark=True)
        await page.picture("log-phone", width=390, height=800)
        await page.run("await go('#/help', 'What the states mean');")
        await page.picture("help", height=1500)
        await page.picture("help", dark=True, height=1500)
        await page.picture("help-phone", width=390, height=2200)
        await page.run("await go('#/', 'never here');")
        found.file.remove("vic")
        await page.run("await there('form.login');")
        assert await page.run("return window.hacked ?? null;") is None

    in_chromium(chromium_program, tmp_path, Fleet("garden-pump"), test, prefix="/desk")


def test_five_thousand_clients_are_listed_a_page_at_a_time(chromium_program, tmp_path, report_line):
    fleet = Fleet(*(f"client-{number:04}" for number in range(5000)))
    for client in fleet.clients.values():
        client.row.update(connected=True, since=1.79e9, connections=1, peer="10.0.0.7:4711", bridge=BRIDGE)

    async def test(found, page):
        browser = page._tab._browser
        before = await processes(browser)
        page = Page(await browser.page("http://%s:%d/" % found.gateway.address, of_another=True))
        await page.run("await shows('1–50 of 5,000');")
        painted = "performance.getEntriesByName('first-contentful-paint')[0]"
        paint_ms = await page.run(f"await until(() => {painted}, 'a paint'); return {painted}.startTime;")
        first, first_shared = memory(await processes(browser) - before)
        for number in range(1, 21):
            await page.run(f"all('.pager button')[1].click(); await shows('{50 * number + 1:,}–');")
        assert await page.run("return all('tbody tr').length;") == 50
        await page.run("one('[data-sort=id] button').click(); await first('client-4999');")
        await page.run("one('[data-sort=heap] button').click(); await first('client-0000');")
        await browser.command("HeapProfiler.collectGarbage", page._tab._session)
        used, shared = memory(await processes(browser) - before)
        for name in list(fleet.clients)[:MAX_CLIENTS]:
            fleet.leave(name)
        await page.run("await shows('4,500 clients are connected, 500 away');")
        report_line(
            f"web page: 5,000 clients, first painted after {paint_ms:.0f} ms; its process has {first:.0f} MB "
            f"({first_shared:.0f} with its share of the browser's), {used:.0f} ({shared:.0f}) after 22 more pages"
        )
        assert max(first, used) < 60

    async def processes(browser):
        found = (await browser.command("SystemInfo.getProcessInfo"))["processInfo"]
        return {one["id"] for one in found if one["type"] == "renderer"}

    def memory(made):
        """Returns (MB that the page's process has for itself, and with its part of what all share)."""
        found = []
        for process in made:
            text = Path(f"/proc/{process}/smaps_rollup").read_text()
            kib = {name: int(size) for name, size in re.findall(r"^(\w+): +(\d+) kB", text, re.MULTILINE)}
            found.append(((kib["Private_Clean"] + kib["Private_Dirty"]) * 1024e-6, kib["Pss"] * 1024e-6))
        return max(found)  # another one is for the next page, and shows nothing

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
        found.fleet.receive("garden-pump", b"hello")
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
