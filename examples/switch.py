"""Shows an actuator: an output that is switched by lines of the server, tells its state, and is safe without a server.

A command is {"on": true} or {"on": false}; the state is sent in the same form, when it has changed and at each start.
So it is a switch of Home Assistant as it stands: with the section [mqtt] in the server's settings it appears there by
itself (docs/mqtt.md). examples/thermostat.py switches it as well. When the server has been away for a minute the output
goes off: what is on must be wanted by somebody. Pyboard: output Y1.
In simulation: `pb-link sim up --client examples/switch.py`, beside `pb-link serve`; then
`pb-link send ID '{"on": true}'`.
"""

import asyncio
import json
import time

from machine import Pin

from pb_link.app_base import AppBase
from pb_link.config import config, conn_id, hardware

ANNOUNCEMENT = '{"announce": "switch", "id": "heater", "name": "Heater", "value": "on"}'
ALONE_MS = 60_000  # for which the output stays on without a server


class App(AppBase):
    output = Pin("Y1", Pin.OUT, value=0)
    alone_since: int | None = None  # ticks_ms

    def start(self) -> None:
        self.create_task(self.obey())
        self.create_task(self.guard())

    async def obey(self) -> None:
        await self.write(ANNOUNCEMENT, wait=False)
        await self.tell()
        while True:
            line = await self.readline()
            try:
                on = json.loads(line)["on"]
            except (KeyError, TypeError, ValueError):
                print("this is no command:", line, end="")
                continue
            await self.switch(bool(on))

    async def switch(self, on: bool) -> None:
        if on != self.output():
            self.output(on)
            await self.tell()

    async def tell(self) -> None:
        await self.write(json.dumps({"on": bool(self.output())}), wait=False)

    async def server_ok(self, up: bool) -> None:
        self.alone_since = None if up else time.ticks_ms()

    async def guard(self) -> None:
        while True:
            await asyncio.sleep(1)
            if self.alone_since is not None and time.ticks_diff(time.ticks_ms(), self.alone_since) > ALONE_MS:
                self.output(False)  # at once; the state is told when there is somebody again
                await self.tell()
                self.alone_since = None


asyncio.run(App(conn_id, config, hardware).run())
