"""Shows a client that sleeps: it wakes, sends what it has measured, takes what waits for it, and sleeps again.

What sleep means for the link is in docs/client.md, "Sleeping". With machine.lightsleep the program goes on behind the
call, and the session resumes. With machine.deepsleep each waking is a start of the program, and what was sent must have
been accepted before: `write` returns then. Everything else is the same.
On a board: `python3 build/deploy.py --port PORT --app examples/battery.py`. In simulation, with a shorter SLEEP_MS:
`pb-link sim up --client examples/battery.py --demo-server`.
"""

import asyncio

import machine
from machine import ADC

from pb_link.app_base import AppBase
from pb_link.config import config, conn_id, hardware

SLEEP = machine.lightsleep  # or machine.deepsleep
SLEEP_MS = 600_000
WAIT_MS = 500  # for a line that is on its way: those that wait at the server come one after the other


class App(AppBase):
    async def start(self) -> None:
        while True:
            await self.write(str(ADC("X19").read_u16()))
            try:
                while True:
                    self.obey(await self.readline(timeout_ms=WAIT_MS))
            except asyncio.TimeoutError:
                pass  # nothing more waits
            SLEEP(SLEEP_MS)

    def obey(self, line: str) -> None:
        print("told:", line, end="")


asyncio.run(App(conn_id, config, hardware).run())
