"""The applications of a counted run: both write numbered lines and log what they read. They are ordinary programs."""

import asyncio
from collections import namedtuple

import server
from pb_link.app_base import AppBase
from sim.apps.counted_lines import make_line

PORT = 8123
TIMEOUT_MS = 1500
CLIENT_ID = "virtual"
WIFI_PASSWORD = "virtual8"
# One write in `wait_every` waits until the other end has it; the client's and the server's seconds between two lines.
Pace = namedtuple("Pace", "wait_every client_s server_s", defaults=(10, 0.0, 0.0))
PACE = Pace()
# The listener is closed for this long when it is restarted.
PAUSE_S = 1.0
# Pause before the client's application repeats a call that has met a MemoryError.
MEMORY_PAUSE_S = 0.01


class Client(AppBase):
    """The client's application. Args: those of AppBase; job: Job."""

    def __init__(self, job, config):
        self._job = job
        self._life = job.ledger.new_life()
        self._others = [task for work in job.works for task in work.tasks(self)]
        super().__init__(config["conn_id"], config["config"], config["hardware"], job.verbose)
        job.client_begins(self)

    def start(self):
        for task in [self._write_lines, self._read_lines, *self._others]:
            while True:
                try:
                    self.create_task(task())
                    break
                except MemoryError:  # it has not begun
                    pass

    async def _write_lines(self):
        job, life = self._job, self._life
        for number in range(job.ledger.client_next, job.lines):
            await job.pause("client", number == job.lines - 1)
            line = make_line("c", number, job.size, job.seed)
            job.ledger.wrote(life.written, "client", line)
            wait = job.waits(number)
            while True:
                try:
                    await self.write(line, wait=wait)
                    break
                except MemoryError:  # nothing has been sent
                    await asyncio.sleep(MEMORY_PAUSE_S)
            if wait:
                life.acknowledged = len(life.written)
        job.ledger.has_finished(life)

    async def _read_lines(self):
        job = self._job
        while True:
            await job.before_read("client")
            try:
                line = await self.readline()
            except MemoryError:  # the line is still there
                await asyncio.sleep(MEMORY_PAUSE_S)
                continue
            job.ledger.has_read(self._life.read, "client", line[:-1])

    async def bad_wifi(self):
        print("! Wi-Fi could not be joined")

    async def bad_server(self):
        print("! no server yet")

    async def report(self, data):
        self._job.reports += 1

    async def server_ok(self, up):
        print("! server", "up" if up else "down")


class Job:
    """The work of the applications in one run. Args: key: 64 hexadecimal digits; pace: Pace."""

    def __init__(self, ledger, *, lines, size, seed, key, verbose=False, pace=PACE):
        self.ledger = ledger
        self.lines = lines
        self.size = size
        self.seed = seed
        self.verbose = verbose
        self.pace = pace
        self.reports = 0
        self.works = []  # what there is beside the lines, such as a ChannelWork: each has its methods and a `ledger`
        self._client = None  # in the newest life
        self._fallbacks = 0  # in the other lives
        self.writing = None  # the server's line whose write has not returned
        self.conn = None  # the server's Connection
        self.silent_until = 0.0  # nobody writes before this time
        self.lazy_until = {"client": 0.0, "server": 0.0}  # readers that do not read for a while
        self.open_store = server.MemoryStore  # called once in each life of the server's process
        self._next_number = 0  # of the client's lines: the server's application keeps it with what it has read
        self._key = key
        self._store = None
        self._serving = None

    @property
    def settings(self):
        return {
            "port": PORT, "server": "server", "timeout_ms": TIMEOUT_MS, "report_s": 10, "ssid": "virtual",
            "password": WIFI_PASSWORD, "id": CLIENT_ID, "key": self._key,
        }  # fmt: skip

    @property
    def fallbacks(self):
        """Returns how many checks by the clock found what no edge had signalled, in all lives of the client."""
        # Not by `fallbacks()`: that makes a list, and this is called on the board, whose memory may be short.
        return self._fallbacks + (self._client._link.fallbacks.client if self._client else 0)

    def client_begins(self, client):
        self._fallbacks = self.fallbacks
        self._client = client

    async def pause(self, end, last):
        """Waits before each line and message, according to the pace. last: it is the last one of its kind."""
        silence = self.silent_until - asyncio.get_running_loop().time()
        interval_s = self.pace.client_s if end == "client" else self.pace.server_s
        if interval_s or silence > 0:
            await asyncio.sleep(max(interval_s, silence))

    def waits(self, number):
        """Returns True if the write of this line waits until the other end has it."""
        return number % self.pace.wait_every == 0

    async def before_read(self, end):
        late = self.lazy_until[end] - asyncio.get_running_loop().time()
        if late > 0:
            await asyncio.sleep(late)

    async def client_main(self, config):
        await Client(self, config).await_msg()

    async def server_main(self):
        if self.writing is not None:  # in the life before
            self.ledger.unfinished.append(self.writing)
            self.writing = None  # it is not written again
        for work in self.works:
            work.server_begins()
        self.ledger.finished = False
        self._store = self.open_store()
        application = asyncio.create_task(self._application())
        while not application.done():
            self._serving = asyncio.create_task(self._serve())
            await asyncio.wait((self._serving, application), return_when=asyncio.FIRST_COMPLETED)
            if not self._serving.cancelled() and self._serving.done():
                self._serving.result()
            if application.done():
                application.result()  # at once, with its traceback
            await asyncio.sleep(PAUSE_S)

    def restart_listener(self):
        if self._serving is not None:
            self._serving.cancel()

    async def _serve(self):
        own = CLIENT_ID
        await server.run({own}, self.verbose, PORT, TIMEOUT_MS, keys={own: self._key}, store=self._store)

    async def _application(self):
        self.conn = conn = await server.client_conn(CLIENT_ID)
        jobs = [self._write_lines(conn), self._read_lines(conn)]
        for work in self.works:
            jobs += work.server_tasks(conn)
        await asyncio.gather(*jobs)

    async def _write_lines(self, conn):
        ledger = self.ledger
        for number in range(len(ledger.server_written), self.lines):
            await self.pause("server", number == self.lines - 1)
            line = make_line("s", number, self.size, self.seed)
            ledger.wrote(ledger.server_written, "server", line)
            self.writing = line
            await conn.write(line, wait=self.waits(number))
            self.writing = None
        ledger.has_finished(ledger)

    async def _read_lines(self, conn):
        lines = conn.lines()
        while True:
            await self.before_read("server")
            line = await lines.__anext__()
            if lines.number >= self._next_number:  # a process that was killed had not got this far
                self.ledger.has_read(self.ledger.server_read, "server", line[:-1])
                self._next_number = lines.number + 1
