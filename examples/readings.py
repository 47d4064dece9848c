"""Shows store and forward: a client that goes on measuring through any outage, and sends each reading exactly once.

Its server is examples/exactly_once.py, which enters each reading into a database exactly once, too. A reading is 8
bytes on channel 20: seconds since the board's start and a value, both big-endian. While the link is down up to KEPT
readings wait in RAM, a night of them; then the oldest is dropped, and counted. The one that was handed to the link is
the link's: it sends it again until the server has it. A reset of the board loses what waits in RAM.
In simulation: `pb-link sim up --client examples/readings.py`, beside exactly_once.py.
"""

import asyncio
import struct
import time

from machine import ADC

from pb_link.app_base import AppBase
from pb_link.config import config, conn_id, hardware

CHANNEL = 20
INTERVAL_MS = 60_000
KEPT = 720


class App(AppBase):
    def __init__(self, *args) -> None:
        super().__init__(*args)
        self.readings = []
        self.dropped = 0

    def start(self) -> None:
        self.create_task(self.measure())
        self.create_task(self.forward())

    async def measure(self) -> None:
        sensor = ADC("X19")
        due = time.ticks_ms()
        seconds = 0
        while True:
            self.readings.append(struct.pack(">II", seconds, sensor.read_u16()))
            if len(self.readings) > KEPT:
                self.readings.pop(0)
                self.dropped += 1
            due = time.ticks_add(due, INTERVAL_MS)  # the times do not drift
            seconds += INTERVAL_MS // 1000
            await asyncio.sleep_ms(max(0, time.ticks_diff(due, time.ticks_ms())))

    async def forward(self) -> None:
        channel = self.channel(CHANNEL)
        while True:
            while self.readings:
                await channel.send(self.readings.pop(0))  # returns when the server has it
            await asyncio.sleep(1)


if __name__ == "__main__":
    asyncio.run(App(conn_id, config, hardware).run())
