"""A client whose console is at the server: `pb-link console ID` shows what it prints, and the traceback when it fails.

Once the client's key allows it (`pb-link keys rotate ID --repl`), `pb-link console ID --repl` is this board's REPL:
Ctrl-C there ends in MicroPython's prompt, with `app` in reach, and Ctrl-] leaves. docs/console.md.
In simulation: `pb-link sim up --client examples/console_client.py`, beside `pb-link serve`.
"""

import asyncio

from pb_link.app_base import AppBase
from pb_link.config import config, conn_id, hardware


class App(AppBase):
    failed = False

    async def start(self) -> None:
        count = 0
        while True:
            print("measurement", count)
            count += 1
            if count == 5 and not self.failed:
                self.failed = True
                raise ValueError("the sensor does not answer")  # `run` shows it, and starts again
            await asyncio.sleep(1)


app = App(conn_id, config, hardware, console=True, repl=True)
asyncio.run(app.run())
