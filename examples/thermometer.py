"""Shows a client with a sensor: a TMP117 on the board's second I2C bus, whose temperature is sent once a minute.

Each line is a number of degrees Celsius. While the link is down the lines wait, up to the window of the link; then the
measuring waits too. examples/readings.py keeps what was measured meanwhile. Pyboard: scl Y9, sda Y10, pulled up.
The server's application may be examples/thermostat.py, or pb-link tail. In simulation, from the checkout:
`pb-link sim up --client examples/thermometer.py --sensors examples/sensors.json`.
"""

import asyncio

from machine import I2C

from pb_link.app_base import AppBase
from pb_link.config import config, conn_id, hardware

ADDRESS = 0x48
TEMPERATURE = 0  # register: 16 bits, two's complement, 1/128 degree each (TI, SNOSD82, 7.6.2)
INTERVAL_S = 60
CONVERSION_S = 1  # one takes a second after power-up: until then the register has no value of now


class App(AppBase):
    async def start(self) -> None:
        i2c = I2C(2, freq=400000)
        await asyncio.sleep(CONVERSION_S)
        while True:
            data = i2c.readfrom_mem(ADDRESS, TEMPERATURE, 2)
            steps = data[0] << 8 | data[1]
            if steps >= 0x8000:
                steps -= 0x10000
            await self.write("%.2f" % (steps / 128), wait=False)
            await asyncio.sleep(INTERVAL_S)


asyncio.run(App(conn_id, config, hardware).run())
