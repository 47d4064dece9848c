"""The client's demo: `import pb_link.pb_client` on the board.

Sends a counter as JSON and prints what the server demo (`s_app.py`) answers.
Wi-Fi and server may be started later.
"""

import asyncio
import gc
import json

from pb_link.app_base import AppBase
from pb_link.config import config, conn_id, hardware

INTERVAL_MS = 200


class App(AppBase):
    def start(self):
        self.create_task(self.sender())
        self.create_task(self.receiver())

    async def sender(self):
        count = 0
        while True:
            gc.collect()
            line = json.dumps([count, gc.mem_free()])
            print("sent", line)
            await self.write(line)
            count += 1
            await asyncio.sleep_ms(INTERVAL_MS)

    async def receiver(self):
        while True:
            line = await self.readline()
            print("received", line.strip())


async def main():
    await App(conn_id, config, hardware, verbose=True).run()


asyncio.run(main())
