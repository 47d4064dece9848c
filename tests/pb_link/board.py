"""A client's board on fakes, and a bridge that does what the test says.

The bridge's side is a real MailboxController; no bridge program runs, so that a test decides when it looks at the
mailbox. Unrealistic as the fakes of tests/link/harness.py are. Run it on the virtual clock.
"""

import asyncio
import random

from i2c_devices.mailbox_controller import FREE, MailboxController
from i2c_devices.ports import TargetPort
from pb_link.app_base import AppBase
from protocol.mailbox import ADDRESS, CONTROL, HEADER
from tests.link.harness import Bus, Pin, wire
from tests.link.virtual import now_ms

KEY = bytes(range(32))
CONFIG = (8123, "server", 1500, 10, "net", "secret password", KEY)
PULSE_MS = 200


class App(AppBase):
    """Records the calls of the hooks; `ends` names those that raise as they do by default."""

    ends = ()

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.starts = 0
        self.calls = []

    def start(self):
        self.starts += 1

    async def bad_wifi(self):
        self.calls.append("bad_wifi")
        if "bad_wifi" in self.ends:
            await super().bad_wifi()

    async def bad_server(self):
        self.calls.append("bad_server")
        if "bad_server" in self.ends:
            await super().bad_server()

    async def report(self, data):
        self.calls.append(data)

    async def server_ok(self, up):
        self.calls.append(up)


class Board:
    """Use: `async with Board() as board`. `resets` are (time, level, was the target on the bus?)."""

    def __init__(self, app=App, rst=True, verbose=False, config=CONFIG):
        self.bus = Bus()
        self.syn, self.bridge_syn = wire()
        self.ack, self.bridge_ack = wire()
        self.bridge_ack.init(Pin.OUT, value=1)
        self.resets = []
        self.rst = Pin(self._on_reset)
        self.pulses = 0
        self.bridge_syn.irq(self._on_syn)
        hardware = [
            TargetPort(self.bus.open_target),
            self.syn,
            self.ack,
            (self.rst, 0, PULSE_MS) if rst else None,
        ]
        self.app = app("a", config, hardware, verbose)
        self.bridge = None

    def _on_reset(self, level):
        self.resets.append((now_ms(), level, self.bus.target is not None))

    def _on_syn(self, pin):
        self.pulses += 1

    async def __aenter__(self):
        self.power_bridge()
        self.link = asyncio.create_task(self.app.await_msg())
        await self.pause()
        return self

    async def __aexit__(self, *error):
        self.link.cancel()
        await asyncio.wait([self.link])

    def power_bridge(self):
        """The bridge starts anew."""
        self.bridge = MailboxController(self.bus, ADDRESS, lambda n: random.randbytes(n))

    async def pause(self, ms=1):
        await asyncio.sleep(ms / 1000)

    async def synchronise(self):
        for _ in range(100):
            if self.bridge.poll():
                return
            await self.pause()
        raise AssertionError("the client does not synchronise")

    async def fetch(self):
        """The next transfer from the client, bytes."""
        for _ in range(1000):
            self.bridge.poll()
            if self.bridge.can_fetch() and self.bridge.fetch():
                payload = bytes(self.bridge.payload)
                self.bridge.release()
                self.bridge.acknowledge()
                return payload
            await self.pause()
        raise AssertionError("the client offers nothing")

    async def tell(self, record):
        """Send a control record, and wait until the client has it."""
        self.bridge.buffer[HEADER : HEADER + len(record)] = record
        self.bridge.send(CONTROL, 0, HEADER, len(record))
        for _ in range(100):
            await self.pause()
            self.bridge.poll()
            if self.bridge.state == FREE or self.link.done():
                return
        raise AssertionError("the client does not take the record")

    async def beat(self, ms):
        """The bridge looks at the mailbox every second for so long."""
        for _ in range(ms // 1000):
            await self.pause(1000)
            self.bridge.poll()
