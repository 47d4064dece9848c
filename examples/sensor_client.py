"""A client whose sensors appear at its server: those on the board's second I2C bus, also behind a multiplexer.

The board has a table of the types that it looks for, sensor_types.py, beside this file:
`python3 build/sensor_types.py AHT20 TMP117 > examples/sensor_types.py`. Pyboard: scl Y9, sda Y10, pulled up.
examples/sensor_server.py prints what comes, and so does `pb-link sensors ID`. In simulation:
`pb-link sim up --client examples/sensor_client.py --sensors examples/sensors.json`. docs/sensor-bus.md.
"""

import asyncio

import sensor_types
from machine import I2C, Pin

from pb_link.app_base import AppBase
from pb_link.config import config, conn_id, hardware
from sensor_bus.bus import SensorBus
from sensor_bus.port import MachineI2C
from sensor_bus.records import Records
from sensor_bus.service import SensorService


def make_i2c():
    return I2C(2, freq=400000)


class App(AppBase):
    def start(self):
        port = MachineI2C(make_i2c(), scl=Pin("Y9"), sda=Pin("Y10"), make=make_i2c)
        # At 0x76 and 0x77 a BME280 may stand: no multiplexer is looked for there.
        bus = SensorBus(port, Records(sensor_types.TYPES), {"mux": {"enable": True, "maxAddr": 0x75}})
        self.create_task(bus.run())
        self.create_task(SensorService(self, bus).run())


asyncio.run(App(conn_id, config, hardware).run())
