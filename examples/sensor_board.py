"""A sensor bus without the link: a board prints which devices come and go, and the bytes that it reads of them.

The board has a table of the types that it looks for, sensor_types.py, beside this file:
`python3 build/sensor_types.py AHT20 TMP117 > examples/sensor_types.py`. Pyboard: scl Y9, sda Y10, pulled up.
In simulation: `pb-link sim board examples/sensor_board.py --sensors examples/sensors.json`. docs/sensor-bus.md.
"""

import asyncio
from binascii import hexlify

import sensor_types
from machine import I2C, Pin

from sensor_bus.bus import SensorBus
from sensor_bus.port import MachineI2C
from sensor_bus.records import Records


def make_i2c():
    return I2C(2, freq=400000)


async def show_events(bus):
    async for event in bus.events():
        name = "?" if event.type is None else bus.records.name(event.type)
        print(event.kind, "bus" if event.address is None else "%x %s" % (event.address, name))


async def show_samples(bus):
    async for sample in bus.samples():
        print("sample", "%x" % sample.address, str(hexlify(sample.data), "utf-8"))


async def main():
    port = MachineI2C(make_i2c(), scl=Pin("Y9"), sda=Pin("Y10"), make=make_i2c)
    # At 0x76 and 0x77 a BME280 may stand: no multiplexer is looked for there.
    bus = SensorBus(port, Records(sensor_types.TYPES), {"mux": {"enable": True, "maxAddr": 0x75}})
    await asyncio.gather(bus.run(), show_events(bus), show_samples(bus))


asyncio.run(main())
