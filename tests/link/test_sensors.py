"""A sensor bus on the client, its samples at the server, and commands back, over the whole path."""

import asyncio
import time
from errno import ENODEV

import pytest

import esp_link.bridge
from sensor_bus.bus import SensorBus
from sensor_bus.port import MachineI2C
from sensor_bus.records import Records, standard_records
from sensor_bus.service import SensorService
from server.core.devman import DevMan
from server.core.sensors import CommandFailed
from tests.link.harness import System
from tests.link.test_link import QUICK
from tests.server.peer import until, within

OWN = {
    "deviceType": "Mine", "addresses": "0x2a", "detectionValues": "0x00=0x42", "initValues": "",
    "pollInfo": {"c": "0x01=r2", "i": 20, "s": 10}, "scanPriority": "high",
    "devInfoJson": {
        "name": "Mine", "desc": "a level", "manu": "us", "type": "Mine",
        "resp": {"b": 2, "a": [{"n": "level", "t": ">H", "u": "mm", "d": 10}]},
    },
}  # fmt: skip


class RegistersI2C:
    """An I2C bus of devices that are registers alone: {address: {register: bytes}}. It takes no time."""

    def __init__(self, devices):
        self.devices = devices
        self.register = 0

    def writeto(self, address, data, stop=True):
        if address not in self.devices:
            raise OSError(ENODEV, "nobody is there")
        if data:
            self.register = data[0]
        return len(data)

    def readfrom_into(self, address, buf):
        if address not in self.devices:
            raise OSError(ENODEV, "nobody is there")
        found = self.devices[address].get(self.register, b"")
        buf[:] = (found + b"\xff" * len(buf))[: len(buf)]


def thermometer(sixteenths):
    return {5: sixteenths.to_bytes(2, "big"), 6: b"\x00\x54", 7: b"\x04\x00"}


@pytest.fixture(autouse=True)
def quick_recovery(monkeypatch):
    for name, ms in QUICK.items():
        monkeypatch.setattr(esp_link.bridge, name, ms)


def run(main, devices, qos=False):
    async def whole():
        async with System() as system:
            conn = await system.connected()
            records = standard_records()
            board = Records(bytes(records._table))  # as on a board: no descriptions
            bus = SensorBus(MachineI2C(RegistersI2C(devices)), board)
            service = SensorService(system.app, bus, qos=qos, hold_ms=20)
            tasks = [asyncio.create_task(one) for one in (bus.run(), service.run())]
            try:
                await main(system, conn, bus, service)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(whole())


async def next_of(readings, device):
    while True:
        reading = await within(anext(readings))
        if reading.device == device:
            return reading


def test_sensor_appears_at_the_server_and_again_where_it_is_plugged():
    devices = {0x18: thermometer(336)}

    async def main(system, conn, bus, service):
        readings = conn.sensors().readings()
        first = await next_of(readings, "1_18")
        assert first.type == "MCP9808" and first.values == {"temperature": 21.0}
        assert abs(first.time - time.time()) < 10
        events = bus.events()
        devices[0x19] = devices.pop(0x18)
        bus.configure(0x18, interval_us=20000)
        kinds = []
        while ("gone", 0x18) not in kinds:
            event = await within(anext(events))
            kinds.append((event.kind, event.address))
        bus.rescan()
        assert (await next_of(readings, "1_19")).values == {"temperature": 21.0}

    run(main, devices)


def test_with_qos_each_sample_comes_once_though_the_bridge_crashes():
    devices = {0x18: thermometer(336)}

    async def main(system, conn, bus, service):
        readings = conn.sensors().readings()
        await next_of(readings, "1_18")
        bus.configure(0x18, interval_us=20000, samples=200)
        mine = bus.samples()
        times = []

        async def take():
            async for sample in mine:
                times.append(sample.time)

        task = asyncio.create_task(take())
        await until(lambda: len(times) > 20, "samples")
        system.chip.restart()
        await until(lambda: len(times) > 60, "samples")
        task.cancel()
        bus.pause()
        got = []
        while len(got) < len(times):
            got.append((await within(anext(readings))).time)
        assert len(set(got)) == len(got) and service.dropped == 0

    run(main, devices, qos=True)


def test_commands_reach_the_bus_and_types_are_added_and_explained():
    devices = {0x18: thermometer(336), 0x2A: {0: b"\x42", 1: b"\x00\x64"}}

    async def main(system, conn, bus, service):
        sensors = conn.sensors()
        readings = sensors.readings()
        await next_of(readings, "1_18")
        assert await within(sensors.command("cmdraw", addr=0x18, write="05", read=2)) == {"data": "0150"}
        with pytest.raises(CommandFailed, match="no_answer"):
            await within(sensors.command("cmdraw", addr=0x30, read=1))
        found = await within(DevMan(sensors).answer("listdevs", {}))
        assert {"deviceid": "1_18", "addr": "18", "type": "MCP9808", "status": 1} in found["devices"]
        await within(sensors.command("addtype", record=OWN))
        reading = await next_of(readings, "1_2a")
        assert reading.type == "Mine" and reading.raw == b"\x00\x64"

    run(main, devices)
