"""The page for those who use it by keyboard, by a screen reader, in the dark or without motion."""

import time

import pytest

from tests.server.gateways.web.bed import Fleet
from tests.server.gateways.web.test_chromium import HOSTILE, begin, busy_fleet, in_chromium

# Each page with its address, a text that it shows, and what is done there first.
PAGES = {
    "clients": ("#/", "2 clients are connected", ""),
    "client": ("#/client/garden-pump", "Where the line stands", "await shows('hello');"),
    "away": ("#/client/roof-sensor", "Nothing has come from it", ""),
    "sensors": ("#/client/garden-pump/sensors", "1 device on the bus", "await shows('MCP9808');"),
    "console": ("#/client/garden-pump/console", "Type for its prompt", "await there('.begun code');"),
    "i2c": ("#/i2c", "addresses may be used", "press('Scan'); await shows('2 of 18');"),
    "i2c of a client": ("#/client/garden-pump/i2c", "No bus of this client", ""),
    "log": ("#/log", "web_listening", ""),
    "help": ("#/help", "What the states mean", ""),
    "key": ("#/client/garden-pump", "Rotate", "press('Rotate'); await there('dialog');"),
}
AXE = """
const found = await axe.run(document, { resultTypes: ["violations"] });
return found.violations.map((one) => [one.id, one.help, ...one.nodes.map((node) => node.html.slice(0, 200))]);
"""


def lively_fleet(found):
    """Have something to see on each page."""
    begin(found.fleet)
    pump = found.fleet.clients["garden-pump"]
    found.fleet.receive("garden-pump", b"hello")
    found.fleet.print("garden-pump", "Traceback (most recent call last):\n" + HOSTILE + "\n>>> ")
    pump.sensor_peer.send_samples([(1, b"\x01\x50")], time.time())


async def command(page, method, **params):
    tab = page._tab
    return await tab._browser.command(method, tab._session, **params)


async def prefer(page, **features):
    """Have the browser say what its user prefers."""
    found = [{"name": f"prefers-{name.replace('_', '-')}", "value": value} for name, value in features.items()]
    await command(page, "Emulation.setEmulatedMedia", features=found)


async def show(page, name):
    address, text, script = PAGES[name]
    await page.run("await go('#/help', 'What the numbers mean');")
    await page.run(f"await go('{address}', '{text}'); {script}")


@pytest.fixture
def axe(npm_modules):
    return (npm_modules / "axe-core" / "axe.min.js").read_text(encoding="utf-8")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_any_page(chromium_program, tmp_path, axe, scheme):
    async def test(found, page):
        lively_fleet(found)
        await prefer(page, color_scheme=scheme)
        await command(page, "Runtime.evaluate", expression=axe)
        wrong = {"login": await page.run("await there('form.login');" + AXE)}
        await page.run("await logIn('ann');")
        for name in PAGES:
            await show(page, name)
            wrong[name] = await page.run(AXE)
        assert {name: faults for name, faults in wrong.items() if faults} == {}

    in_chromium(chromium_program, tmp_path, busy_fleet(), test)


def test_axe_would_find_what_is_wrong(chromium_program, tmp_path, axe):
    async def test(found, page):
        await command(page, "Runtime.evaluate", expression=axe)
        await page.run("await logIn('ann'); await shows('Find an id');")
        await page.run("one('[type=search]').closest('label').before(one('[type=search]'));")
        await page.run("one('h1').style.color = one('body').style.background = '#777';")
        assert {fault[0] for fault in await page.run(AXE)} >= {"label", "color-contrast"}

    in_chromium(chromium_program, tmp_path, Fleet("pump"), test)


def test_all_that_can_be_used_is_reached_by_the_tab_key_and_seen(chromium_program, tmp_path):
    script = "a[href], button, input, select, [tabindex='0']"
    wanted = f"""
    const usable = all("{script}").filter((one) => one.checkVisibility() && !one.disabled);
    usable.forEach((one, at) => {{ one.dataset.place = at; }});
    document.activeElement.blur();
    return usable.length;
    """
    focused = """
    const focus = document.activeElement;
    const style = getComputedStyle(focus);
    return [Number(focus.dataset?.place ?? -1), style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2];
    """

    async def test(found, page):
        lively_fleet(found)
        await page.run("await logIn('ann');")
        for name in PAGES:
            await show(page, name)
            count = await page.run("await sleep(100);" + wanted)
            if name == "key":  # a dialog keeps the focus
                count = await page.run("return all('dialog button').length;")
            reached = set()
            for _ in range(count + 5):
                key = {"key": "Tab", "code": "Tab", "windowsVirtualKeyCode": 9}
                await command(page, "Input.dispatchKeyEvent", type="keyDown", **key)
                await command(page, "Input.dispatchKeyEvent", type="keyUp", **key)
                place, is_seen = await page.run(focused)
                if place >= 0:
                    reached.add(place)
                    assert is_seen, (name, place)
            assert len(reached) == count, (name, count, sorted(reached))

    in_chromium(chromium_program, tmp_path, busy_fleet(), test)


def test_nothing_moves_for_who_wants_no_motion(chromium_program, tmp_path):
    moving = """
    return all("*").filter((element) => {
      const { animationName, transitionDuration, scrollBehavior } = getComputedStyle(element);
      return animationName !== "none" || parseFloat(transitionDuration) > 0 || scrollBehavior === "smooth";
    }).map((element) => element.className);
    """

    async def test(found, page):
        lively_fleet(found)
        await page.run("await logIn('ann');")
        await prefer(page, reduced_motion="no-preference")
        await show(page, "client")
        assert "lines" in await page.run(moving)
        await prefer(page, reduced_motion="reduce")
        for name in PAGES:
            await show(page, name)
            assert await page.run(moving) == [], name

    in_chromium(chromium_program, tmp_path, busy_fleet(), test)
