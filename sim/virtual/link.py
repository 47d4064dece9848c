"""The link in virtual time: client, bridge and server with their own programs, wired as in docs/hardware.md."""

import contextlib
import os
import random
import sys
from hashlib import sha256

import esp_link.bridge  # noqa: F401  (loaded before the boundary is entered)
import pb_link.app_base  # noqa: F401
import pb_link.start  # noqa: F401
import server
from pb_link.settings import PINS
from primitives import nonces, platform, waiting
from sim.virtual import chips
from sim.virtual.board import ASYNCIO, Board, Console
from sim.virtual.costs import PLACEHOLDERS
from sim.virtual.esp8266 import Esp8266
from sim.virtual.network import Network, Networks
from sim.virtual.world import ROUNDING_S, World
from sim.wires import wifi
from sim.wires.nets import Net
from sim.wires.wire import Bus
from sim.wires.wiring import WIRING

TICKS_BITS = 30  # of both chips
# ticks_ms wraps this long after the start of a run.
BEFORE_WRAP_S = 7.0
# About 1.5 ms at 400 kHz. The target's programs run between two chunks. A cut leaves a partial transfer.
CHUNK_BYTES = 64
# Packages whose modules take functions of the boundary by name.
PACKAGES = ("protocol", "primitives", "i2c_devices", "pb_link", "esp_link", "server", "sensor_bus")
SIMULATOR = __name__.rpartition(".virtual.")[0]  # in a wheel it is below pb_link


class VirtualLink:
    """The link, without power. Args: client_main: coroutine function (hardware, settings, modules) that is the client's
    program; server_main: coroutine function () that is the server's; settings: the client's, by name; beside: another
    VirtualLink, whose world and server's process this one shares: a further client with its bridge."""

    def __init__(
        self,
        client_main,
        server_main,
        settings,
        *,
        seed=1,
        costs=PLACEHOLDERS,
        chunk_bytes=CHUNK_BYTES,
        clock_hz=None,
        ticks_bits=TICKS_BITS,
        beside=None,
    ):
        self.costs = costs
        self._ticks_bits = ticks_bits
        self.settings = settings
        self._beside = beside
        self.world = world = beside.world if beside else World((1 << ticks_bits) / 1000 - BEFORE_WRAP_S)
        self.nets = {name: Net(name, pull_up=pull_up) for name, (_, _, pull_up) in WIRING.items()}
        pins = {"client": {}, "bridge": {}}
        for name, (client_pin, gpio, _) in WIRING.items():
            pins["client"][client_pin] = self.nets[name]
            if gpio:
                pins["bridge"][gpio] = self.nets[name]
        us = {"switch_us": costs.switch_us, "sha256_us": costs.sha256_us, "irq_us": costs.irq_us}
        slow = {**us, "switch_us": costs.bridge_switch_us, "sha256_us": costs.bridge_sha256_us}
        self.client = Board(world, "client", pins["client"], seed=seed, **us)
        self.bridge = Board(world, "bridge", pins["bridge"], seed=seed, blocks=True, **slow)
        self.server = beside.server if beside else Board(world, "server", {}, seed=seed)
        self.bus = Bus(self.nets["scl"], self.nets["sda"], chunk_bytes)
        self.network = wifi.Network()
        elsewhere = wifi.Network(*wifi.ELSEWHERE, server=False)
        self.air = wifi.Air(elsewhere, self.network, assoc_s=costs.assoc_s)
        self.esp8266 = Esp8266(self.bridge, self.nets["rst"], self.bus, self.air, costs, clock_hz or costs.clock_hz)
        self.tcp = self.esp8266.tcp = Network(world, costs, self.esp8266.connected)
        self.networks = beside.networks if beside else []  # in which the server's process listens
        self.networks.append(self.tcp)
        self.client.on_end = self._ended
        if beside is None:
            self.server.on_end = self._ended
        self.failure = None  # why the run cannot go on
        self.target = None  # the client's I2CTarget, while it is open
        self._client_main = client_main
        self._server_main = server_main
        self._random = random.Random(f"{seed} world")

    # Power.

    def power_on(self):
        if self._beside is None:
            self.start_server()
        self.esp8266.power_on()
        # The order of the two is random.
        self.world.after(self.costs.client_boot_s * self._random.uniform(0.3, 6), self.start_client)

    def start_client(self):
        self.client.power_on(self._client_program)

    def kill_client(self):
        """Takes the client's power away."""
        self.world.trace("client", "power off")
        self.client.kill()

    def _client_program(self, board):
        life = chips.Life(board)
        settings = {"id": "virtual", **self.settings}
        modules = chips.client_modules(life, self.bus, "X9", "X10")
        pins = PINS["pyboard"]
        modules["pb_link.settings"] = chips.module("settings", read=lambda: settings, pins_of=lambda *_: pins)
        modules["asyncio"] = ASYNCIO
        config = board.execute("pb_link.config", modules, "pb_link.config")
        ASYNCIO.run(self._client_main(config))

    def start_server(self):
        if self._beside is not None:
            return self._beside.start_server()
        self.server.power_on(self._server_program)

    def _server_program(self, board):
        board.loop.network = self.tcp if len(self.networks) == 1 else Networks(self.networks)
        server._server = server.Server()  # a process has one of its own
        ASYNCIO.run(self._server_main())

    def kill_server(self):
        """Kills the server's process."""
        self.world.trace("server", "killed")
        if self.server.loop is not None:
            for network in self.networks:  # first: what its `finally` clauses say is heard by nobody
                network.process_killed(self.server.loop)
        self.server.kill()

    def _ended(self, board, fault):
        self.failure = f"the {board.name}'s program ended: {fault!r}"
        self.world.stop()

    def close(self):
        for board in (self.client, self.bridge, self.server):
            board.kill()

    # The boundary: functions outside the boards' programs that these call.

    @contextlib.contextmanager
    def boundary(self):
        """As `entered`, and takes all power away at the end."""
        with self.entered():
            try:
                yield self
            finally:
                self.close()

    @contextlib.contextmanager
    def entered(self):
        """Replaces os.urandom, sys.stdout, ticks_ms, the moment and SHA-256 by the boards' while it is entered."""
        world = self.world
        urandom, stdout, real_server = os.urandom, sys.stdout, server._server

        def board_urandom(n):
            board = world.current
            return (self._random if board is None else board.random).randbytes(n)

        wrap = 1 << self._ticks_bits

        def ticks_ms():  # as primitives.platform, without looking for the loop that runs
            return int((world.now + ROUNDING_S) * 1000) & (wrap - 1)

        def ticks_add(ticks, delta):
            return (ticks + delta) & (wrap - 1)

        def ticks_diff(a, b):
            return ((a - b + wrap // 2) & (wrap - 1)) - wrap // 2

        def board_moment():  # of a board whose clock has no battery
            since = 0.0 if world.current is None else world.current.booted_at
            return int((world.now - since) * 1e6).to_bytes(8, "big")

        def costly_sha256(data=b""):
            return CostlyHash(world.current, data)

        replaced = []
        for module, substitute in ((platform, ticks_ms), (waiting, ticks_add), (platform, ticks_diff)):
            name = substitute.__name__
            replaced.append(_replace(name, getattr(module, name), substitute))
        replaced.append(_replace("moment", nonces.moment, board_moment))
        if self.costs.sha256_us:
            replaced.append(_replace("sha256", sha256, costly_sha256))
        os.urandom = board_urandom
        sys.stdout = Console(world, stdout)
        try:
            yield self
        finally:
            os.urandom, sys.stdout = urandom, stdout
            for name, original, substitute in replaced:
                _replace(name, substitute, original)
            server._server = real_server


def _replace(name, original, substitute):
    """Puts a substitute where modules of the project have imported a function by name. Returns the arguments.

    A module that is loaded after that imports the substitute. So to restore it, replace it in all modules there are.
    """
    for module_name, module in sorted(sys.modules.items()):
        if _is_of_a_board(module_name) and getattr(module, name, None) is original:
            setattr(module, name, substitute)
    return name, original, substitute


def _is_of_a_board(module_name):
    return module_name.partition(".")[0] in PACKAGES and not f"{module_name}.".startswith(f"{SIMULATOR}.")


class CostlyHash:
    """A hashlib.sha256 that takes the board's time.

    On a board that blocks it takes it at once: interrupts come between a transfer and its processing. Otherwise it
    takes it afterwards.
    """

    __slots__ = ("_board", "_hash", "_size")

    def __init__(self, board, data):
        self._board = board
        self._hash = sha256(data)
        self._size = len(data)

    def update(self, data):
        self._hash.update(data)
        self._size += len(data)

    def digest(self):
        board = self._board
        if board is not None and board.sha256_us:
            # A padding of 9 bytes, in blocks of 64: FIPS 180-4, 5.1.1.
            us = board.sha256_us * ((self._size + 72) // 64)
            if board.blocks:
                board.compute(us)
            else:
                board.charge(us)
        return self._hash.digest()
