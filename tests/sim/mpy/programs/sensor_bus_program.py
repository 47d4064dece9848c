"""A sensor bus on a pyboard with the sensors of sensors.json: real MicroPython, in real time."""

import asyncio

import sensor_types
from machine import I2C, Pin

from sensor_bus import bus as bus_module
from sensor_bus.bus import SensorBus
from sensor_bus.port import MachineI2C
from sensor_bus.records import Records

DEVICES = 3
AFTER_S = 8  # in that time its plan has happened
SAMPLES = 5  # of the thermometer, after that
LIMIT_S = 200


def make():
    return I2C(2, timeout=20000)


async def main():
    print("from", bus_module.__file__)
    port = MachineI2C(make(), scl=Pin("Y9"), sda=Pin("Y10"), make=make)
    records = Records(sensor_types.TYPES)
    bus = SensorBus(port, records, {"mux": {"enable": True}})

    async def listen():
        async for event in bus.events():
            name = None if event.type is None else records.name(event.type)
            print("event", event.kind, event.address and "%x" % event.address, name)

    samples = 0

    async def take():
        nonlocal samples
        async for sample in bus.samples():
            if sample.address == 0x218:
                value = sample.data[0] << 8 | sample.data[1]
                print("mcp", (value & 0xFFF) / 16)
                samples += 1

    tasks = [asyncio.create_task(one) for one in (bus.run(), listen(), take())]
    await asyncio.sleep(AFTER_S)
    for _ in range(LIMIT_S):
        if len(bus.devices()) == DEVICES and samples >= SAMPLES:
            break
        await asyncio.sleep(1)
    print("at the end", ["%x" % address for address, _, _ in sorted(bus.devices())])
    print("raw", await bus.request(0x218, b"\x06", 2))
    for task in tasks:
        task.cancel()


asyncio.run(main())
