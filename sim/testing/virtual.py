"""`virtual_link`: a user's client program and server handler on the link in virtual time."""

import asyncio
import contextlib
import gc
import random
import sys
from types import SimpleNamespace

import server
from pb_link import settings as settings_module
from pb_link.settings import PINS
from sim.testing import modules
from sim.testing.flash import Flash
from sim.testing.observed import ObservedLink, checked_settings, clients_of
from sim.testing.program import BoardProgram
from sim.virtual import chips
from sim.virtual.board import Console
from sim.virtual.costs import MODELS
from sim.virtual.disk import Disk
from sim.virtual.faults import FAULTS, Faults
from sim.virtual.link import VirtualLink
from sim.virtual.sensor_bed import BoardSensors
from sim.wires.sensors.plan import plan_of, populate

MADE = ("id", "key", "pins", "server")  # settings
LOOK_S = 0.01  # between two looks at a condition
SECOND_BUS = ("Y9", "Y10", "Y11")  # scl, sda and the reset of multiplexers: a Pyboard's I2C(2)
PAUSE_S = 1.0  # for which the listener is closed when it is restarted
# Those that slow the readers of the simulator's own applications down.
NOT_FOR_USERS = {"slow-client", "slow-server"}
FAULT_NAMES = tuple(name for name in FAULTS if name not in NOT_FOR_USERS)


class VirtualTestLink(ObservedLink):
    """A client's program, the bridge and the server, on a clock that jumps. Power is on when it is made.

    Args: client: path of the program, or {id: path} of several; handler: async def handler(conn), or None; seed: all
    that is random follows from it; folder: for files; settings: items of pb_settings.json, for all clients; machine:
    names for the module machine of clients; modules: {name: module} that clients import; sensors: what is on the second
    I2C bus of clients, as in a file of `--sensors`; costs: the model of what computing costs.
    """

    def __init__(
        self, client, handler=None, *, seed, folder, settings=None, machine=None, modules=None, sensors=None,
        costs="placeholders", client_may_fail=False, handler_may_fail=False,
    ):  # fmt: skip
        clients = clients_of(client)
        super().__init__(clients, seed, client_may_fail, handler_may_fail)
        _refuse_a_running_loop()
        self._settings = checked_settings(settings, MADE, {"ssid": "virtual", "password": "virtual network"})
        if costs not in MODELS:
            raise ValueError(f"costs is one of {', '.join(MODELS)}, not {costs!r}")
        self._handler = handler and self.watched(handler)
        self._parts = {}
        self._folder = folder
        self._first = None
        chance = random.Random(f"{seed} keys")
        self._keys = {client_id: chance.randbytes(32).hex() for client_id in clients}
        for number, (client_id, path) in enumerate(clients.items()):
            flash = folder / client_id
            flash.mkdir()
            part = _Part(
                BoardProgram(path), flash, self._server_main, self._settings_of(client_id), machine or {},
                modules or {}, sensors, seed=f"{seed} {number}" if number else seed, costs=MODELS[costs],
                beside=self._first,
            )  # fmt: skip
            for name, board in (("client", part.client), ("bridge", part.bridge)):
                board.on_line = lambda board, line, client_id=client_id, name=name: self.printed(client_id, name, line)
                board.on_base_exception = lambda error: self.task_ended(error, may=client_may_fail)
            part.on_failure = self.failed
            self._parts[client_id] = part
            self._first = self._first or part
        self.world = self._first.world
        self._first.server.on_line = lambda board, line: self.printed(self.ids[0], "server", line)
        self._first.server.on_base_exception = lambda error: self.task_ended(error, may=handler_may_fail)
        self._first.server.on_callback_failed = lambda text: self.failed(f"the server: {text}")
        self._disk = Disk(self._first.server, seed)
        self._store = None
        self._listening = None
        self._server = None  # of the present life of its process
        job = SimpleNamespace(restart_listener=self._restart_listener, lazy_until={})
        self._faults = {
            client_id: Faults(part, job, f"{seed} {client_id}") for client_id, part in self._parts.items()
        }
        with self._entered():
            for part in self._parts.values():
                part.power_on()

    def _settings_of(self, client_id):
        return {**self._settings, "id": client_id, "server": "server", "key": self._keys[client_id]}

    # What a test calls.

    @property
    def seconds(self):
        """The time since power was switched on."""
        return self.world.now - self.world.begin_s

    def inject(self, fault, client=None):
        """Injects a fault, now: a name of FAULT_NAMES. client: whose link, where there are several."""
        part = self._faults[self.the_client(client)]
        if fault not in FAULT_NAMES:
            raise ValueError(f"there is no fault {fault!r}: {', '.join(FAULT_NAMES)}")
        self.tell("fault", fault)
        part.inject(fault)

    def wifi(self, up, client=None):
        """Switches the access point of a client's bridge off, or on again."""
        self.tell("fault", f"Wi-Fi {'on' if up else 'off'}")
        self._parts[self.the_client(client)].esp8266.set_wifi(up)

    def connection(self, client=None):
        """Returns the server's Connection of a client, of the present life of the server's process. After a kill, this
        waits for its next life."""
        client = self.the_client(client)
        self._run(lambda: self._first.server.loop is not None, None, "the server")
        return self._server.registry.get(client)

    def on_server(self, coroutine, *, timeout_s=None):
        """Awaits a coroutine in the server's process, as on_server(link.connection().write("on")). Returns its result.

        Raises: LinkFailed when it takes too long; what the coroutine raises.
        """
        board = self._first.server
        self.run_until(lambda: board.loop is not None, timeout_s=timeout_s)
        loop = board.loop
        with self._entered():
            self.world.enter(board)
            task = loop.create_task(coroutine)
            self.world.leave(loop)
        try:
            self._run(task.done, timeout_s, repr(coroutine))
        finally:
            if not task.done():
                task.cancel()
        return task.result()

    def analog(self, pin, value, client=None):
        """Sets what ADC(pin).read_u16() of a client reads: 0 to 65535, or a function () that returns such a number."""
        self._parts[self.the_client(client)].state.analog[str(pin)] = value

    def pin(self, pin, client=None):
        """Returns the net of a client's pin: `level` is what is there, drive("test", 0, 1 or None) drives it."""
        return self._parts[self.the_client(client)].state.net(pin)

    def flash(self, client=None):
        """Returns the folder of a client's files: Path. What it opens by a relative path is there."""
        return self._folder / self.the_client(client)

    def sensors(self, client=None):
        """Returns the SensorWorld of a client's second I2C bus: `plug`, `unplug` and others of its members."""
        wires = self._parts[self.the_client(client)].wires
        if wires is None:
            raise ValueError("there is no second I2C bus: virtual_link(.., sensors=[..]) makes it; [] is an empty one")
        return wires.sensors

    def failed(self, failure):
        super().failed(failure)
        self.world.stop()

    # Time.

    def _pass(self, condition, seconds):
        end = self.world.now + seconds
        collects = gc.isenabled()
        gc.disable()  # finalizers would run in whichever board's program is running
        try:
            with self._entered():
                while not self._failures and not (condition and condition()) and self.world.now < end:
                    left = end - self.world.now
                    self.world.run_for(min(LOOK_S, left) if condition else left)
        finally:
            if collects:
                gc.enable()

    @contextlib.contextmanager
    def _entered(self):
        """Replaces the clock, the randomness and the console of this process by the boards' for a while."""
        _refuse_a_running_loop()
        with self._first.entered():
            stderr, sys.stderr = sys.stderr, Console(self.world, sys.stderr)
            own = server._server
            server._server = self._server or own
            try:
                yield
            finally:
                server._server = own
                sys.stderr = stderr

    def close(self):
        """Takes all power away. Does nothing the second time."""
        with self._entered():
            for part in self._parts.values():
                part.close()
        self._disk.remove()

    # The server's program.

    def _server_main(self):
        self._server = server.default_server()
        return self._serve()

    async def _serve(self):
        self._store = self._disk.open_store()
        serving = None
        if self._handler is not None:
            serving = asyncio.create_task(server.serve(self._handler))
        while True:
            self._listening = asyncio.create_task(self._listen())
            await asyncio.wait([task for task in (self._listening, serving) if task], return_when="FIRST_COMPLETED")
            if not self._listening.cancelled() and self._listening.done():
                self._listening.result()
            if serving is not None and serving.done():
                serving.result()
            await asyncio.sleep(PAUSE_S)

    async def _listen(self):
        port, timeout_ms = self._settings["port"], self._settings["timeout_ms"]
        await server.run(set(self._keys), False, port, timeout_ms, keys=self._keys, store=self._store)

    def _restart_listener(self):
        if self._listening is not None:
            self._listening.cancel()


class VirtualLinkFixture:
    """The fixture virtual_link: a function that makes a VirtualTestLink of its arguments, and closes it after the
    test. Args: make(class, client, handler, seed, options)."""

    def __init__(self, make):
        self._make = make

    def __call__(self, client, handler=None, *, seed=None, **options):
        return self._make(VirtualTestLink, client, handler, seed, options)


def _refuse_a_running_loop():
    if asyncio._get_running_loop() is not None:
        raise RuntimeError("virtual_link has loops of its own: use it in a test that is a plain function")


class _Part(VirtualLink):
    """One client with its bridge, whose client's program is a user's."""

    def __init__(self, program, folder, server_main, settings, machine, more_modules, sensors, **options):
        super().__init__(None, server_main, settings, **options)
        self.program = program
        self._folder = folder  # of its flash
        self.state = modules.BoardState(self.client)
        self.on_failure = None  # function(text)
        self._machine = machine
        self._more_modules = more_modules
        self.wires = None
        if sensors is not None:
            self.wires = BoardSensors(self.client, self.costs, pins=SECOND_BUS, owes=True)
            for devices in plan_of(sensors).devices.values():
                populate(self.wires.sensors, devices, None)

    def _client_program(self, board):
        life, flash = chips.Life(board), Flash(self._folder)
        found = modules.modules_of(life, self.bus, self.state, self._restart, self._i2c, flash, self._machine)
        settings = dict(self.settings)
        found["pb_link.settings"] = modules.module(
            "pb_link.settings", **{
                **vars(settings_module), "read": lambda path="": settings, "pins_of": lambda *_: PINS["pyboard"],
            }
        )  # fmt: skip
        config = board.execute("pb_link.config", found, "pb_link.config")
        found["pb_link.config"] = modules.module("pb_link.config", **config)
        found.update(self._more_modules)
        self.program.run(found, flash.open)
        self._ended(board, None)

    def _i2c(self, *pins, **options):
        if self.wires is None:
            modules.no_second_bus()
        return self.wires.i2c()

    def _restart(self, cause, seconds):
        self.kill_client()
        self.state.cause = cause
        self.world.after(seconds + self.costs.client_boot_s, self._start_again)

    def _start_again(self):
        if self.client.loop is None:
            self.start_client()

    def kill_client(self):
        self.state.cause = modules.PWRON_RESET
        super().kill_client()

    def _ended(self, board, fault):
        if board is self.client and fault is None:
            print("(the program has ended)")
        else:
            self.on_failure(f"the {board.name}'s program has ended: {fault!r}")
