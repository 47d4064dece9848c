"""The smallest client: sends a line a second and prints what comes back."""

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
