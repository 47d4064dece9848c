"""web_i2c.js in a real Chromium: drivers that nobody here wrote, as they are, and CHIRIMEN's polyfill as it is."""

import asyncio
import contextlib
import shutil
import subprocess

import pytest

from remote_i2c.shared import SharedBus
from tests.patience import PATIENCE_S
from tests.remote_i2c.web.doors import TOKEN, base_of, fake_bus, opened_door
from tests.remote_i2c.web.javascript import PATIENT, Chromium
from tests.remote_i2c.web.relay import Relay
from tests.remote_i2c.web.simulated_bus import SimulatedBus
from tests.server.peer import until

ALL = range(0x08, 0x78)
# Of polyfill.js: it can be asked for nowhere else.
POLYFILL_PORT = 33330


def in_chromium(program, site, script, bus, addresses=ALL, **options):
    """Returns what the script returns, on a page of the site that has loaded web_i2c.js from a door."""

    async def run():
        shared = bus if isinstance(bus, dict) else {"1": SharedBus(bus, addresses)}
        async with opened_door(shared, origins=[site], **options) as door, Chromium.started(program) as browser:
            page = await browser.page(site + "/index.html")
            values = f"const DOOR = {base_of(door)!r}, TOKEN = {options.get('token', '')!r};\n"
            load = f'await load(DOOR + "/web_i2c.js"); WebI2C.configure({PATIENT});'
            return await page.run(values + load + script)

    return asyncio.run(run())


def test_sht30_reads_what_the_script_says(chromium_program, site):
    bus = SimulatedBus()
    bus.add("SHT31", values={"temperature": 23.5, "humidity": 61.0})
    script = """
    await load("/npm/@chirimen/sht30/index.js");
    const access = await navigator.requestI2CAccess();
    const driver = new SHT30(access.ports.get(1), 0x44);
    await driver.init();
    return await driver.readData();
    """
    found = in_chromium(chromium_program, site, script, bus)
    assert found["temperature"] == pytest.approx(23.5, abs=0.01)
    assert found["humidity"] == pytest.approx(61.0, abs=0.01)


def test_ads1015_reads_what_the_script_says(chromium_program, site):
    bus = SimulatedBus()
    bus.add("ADS1015", values={"a0": 0.5, "a1": 1.0, "a2": 1.5, "a3": 2.0})
    script = """
    await load("/npm/@chirimen/ads1015/index.js");
    const access = await navigator.requestI2CAccess();
    const driver = new ADS1015(access.ports.get(1), 0x48);
    await driver.init();
    const values = [];
    for (let channel = 0; channel < 4; channel++) values.push(await driver.read(channel));
    return values;
    """
    assert in_chromium(chromium_program, site, script, bus) == [250, 500, 750, 1000]  # 2 mV each


def test_pca9685_moves_sixteen_servos(chromium_program, site):
    bus = SimulatedBus()
    device = bus.add("PCA9685").device
    script = """
    await load("/npm/@chirimen/pca9685/index.js");
    const access = await navigator.requestI2CAccess();
    const driver = new PCA9685(access.ports.get(1), 0x40);
    await driver.init(0.001, 0.002, 30);
    for (let channel = 0; channel < 16; channel++) await driver.setServo(channel, channel * 4 - 30);
    """
    in_chromium(chromium_program, site, script, bus)
    assert 1 / device.period_s() == pytest.approx(60.4, abs=0.05)
    for channel in range(16):
        pulse_s = 0.0015 + (channel * 4 - 30) / 30 * 0.0005
        assert device.pulse_s(channel) == pytest.approx(pulse_s, rel=0.02)  # the driver counts with 61 Hz


@pytest.mark.parametrize("far", [False, True], ids=["usual", "long range"])
def test_vl53l0x_reads_what_the_script_says(chromium_program, site, far):
    bus = SimulatedBus()
    bus.add("VL53L0X", values={"distance": 432})
    script = f"""
    await load("/npm/@chirimen/vl53l0x/index.js");
    const access = await navigator.requestI2CAccess();
    const driver = new VL53L0X(access.ports.get(1), 0x29);
    await driver.init({"true" if far else "false"});
    return [await driver.getRange(), await driver.getRange()];
    """
    assert in_chromium(chromium_program, site, script, bus) == [432, 432]


def test_a_worker_and_a_module_have_it_too(chromium_program, site):
    script = """
    const text = `
      importScripts("${DOOR}/web_i2c.js");
      WebI2C.configure({ url: "${DOOR.replace("http", "ws")}/i2c", ...PATIENT });
      navigator.requestI2CAccess().then(async ({ ports }) => {
        const device = await ports.get(1).open(0x48);
        postMessage(await device.read16(0x10));
      }).catch((error) => postMessage(String(error)));`;
    const worker = new Worker(URL.createObjectURL(new Blob([text])));
    const ofWorker = await new Promise((resolve) => { worker.onmessage = (event) => resolve(event.data); });
    const { requestI2CAccess } = await import(DOOR + "/web_i2c.mjs");
    const device = await (await requestI2CAccess()).ports.get(1).open(0x48);
    return [ofWorker, await device.read16(0x20), requestI2CAccess === WebI2C.requestI2CAccess];
    """.replace("PATIENT", PATIENT)
    # A worker that was made of a blob has the origin of its page.
    assert in_chromium(chromium_program, site, script, fake_bus()) == [0x1110, 0x2120, True]


def test_a_page_of_another_origin_reaches_nothing(chromium_program, site):
    bus = fake_bus()

    async def run():
        async with opened_door(bus, origins=["https://elsewhere.example"]) as door:
            async with Chromium.started(chromium_program) as browser:
                page = await browser.page(site + "/index.html")
                await page.run(f'await load("{base_of(door)}/web_i2c.js");')
                await page.run("WebI2C.configure({ connectTimeoutMs: 500 });")
                answer, refusals = "", 0
                async with asyncio.timeout(PATIENCE_S):
                    while not refusals or "does not allow" not in answer:  # on a loaded machine the time may be short
                        answer = await page.run("return String(await failure(navigator.requestI2CAccess()));")
                        refusals = door.counts.strangers
                assert door.counts.opened == 0
                return answer

    answer = asyncio.run(run())
    assert answer.startswith("NetworkError: no door at ") and "does not allow pages of this origin" in answer
    assert bus.log == []


def test_the_door_s_own_page_scans_reads_and_writes(chromium_program):
    """With a Content-Security-Policy that allows nothing from elsewhere, and with a token."""
    bus = fake_bus()
    script = """
    WebI2C.configure(PATIENT);
    const part = (id) => document.getElementById(id);
    const shows = async (id, text) => { while (!part(id).textContent.includes(text)) await sleep(5); };
    part("connect").requestSubmit();
    await shows("state", "InvalidAccessError: the door: a token is needed");
    part("token").value = "TOKEN";
    part("connect").requestSubmit();
    await shows("state", "Connected.");
    part("scan").click();
    await shows("state", "2 devices answer.");
    const found = [...document.querySelectorAll("td.found")].map((cell) => cell.textContent);
    part("address").value = "0x50";
    part("bytes").value = "0x00 0xab 3";
    part("size").value = 0;
    part("transfer").click();
    await shows("result", "written");
    part("bytes").value = "0";
    part("size").value = 3;
    part("transfer").click();
    await shows("result", "ab 03 00");
    const blocked = await failure(load("data:text/javascript,1"));
    return [found, blocked.message.startsWith("cannot load")];
    """.replace("TOKEN", TOKEN).replace("PATIENT", PATIENT)

    async def run():
        async with opened_door(bus, ALL, token=TOKEN) as door, Chromium.started(chromium_program) as browser:
            return await (await browser.page(base_of(door))).run(script)

    assert asyncio.run(run()) == [["48", "50"], True]


def test_sixteen_concurrent_writes_from_the_browser(chromium_program, site, report_line):
    """They have all come before the bus has done the first: one round trip in all."""
    bus = fake_bus()
    script = """
    const device = await (await navigator.requestI2CAccess()).ports.get(1).open(0x50);
    const begin = performance.now();
    await Promise.all(Array.from({ length: 16 }, (_, index) => device.writeBytes([index, index + 1])));
    return [performance.now() - begin, [...(await device.writeReadBytes([0], 16))]];
    """

    async def run(hold):
        async with opened_door(bus, origins=[site]) as door, Chromium.started(chromium_program) as browser:
            async with Relay(door.addresses[0], delay_s=0 if hold else 0.05) as relay:
                page = await browser.page(site + "/index.html")
                bus.gate = asyncio.Event()
                load = f'await load("{base_of(door)}/web_i2c.js");'
                where = f'WebI2C.configure({{ url: "ws://127.0.0.1:{relay.port}/i2c", ...{PATIENT} }});'
                running = asyncio.create_task(page.run(load + where + script))
                if hold:
                    await until(lambda: running.done() or door.counts.taken == 17, "the 16 calls behind that of open")
                bus.gate.set()
                return await running

    _, registers = asyncio.run(run(hold=True))
    assert registers == list(range(1, 17))
    order = [transfer[0].data[0] for what, transfer in bus.log if what == "end" and transfer[0].data][:16]
    assert order == list(range(16))
    took_ms, _ = asyncio.run(run(hold=False))
    report_line(f"chromium: 16 writeBytes at once: one round trip; with 50 ms each way they took {took_ms / 100:.2f}")


@pytest.fixture
def certificate(tmp_path, missing_tool):
    """(file of a certificate for localhost, file of its key)."""
    program = shutil.which("openssl")
    if program is None:
        missing_tool("openssl is not installed; Debian's package openssl has it")
    names = [str(tmp_path / name) for name in ("cert.pem", "key.pem")]
    command = [program, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-days", "2", "-subj", "/CN=localhost", "-out", names[0], "-keyout", names[1]]
    subprocess.run(command, check=True, capture_output=True)
    return tuple(names)


def test_chirimens_polyfill_as_it_is(chromium_program, site, certificate):
    """Each computer has one port 33330: who runs this test at the same time has it first, or waits."""
    bus = SimulatedBus()
    bus.add("SHT31", values={"temperature": -12.25, "humidity": 33.0})
    device = bus.add("PCA9685").device
    script = """
    await load("/npm/@chirimen-raspi/polyfill/polyfill.js");
    await load("/npm/@chirimen/sht30/index.js");
    assert(!("WebI2C" in window));
    const access = await navigator.requestI2CAccess();
    const port = access.ports.get(1);
    const driver = new SHT30(port, 0x44);
    await driver.init();
    const data = await driver.readData();
    const pwm = await port.open(0x40);
    await pwm.write8(0x00, 0x21);
    await pwm.write16(0x08, 0x0123);
    const words = [await pwm.read8(0x00), await pwm.read16(0x08)];
    const written = await pwm.writeBytes([0x0c, 0x34, 0x02]);
    await pwm.writeByte(0x0c);
    const bytes = [await pwm.readByte(), await pwm.readBytes(2)];
    const absent = await failure(port.open(0x50));
    const far = await failure((await navigator.requestGPIOAccess()).ports.get(4).export("out"));
    return [data, words, written, bytes, typeof absent, far];
    """

    async def run():
        options = {"chirimen": f"127.0.0.1:{POLYFILL_PORT}", "origins": [site], "tls": certificate}
        async with contextlib.AsyncExitStack() as stack:
            deadline = asyncio.get_running_loop().time() + PATIENCE_S
            while True:
                try:
                    await stack.enter_async_context(opened_door(bus, ALL, **options))
                    break
                except OSError:
                    assert asyncio.get_running_loop().time() < deadline, f"port {POLYFILL_PORT} is taken"
                    await asyncio.sleep(0.1)
            browser = await stack.enter_async_context(Chromium.started(chromium_program))
            page = await browser.page(site + "/index.html")
            return await page.run(script)

    data, words, written, (byte, rest), absent, far = asyncio.run(run())
    assert data["temperature"] == pytest.approx(-12.25, abs=0.01) and data["humidity"] == pytest.approx(33, abs=0.01)
    assert words == [0x21, 0x0123] and written == []
    assert [byte, *rest] == [0x34, 0x02, 0x00]
    assert absent == "string" and far == "GPIOPort(4).export() error"
    assert device.pulse_s(0) > 0
