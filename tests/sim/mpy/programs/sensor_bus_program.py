"""A sensor bus on a pyboard with the sensors of sensors.json: real MicroPython, in real time."""

import asyncio

import sensor_types
from machine import I2C, Pin

from sensor_bus.bus import SensorBus
from sensor_bus.port import MachineI2C
from sensor_bus.records import Records

SECONDS = 12


def make():
    return I2C(2, timeout=20000)


async def main():
    port = MachineI2C(make(), scl=Pin("Y9"), sda=Pin("Y10"), make=make)
    records = Records(sensor_types.TYPES)
    bus = SensorBus(port, records, {"mux": {"enable": True}})

    async def listen():
        async for event in bus.events():
            name = None if event.type is None else records.name(event.type)
            print("event", event.kind, event.address and "%x" % event.address, name)

    async def take():
        counts = {}
        async for sample in bus.samples():
            counts[sample.address] = counts.get(sample.address, 0) + 1
            if sample.address == 0x218:
                value = sample.data[0] << 8 | sample.data[1]
                print("mcp", (value & 0xFFF) / 16)

    tasks = [asyncio.create_task(one) for one in (bus.run(), listen(), take())]
    await asyncio.sleep(SECONDS)
    print("at the end", ["%x" % address for address, _, _ in sorted(bus.devices())])
    print("raw", await bus.request(0x218, b"\x06", 2))
    for task in tasks:
        task.cancel()


asyncio.run(main())
