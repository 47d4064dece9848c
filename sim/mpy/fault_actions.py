"""What can happen to a running link of bed *mpy*: the faults by their names, each to be begun at any time."""

import asyncio
import random
from collections import defaultdict

from sim.wires.chip import RUNNING

WIFI_OUTAGE_S = 2.0
SERVER_AWAY_S = 2.0
CLIENT_OFF_S = 1.0
SDA_LOW_S = 2.0
TICK_S = 0.02
# The flipped bit is in one of this many bytes that cross the bus next: a transfer of lines, or a few short ones.
BITFLIP_WITHIN_BYTES = 500


class FaultActions:
    """Args: bed: LinkBed; restart_server(): has the server's listener closed for a while, or None: the network refuses
    connections to it; log(who, text); seed: of where bits flip.

    Of several faults of one name each waits for the end of the one before.
    """

    def __init__(self, bed, restart_server, log, seed):
        self._bed = bed
        self._restart_server = restart_server
        self._log = log
        self._random = random.Random(f"where faults strike {seed}")
        self._locks = defaultdict(asyncio.Lock)
        self._tasks = set()

    def begin(self, name):
        """Begins a fault of NAMES. It ends by itself."""
        task = asyncio.ensure_future(self._run(name))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def under_way(self, name):
        """Returns whether such a fault has begun and has not ended."""
        return self._locks[name].locked()

    def close(self):
        for task in self._tasks:
            task.cancel()

    async def _run(self, name):
        async with self._locks[name]:
            await self._actions[name](self)

    async def _bridge_kill(self):
        while self._bed.esp8266.state != RUNNING:
            await asyncio.sleep(TICK_S)
        self._bed.esp8266.crash()

    async def _wifi_outage(self):
        self._bed.esp8266.set_wifi(False)
        try:
            await asyncio.sleep(WIFI_OUTAGE_S)
        finally:
            self._bed.esp8266.set_wifi(True)

    async def _server_restart(self):
        if self._restart_server is not None:
            self._restart_server()
            return
        self._bed.esp8266.tcp.set_server(False)
        try:
            await asyncio.sleep(SERVER_AWAY_S)
        finally:
            self._bed.esp8266.tcp.set_server(True)

    async def _i2c_bitflip(self):
        """Flips one bit in one of the next bytes on the bus. Until then the transfers go byte by byte."""
        bus = self._bed.bus
        left = self._random.randrange(BITFLIP_WITHIN_BYTES)
        mask = 1 << self._random.randrange(8)
        flipped = asyncio.Event()

        def tap(address, read, index, value):
            nonlocal left
            left -= 1
            if left == -1:
                bus.tap = None
                flipped.set()
                self._log("wire", f"bit flipped in a {'read' if read else 'write'}")
            return value ^ mask if left == -1 else value

        bus.tap = tap
        await flipped.wait()

    async def _sda_low(self):
        self._bed.nets["sda"].stick(0)
        try:
            await asyncio.sleep(SDA_LOW_S)
        finally:
            self._bed.nets["sda"].stick(None)

    async def _client_reset(self):
        self._bed.reset_client()

    async def _client_kill(self):
        self._bed.power_off_client()
        try:
            await asyncio.sleep(CLIENT_OFF_S)
        finally:
            self._bed.power_on_client()

    _actions = {
        "bridge-kill": _bridge_kill,
        "wifi-outage": _wifi_outage,
        "server-restart": _server_restart,
        "i2c-bitflip": _i2c_bitflip,
        "sda-low": _sda_low,
        "client-reset": _client_reset,
        "client-kill": _client_kill,
    }


NAMES = tuple(FaultActions._actions)
