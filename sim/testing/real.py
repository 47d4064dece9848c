"""`real_link`: a user's client program in MicroPython on simulated boards, with the bridge and a server, in real time.

The boards' processes, the wires and the server live in a loop in a thread of their own, so that they go on whatever the
test does meanwhile. The server has its port and its store; the handler runs in the test's process.
"""

import asyncio
import contextlib
import json
import os
import random
import threading
import time

import server
from pb_link.settings import FILE
from sim.mpy import interpreters
from sim.mpy.fault_actions import NAMES as FAULT_NAMES
from sim.mpy.fault_actions import FaultActions
from sim.mpy.link_bed import LinkBed
from sim.mpy.server_process import free_port
from sim.testing.observed import LinkFailed, ObservedLink, checked_settings, clients_of
from sim.wires.sensors.plan import plan_of

MADE = ("id", "key", "pins", "server", "port")  # settings
LOOK_S = 0.02  # between two looks at a condition
PAUSE_S = 1.0  # for which the listener is closed when it is restarted
CALL_S = 60.0  # for the loop's thread to do what it is asked to
ANSWER_S = 10.0  # for it to turn to what it is asked: a handler that does not await keeps it from that


class RealTestLink(ObservedLink):
    """A client's program on a simulated Pyboard, the bridge, and the server. Power is on when it is made.

    Args: client: path of the program, or {id: path} of several; handler: async def handler(conn), or None; seed: of
    keys and faults; folder: for files; settings, sensors: as for VirtualTestLink. Raises: interpreters.NoInterpreter.
    """

    default_timeout_s = 120.0

    def __init__(
        self, client, handler=None, *, seed, folder, settings=None, sensors=None, client_may_fail=False,
        handler_may_fail=False,
    ):  # fmt: skip
        clients = clients_of(client)
        super().__init__(clients, seed, client_may_fail, handler_may_fail)
        self._settings = checked_settings(settings, MADE, {"ssid": "real", "password": "real network"})
        self._settings["port"] = free_port()
        self._boards = {"interpreter": interpreters.find()}
        if interpreters.has_bridge():
            self._boards["bridge_interpreter"] = interpreters.find(interpreters.BRIDGE)
        self._handler = handler and self.watched(handler)
        self._folder = folder
        self._sensors = sensors
        chance = random.Random(f"{seed} keys")
        self._keys = {client_id: chance.randbytes(32).hex() for client_id in clients}
        self._server, self._store, self._listening = server.Server(), None, None
        self._beds, self._faults, self._tasks = {}, {}, []
        self._begin = time.monotonic()
        self._default_server, server._server = server._server, self._server  # of the functions that handlers import
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(self._unhandled)
        self._thread = threading.Thread(target=self._loop.run_forever, name="real_link", daemon=True)
        self._thread.start()
        try:
            self._call(self._start(clients))
        except BaseException:
            self.close()
            raise

    # What a test calls.

    @property
    def seconds(self):
        """The time since power was switched on."""
        return time.monotonic() - self._begin

    def inject(self, fault, client=None):
        """Begins a fault: a name of FAULT_NAMES. client: whose link, where there are several."""
        faults = self._faults[self.the_client(client)]
        if fault not in FAULT_NAMES:
            raise ValueError(f"there is no fault {fault!r}: {', '.join(FAULT_NAMES)}")
        self.tell("fault", fault)
        self._loop.call_soon_threadsafe(faults.begin, fault)

    def wifi(self, up, client=None):
        """Switches the access point of a client's bridge off, or on again."""
        self.tell("fault", f"Wi-Fi {'on' if up else 'off'}")
        self._loop.call_soon_threadsafe(self._beds[self.the_client(client)].esp8266.set_wifi, up)

    def connection(self, client=None):
        """Returns the server's Connection of a client."""
        return self._server.registry.get(self.the_client(client))

    def on_server(self, coroutine, *, timeout_s=None):
        """Awaits a coroutine in the server's loop. Returns its result. Raises: LinkFailed; what it raises."""
        future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            self._run(future.done, timeout_s, repr(coroutine))
        finally:
            if not future.done():
                future.cancel()
        return future.result()

    def flash(self, client=None):
        """Returns the folder of a client's files: Path."""
        return self._folder / self.the_client(client)

    def close(self):
        """Takes all power away, and ends the server. Does nothing the second time. Raises: LinkFailed."""
        if self._thread is None:
            return
        thread, self._thread = self._thread, None
        server._server = self._default_server
        ended = False
        try:
            if self._answers():
                self._call(self._end())
                ended = True
        except TimeoutError:
            pass  # the handler blocks at its end
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            thread.join(ANSWER_S)
            if not ended:
                self._kill_boards()
            if not thread.is_alive():
                self._loop.close()
        if not ended:
            raise LinkFailed("the handler blocks the server's loop: it computes, or calls what waits, without an await")

    def _answers(self):
        """Returns whether the loop's thread does what it is asked."""
        answered = threading.Event()
        self._loop.call_soon_threadsafe(answered.set)
        return answered.wait(ANSWER_S)

    def _kill_boards(self):
        """Ends the boards' processes while their loop does not run."""
        for board in (board for bed in self._beds.values() for board in bed.bed.boards.values()):
            if board.process is not None:
                with contextlib.suppress(ProcessLookupError):
                    board.process.kill()

    def _pass(self, condition, seconds):
        end = time.monotonic() + seconds
        while not self._failures and not (condition and condition()) and time.monotonic() < end:
            time.sleep(LOOK_S)

    def _call(self, coroutine):
        """Returns the result of a coroutine that the loop's thread awaits."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(CALL_S)

    # In the loop's thread.

    async def _start(self, clients):
        self._store = server.SQLiteStore(self._folder / "pb_link.db")
        self._tasks.append(asyncio.create_task(self._serve()))
        if self._handler is not None:
            self._tasks.append(asyncio.create_task(self._server.serve(self._handler)))
        for client_id, path in clients.items():
            bed = self._beds[client_id] = self._bed(client_id, path)
            self._faults[client_id] = FaultActions(bed, self._restart_listener, self.tell, f"{self.seed} {client_id}")
            await bed.power_on()
            self._tasks.append(asyncio.create_task(self._keep(client_id, bed)))

    def _bed(self, client_id, path):
        if not os.path.isfile(path):
            raise FileNotFoundError(f"there is no client program {path}")
        flash = self._folder / client_id
        flash.mkdir()
        settings = {**self._settings, "id": client_id, "key": self._keys[client_id]}
        (flash / FILE).write_text(json.dumps(settings), encoding="utf-8")
        return LinkBed(
            path,
            client_cwd=flash,
            **self._boards,
            on_line=lambda board, line: self.printed(client_id, board, line),
            log=self.tell,
            sensor_plan=None if self._sensors is None else plan_of(self._sensors),
        )

    async def _keep(self, client_id, bed):
        status = await bed.run_client(lambda: self.tell("client", "starts again"))
        self.tell("client", f"the program of {client_id} has ended with status {status}")
        if status and not self._client_may_fail:
            self.failed(f"the program of {client_id} has ended with status {status}: its output says why")

    async def _serve(self):
        while True:
            self._listening = asyncio.create_task(self._listen())
            await asyncio.wait([self._listening])
            if not self._listening.cancelled():
                self.failed(self._listening.exception() or "the server has ended")
                return
            await asyncio.sleep(PAUSE_S)

    async def _listen(self):
        port, timeout_ms = self._settings["port"], self._settings["timeout_ms"]
        keys = self._keys
        await self._server.run(set(keys), False, port, timeout_ms, keys=keys, store=self._store, host="127.0.0.1")

    def _unhandled(self, loop, context):
        loop.default_exception_handler(context)
        error = context.get("exception")
        if error is not None and not isinstance(error, Exception):
            self.task_ended(error, may=self._handler_may_fail)
        elif "handle" in context:  # a callback: of a task it is not known whether its exception matters
            text = f"{context['message']}: {error!r}"
            self.tell("server", f"! {text}")
            self.failed(f"the server: {text}")

    def _restart_listener(self):
        self._listening.cancel()

    async def _end(self):
        for faults in self._faults.values():
            faults.close()
        tasks = [task for task in (*self._tasks, self._listening) if task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for bed in self._beds.values():
            await bed.close()
        if self._store is not None:
            self._store.close()


class RealLinkFixture:
    """The fixture real_link: a function that makes a RealTestLink of its arguments, and closes it after the test.
    Args: make(class, client, handler, seed, options)."""

    def __init__(self, make):
        self._make = make

    def __call__(self, client, handler=None, *, seed=None, **options):
        return self._make(RealTestLink, client, handler, seed, options)
