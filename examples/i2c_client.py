"""A client whose second I2C bus programs at the server may use, at two addresses: docs/remote-i2c.md.

For a Pyboard, with the bus on Y9 (scl) and Y10 (sda). `pb-link i2c detect client:ID:0` where its server runs shows what
is there.
In simulation: `pb-link sim up --client examples/i2c_client.py --sensors examples/sensors.json`, beside `pb-link serve`.
"""

import asyncio

from machine import Pin, SoftI2C

from pb_link.app_base import AppBase
from pb_link.config import config, conn_id, hardware
from pb_link.i2c_service import I2CService


class App(AppBase):
    def start(self) -> None:
        I2CService(self, {0: SoftI2C(Pin("Y9"), Pin("Y10"))}, addresses={0: (0x18, 0x48)})
        print("the bus may be used")


app = App(conn_id, config, hardware)
asyncio.run(app.run())
