"""The smallest client: sends a line a second and prints what comes back.

In simulation: `pb-link sim up --client examples/client.py --demo-server`.
Without the last word beside server_app.py.
"""

import asyncio

from pb_link.app_base import AppBase
from pb_link.config import config, conn_id, hardware


class App(AppBase):
    async def start(self) -> None:
        while True:
            await self.write("ping")
            print(await self.readline(), end="")
            await asyncio.sleep(1)


asyncio.run(App(conn_id, config, hardware).run())
