"""The charts of a client in a real Chromium: what they show, live, in light and dark, and their tables."""

import asyncio
import math
import random
import time

from server.gateways.web.recorder import Recorder
from tests.server.gateways.web.bed import Fleet
from tests.server.gateways.web.test_chromium import in_chromium
from tests.server.gateways.web.test_recorder import trip

DAY_S = 24 * 3600
# Helpers of the scripts: what the table of a chart has.
TABLES = """
const chart = (name) => one(`[data-chart=${name}]`);
const cells = (row) => [...row.cells].map((one) => one.textContent);
const rows = (name) => [...chart(name).querySelectorAll(".values tbody tr")].map(cells);
const open = async (name) => {
  chart(name).querySelector("button").click();
  await until(() => rows(name).length, name);
};
const drawn = () => until(() => one("canvas"), "a chart");
"""


def measured_day(fleet, client_id="garden-pump", step_s=10):
    """Have the day before now measured: outages at a few hours, more lines by day than by night."""
    now = {"at": float(int(time.time()) - DAY_S)}
    one = Recorder(fleet, fleet, 1 << 30, print, lambda: now["at"])
    fleet.subscribers.append(one.note)
    dice, client = random.Random(20), fleet.clients[client_id]
    fleet.tell("connected", client_id, peer="before")
    for second in range(0, DAY_S, step_s):
        away = second % 21600 in range(15000, 15000 + 600 + second // 60)
        if second % 21600 == 15000:
            fleet.tell("disconnected", client_id, peer="before", reason="nothing came for 1500 ms")
        if not away:
            if one._clients[client_id].up is None:
                fleet.tell("connected", client_id, peer="before")
            lines = dice.randrange(1, 12) + int(20 * (1 + math.sin(second / 9000)))
            fleet.tell("received", client_id, lines=[b"x"] * lines)
            fleet.tell("acknowledged", client_id, count=dice.randrange(3))
            trip(client, dice.randrange(35, 60), dice.randrange(60, 140))
        if second in (7200, 50000):
            fleet.tell("new_life", client_id, lives=2)
        if second in (40000, 70000):
            fleet.tell("connected", client_id, peer="before")
        if second in (0, 30000, 60000):
            fleet.tell("bridge_report", client_id, number=second % 60000)
        client.waiting_lines = 40 if away else dice.randrange(3)
        for _ in range(step_s):
            now["at"] += 1.0
            for over in one.look():
                one._end_minute(over, one._now // 60_000)
    one.close()
    fleet.subscribers.remove(one.note)


def test_last_day_is_drawn_and_is_in_tables_and_can_be_zoomed(chromium_program, tmp_path):
    fleet = Fleet("garden-pump", "valve")
    measured_day(fleet)

    async def test(found, page):
        found.fleet.connect("garden-pump")
        await page.run(TABLES + "await go('#/client/garden-pump', 'What it did'); await drawn();")
        await page.run("await shows('nothing came for 1500 ms');")
        await page.picture("history", height=1900)
        await page.picture("history", dark=True, height=1900)
        await page.picture("history-phone", width=390, height=2600)
        assert await page.run("return all('canvas').length;") == 5
        whole = await page.run(TABLES + "await open('connected'); return rows('connected');")
        breaks = await page.run(TABLES + "await open('breaks'); return rows('breaks');")
        assert [sum(int(row[at]) for row in breaks if row[at] != "–") for at in (1, 2, 3, 4)] == [4, 2, 1, 2]
        shares = [row[1] for row in whole]
        assert "0 %" in shares and shares.count("100 %") > 300
        lines = await page.run(TABLES + "await open('lines'); return rows('lines').map((row) => row[1]);")
        assert max(float(text.removesuffix("/s")) for text in lines if text.endswith("/s")) > 2
        await page.picture("history-tables", height=2600)
        labels = await page.run("return all('.chart').map((one) => one.getAttribute('aria-label'));")
        assert all("The highest value is" in text for text in labels)
        await page.run("one('[data-span=hour]').click(); await shows('Each point is 9 s');")
        assert await page.run("return one('[data-span=hour]').getAttribute('aria-pressed');") == "true"
        await page.run("press('Zoom in'); await shows('Each point is 5 s'); press('Earlier');")
        await page.run("await until(() => !one('.range').textContent.includes('to now'), 'an end that is not now');")
        assert await page.run("return all('[aria-pressed=true][data-span]').length;") == 0
        await page.run("one('[data-span=year]').click(); await shows('Each point is 22 h');")
        await page.run("await until(() => one('.u-over'), 'a chart'); one('.u-over').scrollIntoView();")
        await page.run("await sleep(200);")  # the place of the chart is looked at once it has come to rest
        where = "const box = one('.u-over').getBoundingClientRect(); return [box.left + box.width / 2, box.top + 20];"
        x, y = await page.run(where)
        for kind, at in (("mouseMoved", x), ("mousePressed", x), ("mouseMoved", x + 60), ("mouseReleased", x + 60)):
            await page.mouse(kind, at, y)
        await page.run("await until(() => !document.body.innerText.includes('point is 22 h'), 'what was marked');")

    in_chromium(chromium_program, tmp_path, fleet, test, users=(), anonymous="view")


def test_last_points_grow_with_the_stream(chromium_program, tmp_path):
    async def test(found, page):
        found.fleet.connect("garden-pump")
        await page.run(TABLES + "await go('#/client/garden-pump', 'What it did'); await drawn(); await open('lines');")
        found.fleet.clients["garden-pump"].row["lines_received"] += 500
        found.fleet.receive("garden-pump", b"x")
        drawn = "const plot = () => [chart('lines').querySelector('canvas').toDataURL(), rows('lines')[0].join()]; "
        before = await page.run(TABLES + drawn + "return plot();")
        for _ in range(3):
            found.fleet.clients["garden-pump"].row["lines_received"] += 500
            found.fleet.receive("garden-pump", b"x")
            await asyncio.sleep(0.5)
        wait = f"const before = {before!r}; await until(() => plot().every((one, at) => one !== before[at]), 'growth');"
        await page.run(TABLES + drawn + wait)

    in_chromium(chromium_program, tmp_path, Fleet("garden-pump"), test, users=(), anonymous="view")


def test_table_that_is_opened_before_a_rate_is_known_gets_its_row(chromium_program, tmp_path):
    """Of the first question there is nothing to show yet, and there is no second one."""
    stubbed = """
    const real = window.fetch;
    let asked = 0;
    window.fetch = async (...given) => {
      if (!String(given[0]).includes("/history?")) return real(...given);
      if (asked++) return new Promise(() => {});
      const found = await (await real(...given)).json();
      found.points.known_s[found.points.known_s.length - 1] = 0;
      return new Response(JSON.stringify(found), { headers: { "Content-Type": "application/json" } });
    };
    await go("#/client/garden-pump", "What it did"); await drawn(); await open("lines");
    """

    async def test(found, page):
        found.fleet.connect("garden-pump")
        await page.run(TABLES + stubbed)

    in_chromium(chromium_program, tmp_path, Fleet("garden-pump"), test, users=(), anonymous="view")


def test_points_that_grow_count_each_line_once(chromium_program, tmp_path):
    """The server's points come once: then all that is counted comes by the stream."""
    close = """
    await go("#/client/garden-pump", "What it did"); await drawn();
    one("[data-span=hour]").click();
    for (let count = 0; count < 4; count++) press("Zoom in");
    await shows("Each point is 1 s");
    const real = window.fetch;
    window.fetch = (...given) => String(given[0]).includes("/history?") ? new Promise(() => {}) : real(...given);
    """

    async def test(found, page):
        await page.run(TABLES + close)
        for _ in range(20):
            found.fleet.connect("garden-pump")
            found.fleet.leave("garden-pump")
            await asyncio.sleep(0.2)
        await page.run("await until(() => one('[data-fact=outages] dd').textContent === '20', 'all outages');")
        counted = "return rows('breaks').map((row) => Number(row[1])).reduce((one, other) => one + other);"
        assert await page.run(TABLES + "await open('breaks');" + counted) == 20

    in_chromium(chromium_program, tmp_path, Fleet("garden-pump"), test, users=(), anonymous="view")


def test_charts_come_also_if_what_draws_them_did_not_at_first(chromium_program, tmp_path):
    fails_once = """
    const real = document.head.append;
    document.head.append = (...given) => {
      document.head.append = real;
      given.find((one) => one.src).src = "page/vendor/none.js";
      document.head.append(...given);
    };
    await go("#/client/garden-pump", "what draws the charts did not come");
    """

    async def test(found, page):
        await page.run(TABLES + fails_once + "one('[data-span=hour]').click(); await drawn();")
        assert await page.run("return all('head link[href*=uPlot]').length;") == 1

    in_chromium(chromium_program, tmp_path, Fleet("garden-pump"), test, users=(), anonymous="view")


def test_question_that_fails_late_does_not_cover_a_newer_answer(chromium_program, tmp_path):
    first_fails_late = """
    const real = window.fetch;
    window.fetch = async (...given) => {
      if (!String(given[0]).includes("/history?")) return real(...given);
      window.fetch = real;
      window.asked = true;
      await until(() => window.free, "the end");
      window.failed = true;
      throw new Error("late");
    };
    await go("#/client/garden-pump", "What it did");
    await until(() => window.asked, "the question");
    one("[data-span=hour]").click();
    await shows("Each point is 9 s");
    window.free = true;
    await until(() => window.failed, "the failure");
    await sleep(50);
    return one(".history [role=status]").hidden;
    """

    async def test(found, page):
        assert await page.run(first_fails_late)

    in_chromium(chromium_program, tmp_path, Fleet("garden-pump"), test, users=(), anonymous="view")


def test_page_says_that_nothing_is_measured(chromium_program, tmp_path):
    async def test(found, page):
        await page.run("await go('#/client/garden-pump', 'history = false');")
        assert await page.run("return all('canvas').length;") == 0

    in_chromium(chromium_program, tmp_path, Fleet("garden-pump"), test, users=(), anonymous="view", history=False)
