"""The client of `sim demo --web`: the demo's, and the bridge's reports reach the server too, for its page."""

import asyncio
import json

from pb_link.app_base import AppBase
from pb_link.bridge_reports import BridgeReports
from pb_link.config import config, conn_id, hardware

INTERVAL_MS = 200


class App(AppBase):
    def start(self):
        self.create_task(self.sender())
        self.create_task(self.receiver())

    async def sender(self):
        count = 0
        while True:
            await self.write(json.dumps([count]))
            count += 1
            await asyncio.sleep_ms(INTERVAL_MS)

    async def receiver(self):
        while True:
            await self.readline()


async def main():
    app = App(conn_id, config, hardware)
    BridgeReports(app)
    await app.run()


asyncio.run(main())
