"""A driver that nobody here wrote, in Chromium, on a bus of each provider: it does not know which."""

import asyncio
import json
import os
import sys
from errno import ENXIO

import pytest
from smbus2 import smbus2 as module

from remote_i2c import linux
from remote_i2c.bus import SMBUS_BY_MESSAGES, SMBUS_QUICK
from remote_i2c.providers import make_bus
from remote_i2c.shared import SharedBus
from tests.peers.processes import running, up
from tests.remote_i2c.test_linux import FakeKernel
from tests.remote_i2c.web.doors import base_of, opened_door
from tests.remote_i2c.web.javascript import PATIENT, Chromium
from tests.server.peer import free_port, until
from tests.sim.wires.sensors.rig import Rig

SENSOR = {"type": "SHT31", "values": {"temperature": 23.5, "humidity": 61.0}}
SCRIPT = """
await load("/npm/@chirimen/sht30/index.js");
const driver = new SHT30((await navigator.requestI2CAccess()).ports.get(1), 0x44);
let data;
while (data === undefined) {  // on a loaded machine the link may be away for a moment
  data = await driver.init().then(() => driver.readData()).catch((error) => {
    if (error.name !== "NetworkError" && error.code !== "ETIMEDOUT") throw error;
    return sleep(50);
  });
}
return data;
"""
WITHOUT_BOARDS = """
const device = await (await WebI2C.requestI2CAccess()).ports.get(1).open(0x44, { probe: false });
const error = await failure(device.writeBytes([0x24, 0x00]));
return [error.name, error.code, error.place];
"""
AGAIN = """
const port = (await WebI2C.requestI2CAccess()).ports.get(1);
const device = await port.open(0x44, { probe: false });
let data;
while (data === undefined) {
  try {
    await device.writeBytes([0x24, 0x00]);
    await sleep(100);
    data = await device.readBytes(6);
  } catch (error) {
    if (error.name !== "NetworkError" && error.code !== "ETIMEDOUT") throw error;
    await sleep(50);
  }
}
return data.length;
"""
CLIENT = '''
import asyncio

from machine import Pin, SoftI2C

from pb_link.app_base import AppBase
from pb_link.config import config, conn_id, hardware
from pb_link.i2c_service import I2CService


class App(AppBase):
    def start(self):
        I2CService(self, {0: SoftI2C(Pin("Y9"), Pin("Y10"))}, addresses={0: (0x44,)})
        print("the bus is served")


asyncio.run(App(conn_id, config, hardware).run())
'''


async def read_at(program, site, address):
    """Returns what the driver reads through the door at this address."""
    async with Chromium.started(program) as browser:
        page = await browser.page(site + "/index.html")
        load = f"await load({address + '/web_i2c.js'!r}); WebI2C.configure({PATIENT});"
        return await page.run(load + SCRIPT)


def check(found):
    assert found["temperature"] == pytest.approx(23.5, abs=0.01)
    assert found["humidity"] == pytest.approx(61.0, abs=0.01)


def by_spec(program, site, spec):
    async def run():
        bus = SharedBus(make_bus(spec, "1"), {0x44})
        await bus.open()
        try:
            async with opened_door({"1": bus}, origins=[site]) as door:
                return await read_at(program, site, base_of(door))
        finally:
            await bus.close()

    return asyncio.run(run())


def test_on_a_simulated_bus(chromium_program, site, tmp_path):
    plan = tmp_path / "plan.json"
    plan.write_text(json.dumps([SENSOR]), encoding="utf-8")
    check(by_spec(chromium_program, site, f"sim:{plan}"))


class SensorKernel(FakeKernel):
    """A kernel whose adapter has virtual sensors. Its clock jumps between transactions."""

    def __init__(self):
        super().__init__()
        self.funcs = SMBUS_BY_MESSAGES | SMBUS_QUICK
        self.rig = Rig()

    def _transact(self, messages):
        self.rig.wait(0.2)
        for index, one in enumerate(messages):
            stop = index == len(messages) - 1
            if one.flags & 1:  # I2C_M_RD
                answer = self.rig.read(one.addr, one.len)
                if not isinstance(answer, bytes) or len(answer) != one.len:
                    raise OSError(ENXIO, os.strerror(ENXIO))
                for at, value in enumerate(answer):
                    one.buf[at] = bytes((value,))
            elif self.rig.write(one.addr, module.string_at(one.buf, one.len), stop) != one.len:
                raise OSError(ENXIO, os.strerror(ENXIO))


def test_on_a_bus_of_linux(chromium_program, site, monkeypatch, tmp_path):
    kernel = SensorKernel()
    kernel.rig.add(**SENSOR)
    monkeypatch.setattr(module, "ioctl", kernel.ioctl)
    monkeypatch.setattr(module, "os", kernel)
    monkeypatch.setattr(linux, "_DRIVER", str(tmp_path) + "/%d-%04x/driver")
    check(by_spec(chromium_program, site, "/dev/i2c-1"))
    assert kernel.opened == ["/dev/i2c-1"]


def test_on_a_bus_of_a_client_behind_the_link(
    chromium_program, node, site, tmp_path, micropython64, micropython_bridge
):
    """Boards in MicroPython, the server as `pb-link serve`: its gateway has the door."""
    pb_link = [sys.executable, "-m", "server"]
    words = ["init", "pump", "--port", str(free_port()), "--server", "127.0.0.1"]
    with running([*pb_link, *words], tmp_path) as init:
        init.wait_for("(end of output)")
    port = free_port()
    with open(tmp_path / "pb_link.toml", "a", encoding="utf-8") as file:
        file.write(f'[i2c]\nweb_listen = "127.0.0.1:{port}"\nweb_origins = ["{site}"]\n')
        file.write('[i2c.buses.1]\nbus = "client:pump:0"\naddresses = "0x44"\n')
    (tmp_path / "client.py").write_text(CLIENT, encoding="utf-8")
    (tmp_path / "sensors.json").write_text(json.dumps([SENSOR]), encoding="utf-8")
    boards = {"MICROPYTHON": micropython64, "MICROPYTHON_BRIDGE": micropython_bridge}
    with running([*pb_link, "serve", "--config", "pb_link.toml"], tmp_path) as server:
        server.wait_for("started")
        command = up(tmp_path / "client.py", "--stored-wifi", "--sensors", str(tmp_path / "sensors.json"))
        with running(command, tmp_path, **boards) as client:
            client.wait_for("the bus is served")
            check(asyncio.run(read_at(chromium_program, site, f"http://127.0.0.1:{port}")))
        server.wait_for("web_i2c_opened")
        # The boards are killed: a named error in a bounded time. The next call after their start works.
        url = f"ws://127.0.0.1:{port}/i2c"
        # Which one depends on whether the server has noticed yet; on a loaded machine the bus may give up first.
        found = asyncio.run(node.run(WITHOUT_BOARDS, url))
        assert found in (
            ["NetworkError", "EHOSTDOWN", "link"], ["NetworkError", "ETIMEDOUT", "link"],
            ["OperationError", "ETIMEDOUT", "bus"],
        ), found  # fmt: skip
        with running(command, tmp_path, **boards) as client:
            client.wait_for("the bus is served")
            assert asyncio.run(node.run(AGAIN, url)) == 6


def test_a_door_that_is_killed_in_a_call(node, tmp_path):
    """A named error at once; the page finds the next door by itself."""
    plan = tmp_path / "plan.json"
    plan.write_text(json.dumps([{"type": "TMP117", "values": {"temperature": 25.0}}]), encoding="utf-8")
    port = free_port()
    command = [sys.executable, "-m", "server", "web-i2c", "serve", "--bus", f"1=sim:{plan}", "--addresses", "all"]
    command += ["--listen", f"127.0.0.1:{port}"]
    begun = tmp_path / "begun"
    script = """
    const device = await (await WebI2C.requestI2CAccess()).ports.get(1).open(0x48);
    require("fs").writeFileSync(BEGUN, "");
    let error;
    while (error === undefined) {
      error = await device.read16(0).then(() => undefined, (error) => error);
    }
    const word = await device.read16(0x0f);
    return [String(error), word];
    """.replace("BEGUN", json.dumps(str(begun)))

    async def play():
        with running(command, tmp_path) as door:
            await asyncio.to_thread(door.wait_for, "web_i2c_listening")
            page = asyncio.create_task(node.run(script, f"ws://127.0.0.1:{port}/i2c"))
            await until(lambda: begun.exists() or page.done(), "the first call")
            door.process.kill()
            door.process.wait()
            with running(command, tmp_path) as again:
                await asyncio.to_thread(again.wait_for, "web_i2c_opened")
                return await page

    error, word = asyncio.run(play())
    assert error.startswith("NetworkError: the connection was lost"), error
    assert word == 0x1701  # the identification of a TMP117, low byte last
