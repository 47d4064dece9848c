"""The link on the virtual bed, with the applications of a benchmark and the counts of its bus."""

import asyncio
import contextlib
import gc

import server
from pb_link.app_base import AppBase
from sim.virtual.costs import PLACEHOLDERS, ZERO
from sim.virtual.link import VirtualLink

WIRE_HZ = 400000
WIRE_BYTES_S = WIRE_HZ / 9  # 8 bits and an acknowledgement
COSTS = {"zero": ZERO, "model": PLACEHOLDERS}
_ID = "bench"
_KEY = "5b" * 32
_PORT = 8123
_TIMEOUT_MS = 1500
_SETTINGS = {
    "id": _ID,
    "port": _PORT,
    "server": "server",
    "timeout_ms": _TIMEOUT_MS,
    "report_s": 0,
    "ssid": "net",
    "password": "password",
    "key": _KEY,
}
_LIMIT_S = 60.0  # for the first synchronisation


class Client(AppBase):
    """Runs client(app) once the link is up. Prints nothing about other events."""

    def __init__(self, config, client):
        self._client = client
        super().__init__(config["conn_id"], config["config"], config["hardware"])

    def start(self):
        asyncio.create_task(self._client(self))

    async def bad_wifi(self):
        pass

    async def bad_server(self):
        pass

    async def report(self, data):
        pass

    async def server_ok(self, up):
        pass


class Bed:
    """A link to be measured. Args: client(app), serve(conn): coroutine functions; costs: sim.virtual.costs.Costs."""

    def __init__(self, client, serve, costs):
        self._client = client
        self._serve = serve
        self._store = server.MemoryStore()
        self.conn = None  # the server's Connection
        self._app = None  # the client's AppBase
        self.link = VirtualLink(self._client_main, self._server_main, _SETTINGS, costs=costs)
        self.world = self.link.world

    async def _client_main(self, config):
        self._app = Client(config, self._client)
        await self._app.await_msg()

    async def _server_main(self):
        app = asyncio.create_task(self._server_app())
        await server.run({_ID}, False, _PORT, _TIMEOUT_MS, keys={_ID: _KEY}, store=self._store)
        await app

    async def _server_app(self):
        self.conn = await server.client_conn(_ID)
        await self._serve(self.conn)

    @contextlib.contextmanager
    def running(self, settle_s=1.0):
        """Switches power on, and enters this many seconds after both ends have connected."""
        collecting = gc.isenabled()
        gc.disable()  # finalizers would run at times that depend on this process
        try:
            with self.link.boundary():
                self.link.power_on()
                self.until(lambda: self.conn is not None and self.conn.status(), _LIMIT_S)
                self.run_for(settle_s)
                yield self
        finally:
            if collecting:
                gc.enable()

    def run_for(self, seconds):
        self.world.run_for(seconds)
        self._check()

    def until(self, done, limit_s, grain_s=0.001):
        """Runs until done() is true. Returns the seconds that this took. Raises: RuntimeError after limit_s."""
        begin = self.world.now
        while not done():
            if self.world.now - begin > limit_s:
                raise RuntimeError(f"not within {limit_s} s")
            self.run_for(grain_s)
        return self.world.now - begin

    def _check(self):
        if self.link.failure is not None:
            raise RuntimeError(self.link.failure)

    @property
    def counts(self):
        """Returns the counts so far: (time, bytes clocked on the bus, its transactions)."""
        return self.world.now, self.link.bus.bytes, self.link.bus.transactions

    @property
    def fallbacks(self):
        """Returns how often client and bridge found by the clock what no edge had signalled."""
        return self._app.fallbacks()[0] + self.link.esp8266.fallbacks
