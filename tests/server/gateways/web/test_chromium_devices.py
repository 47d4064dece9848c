"""What a client's devices are on the page, in a real Chromium: sensors, the console, I2C."""

import time

from tests.server.gateways.web.bed import Fleet
from tests.server.gateways.web.test_chromium import HOSTILE, in_chromium
from tests.server.peer import until


def two_devices(request):
    return {"bus": 1, "devs": [[0x18, "MCP9808", 1], [0x276, None, 1]]}


def test_sensors_with_units_a_course_and_what_has_no_type(chromium_program, tmp_path):
    fleet = Fleet("garden-pump")

    async def test(found, page):
        pump = fleet.clients["garden-pump"]
        await page.run("await go('#/client/garden-pump/sensors', 'The client is not connected here');")
        pump.sensor_peer.commands.answer = two_devices
        fleet.connect("garden-pump")
        for number in range(12):
            raw = 0x0150 + (number * 7) % 31
            pump.sensor_peer.send_samples([(number * 5000, raw.to_bytes(2, "big"))], time.time())
            await page.run(f"await shows('{raw / 16:.6g} °C');")
        await page.run("await shows('2 devices on the bus'); await shows('No type is known for it');")
        assert await page.run("return one('.sensors tbody th').firstChild.textContent;") == "1_18"
        assert await page.run("return one('.sensors td.number').textContent.includes('°C');")
        points = await page.run("return one('.sparkline polyline').getAttribute('points').split(' ').length;")
        assert 2 <= points <= 12
        await page.picture("sensors")
        await page.picture("sensors", dark=True)
        await page.picture("sensors-phone", width=390, height=800)
        fleet.leave("garden-pump")
        await page.run("await shows('The client is not connected here');")
        await page.run("await go('#/client/garden-pump', 'Where the line stands');")
        assert await page.run("return one('.parts [aria-current]').textContent;") == "Overview"
        assert await page.run("return document.title;") == "garden-pump – Overview – pb_link"
        await page.run("await go('#/help', 'What the states mean');")
        assert await page.run("return document.title;") == "Help – pb_link"

    in_chromium(chromium_program, tmp_path, fleet, test, users=(), anonymous="view")


def test_administrator_has_the_sensor_bus_pause_and_sees_why_it_cannot(chromium_program, tmp_path):
    fleet = Fleet("pump")

    async def test(found, page):
        pump = fleet.clients["pump"]
        fleet.connect("pump")
        await page.run("await logIn('ann'); await go('#/client/pump/sensors', 'The bus');")
        await page.run("press('Pause'); await shows('polls no more until');")
        assert {"cmd": "pause"} in pump.commands
        pump.sensor_peer.commands.answer = lambda request: {"error": "not_allowed", "text": "commands are off"}
        await page.run("press('Scan all addresses'); await shows('It failed: commands are off');")

    in_chromium(chromium_program, tmp_path, fleet, test)


def test_console_with_hostile_output_and_a_prompt_for_administrators(chromium_program, tmp_path):
    fleet = Fleet("garden-pump")

    async def test(found, page):
        fleet.connect("garden-pump")
        await page.run("await logIn('ann'); await go('#/client/garden-pump/console', 'Nothing yet');")
        await page.run("await shows('has sent nothing to its console');")
        for number in range(8):
            fleet.print("garden-pump", f"measurement {number}: 21.{number} degrees\n")
        fleet.print("garden-pump", 'Traceback (most recent call last):\n  File "main.py", line 12, in measure\n')
        fleet.print("garden-pump", "OSError: [Errno 19] ENODEV\n\x1b[31m" + HOSTILE + "\n>>> ")
        await page.run("await shows('ENODEV');")
        await page.run("await until(() => one('.begun code').textContent === '>>> ', 'the prompt');")
        assert await page.run("return one('.lines').textContent.includes('\\\\x1b[31m<img src=x');")
        await page.picture("console")
        await page.picture("console", dark=True)
        await page.picture("console-phone", width=390, height=800)
        await page.run("fill(one('[name=input]'), '6 * 7'); press('Enter');")
        pump = fleet.clients["garden-pump"]
        await until(lambda: pump.typed == [b"6 * 7\r"], "the input")
        await page.run("press('Ctrl-C');")
        await until(lambda: pump.typed[1:] == [b"\x03"], "Ctrl-C")
        recalled = "one('[name=input]').dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowUp' }));"
        assert await page.run(recalled + "return one('[name=input]').value;") == "6 * 7"
        await page.run("one('[aria-pressed]').click();")
        fleet.print("garden-pump", "42\n")
        fleet.leave("garden-pump")
        await page.run("press('Enter'); await shows('is not connected');")
        assert not await page.run("return all('.lines code').some((code) => code.textContent.includes('42'));")
        await page.run("one('[aria-pressed]').click(); await shows('>>> 42');")
        fleet.repl.clear()
        await page.run("await shows('does not allow the REPL'); await until(() => one('form.send').hidden, 'its end');")
        assert await page.run("return window.hacked ?? null;") is None

    in_chromium(chromium_program, tmp_path, fleet, test)


def test_console_without_a_prompt_for_who_may_only_look_on(chromium_program, tmp_path):
    fleet = Fleet("garden-pump")

    async def test(found, page):
        fleet.print("garden-pump", "hello\n>>> ")
        await page.run("await logIn('sam'); await go('#/client/garden-pump/console', 'hello');")
        assert await page.run("return one('[name=input]');") is None

    in_chromium(chromium_program, tmp_path, fleet, test)


def test_bus_is_scanned_and_used(chromium_program, tmp_path):
    fleet = Fleet("pump", "garden-pump")

    async def test(found, page):
        await page.run("await logIn('sam'); await go('#/i2c', '18 addresses may be used');")
        assert fleet.fake_bus.log == []
        await page.run("press('Scan'); await shows('2 of 18 addresses answer');")
        assert await page.run("return all('.found').map((cell) => cell.textContent);") == ["18", "50"]
        await page.run("one('.found button').click();")
        await page.run("fill(one('[name=write]'), '00'); fill(one('[name=read]'), '2'); press('Transfer');")
        await page.run("await shows('0x18  wrote 00  read 01 50');")
        await page.run("fill(one('[name=address]'), '0x31'); press('Transfer'); await shows('ENXIO: no device');")
        await page.picture("i2c")
        await page.picture("i2c", dark=True)
        await page.picture("i2c-phone", width=390, height=800)
        await page.run("await go('#/client/pump/i2c', '1 address may be used');")
        assert await page.run("return all('option').map((one) => one.textContent);") == ["mast (of pump)"]
        await page.run("await go('#/client/garden-pump/i2c', 'No bus of this client may be used here');")

    in_chromium(chromium_program, tmp_path, fleet, test, i2c=["desk", "mast"])


def test_answer_that_comes_late_is_not_shown_on_another_page(chromium_program, tmp_path):
    hold = """
    const real = window.fetch;
    window.fetch = async (...given) => {
      const answer = await real(...given);
      if (String(given[0]).endsWith("/api/i2c")) { await until(() => window.free, "the end"); window.answered = true; }
      return answer;
    };
    await go("#/i2c", "Asking for the buses");
    await go("#/help", "What the states mean");
    window.free = true;
    await until(() => window.answered, "the answer");
    await sleep(50);
    return all(".tools, .addresses").length;
    """

    async def test(found, page):
        await page.run("await logIn('sam');")
        assert await page.run(hold) == 0

    in_chromium(chromium_program, tmp_path, Fleet("pump"), test)


def test_bus_is_only_seen_by_who_may_only_look_on(chromium_program, tmp_path):
    async def test(found, page):
        await page.run("await go('#/i2c', 'Your role does not allow');")
        assert not await page.run("return all('button').some((one) => one.textContent === 'Scan');")

    in_chromium(chromium_program, tmp_path, Fleet("pump"), test, users=(), anonymous="view")
