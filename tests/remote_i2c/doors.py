"""A door in a thread of its own, with its loop and a bus in RAM: what programs without asyncio need."""

import asyncio
import threading
from contextlib import contextmanager

from remote_i2c.addresses import ORDINARY
from remote_i2c.rpc.door import SmbusDoor
from remote_i2c.rpc.log_lines import line_of
from remote_i2c.shared import SharedBus
from tests.patience import PATIENCE_S
from tests.remote_i2c.fake_bus import FakeBus

A = 0x48


class DoorThread:
    """Args: bus: Bus; addresses: that are allowed; limits: of SmbusDoor. lines: its log."""

    def __init__(self, bus=None, *, port=0, addresses=ORDINARY, shared=None, **limits):
        self.bus = FakeBus({A: bytearray(range(256))}) if bus is None else bus
        self.lines = []
        self._arguments = (port, addresses, shared or {}, limits)
        self._started = threading.Event()
        self._error = None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main()), daemon=True)
        self._thread.start()
        assert self._started.wait(PATIENCE_S)
        if self._error is not None:
            raise self._error

    def _note(self, event, **details):
        self.lines.append(line_of(event, **details))

    @property
    def url(self):
        return f"grpc://127.0.0.1:{self.port}/1"

    def call(self, function):
        """Run a function in the door's loop. Returns what it returns."""

        async def called():
            return function()

        return asyncio.run_coroutine_threadsafe(called(), self.loop).result(PATIENCE_S)

    def end(self):
        """End the door, and close its port."""
        if self._thread.is_alive():
            self.loop.call_soon_threadsafe(self._task.cancel)
            self._thread.join(PATIENCE_S)
            assert not self._thread.is_alive()

    async def _main(self):
        port, addresses, shared, limits = self._arguments
        self.loop = asyncio.get_running_loop()
        self.shared = SharedBus(self.bus, addresses, **shared)
        await self.shared.open()
        limits = {"log": self._note, **limits}
        door = SmbusDoor({1: self.shared}, f"127.0.0.1:{port}", **limits)
        self._task = asyncio.create_task(door.run())
        try:
            while door.port is None and not self._task.done():
                await asyncio.sleep(0.001)
            if self._task.done():
                self._error = self._task.exception()
                return
            self.port, self.service = door.port, door.service
        finally:
            self._started.set()
        try:
            await self._task
        except asyncio.CancelledError:
            pass  # `end`


@contextmanager
def open_door(bus=None, **settings):
    """A DoorThread that ends with the block."""
    door = DoorThread(bus, **settings)
    try:
        yield door
    finally:
        door.end()
