"""A sensor bus on Linux: prints what the devices on /dev/i2c-1, or on another one that is named, measure.

It needs the extra: `pip install '.[linux]'` in the checkout. Where the wheel is installed, and this is not run in a
checkout, the package is `pb_link.sensor_bus`.
In the checkout: `PYTHONPATH=. python3 examples/sensor_linux.py`.
"""

import asyncio
import sys

from sensor_bus.bus import SensorBus
from sensor_bus.decode import readings, units
from sensor_bus.linux_i2c import LinuxI2C
from sensor_bus.records import standard_records


async def show(bus: SensorBus) -> None:
    async for sample in bus.samples():
        info = bus.records.info(sample.type)
        if info is None:
            continue
        for _, values, invalid in readings(info, sample.data):
            for name, value in values.items():
                mark = "!" if name in invalid else ""
                print("%x %s %s %s%s" % (sample.address, name, value, units(info)[name], mark), flush=True)


async def main(number: int) -> None:
    bus = SensorBus(LinuxI2C(number), standard_records())
    await asyncio.gather(bus.run(), show(bus))


if __name__ == "__main__":
    try:
        asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1))
    except KeyboardInterrupt:
        pass
    except ValueError as error:  # there is no such bus: the text says what to do
        sys.exit("sensor_linux: %s" % error)
