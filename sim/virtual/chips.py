"""Stand-ins for `machine`, `network`, `esp`, .. of one life of a board, on the nets and buses of sim/wires/wire.py.

A call in a life that is over does nothing: a dead board has no effect on the outside. Semantics as in bed *mpy*
(sim/mpy/boards/). These stand-ins are shorter: they have only what the project's programs use.
"""

import types

from sim.virtual.world import BoardDied
from sim.wires import wifi
from sim.wires.chip import bite_at
from sim.wires.nets import ALT, IN, OPEN_DRAIN, OUT
from sim.wires.on_board.i2c_target import IRQ_END_READ, IRQ_END_WRITE, IRQ_HARD_ONLY, READ, TargetModel
from sim.wires.pieces import Answer, Cut, Pause
from sim.wires.wire import Controller, Port

VANISHED = Answer(False, 0, 0, b"")


class Life:
    """One life of a board: `alive` until it loses power or is reset."""

    def __init__(self, board):
        self.board = board
        self.world = board.world
        self.alive = True
        board.at_death(self._end)

    def _end(self):
        self.alive = False

    def block(self, us):
        """Lasts as long as a call that blocks. Returns the microseconds that passed. Raises: BoardDied."""
        passed = self.world.block(self.board, us)
        if not self.alive:
            raise BoardDied
        return passed


def pin_class(life):
    """Returns `machine.Pin` of this life."""
    board = life.board
    modes = {0: IN, 1: OUT, 2: OPEN_DRAIN}

    class Pin:
        IN, OUT, OPEN_DRAIN = 0, 1, 2
        PULL_UP = 1
        IRQ_RISING, IRQ_FALLING = 1, 2

        def __init__(self, id, mode=None, pull=None, value=None):
            self._name = str(id)
            if self._name not in board.pins:
                raise ValueError("invalid pin")
            self._pin = board.pins[self._name]
            if mode is not None:
                self.init(mode, pull, value=value)

        def __repr__(self):
            return f"Pin({self._name})"

        def init(self, mode, pull=None, *, value=None):
            if life.alive:
                self._pin.configure(modes[mode], pull, value)

        def value(self, *level):
            if not level:
                return self._pin.read()
            if life.alive:
                self._pin.write(level[0])

        __call__ = value

        def irq(self, handler=None, trigger=3, hard=False):
            if life.alive:
                board.set_irq(self._name, handler, trigger & self.IRQ_FALLING, trigger & self.IRQ_RISING, self)

    return Pin


class Time:
    """The module `time`: a call lasts as long as it says. Meanwhile the other boards go on."""

    def __init__(self, life):
        self._life = life

    def sleep_ms(self, ms):
        self._life.block(ms * 1000)

    def ticks_us(self):
        return int(self._life.world.now * 1e6)

    def ticks_diff(self, end, start):
        return end - start


class SoftI2C:
    """`machine.SoftI2C`: the transfers that a bridge uses. A call lasts as long as its transfer. Meanwhile the other
    boards go on."""

    def __init__(self, life, bus, setup_us, clock_hz, faults):
        self._life = life
        self._board = life.board
        self._bus = bus
        self._setup_us = setup_us
        self._clock_hz = clock_hz
        self._faults = faults
        self._controller = None

    def __call__(self, scl, sda, *, freq=400000, timeout=50000):
        """The constructor."""
        for pin in (scl, sda):
            self._board.pins[pin._name].configure(OPEN_DRAIN, None, 1)
        self._controller = Controller(self._bus, self._board.name, clock_hz=self._clock_hz or freq, timeout_us=timeout)
        self._board.at_death(self._let_go)
        return self

    def _let_go(self):
        for net in (self._bus.scl, self._bus.sda):
            net.drive((self._board.name, "i2c"), None)

    def readfrom_mem_into(self, address, memaddr, buf, *, addrsize=8):
        size = addrsize // 8
        self._begin(True, memaddr, len(buf))
        controller = self._controller
        result = self._run(controller.write(address, memaddr.to_bytes(size, "big"), False))
        # As on the port, an address that is not fully acknowledged ends it without an error and without data.
        if not result.errno and result.acks == size:
            result = self._run(controller.read(address, len(buf), True))
            if not result.errno:
                buf[: len(result.data)] = result.data
        self._end(result)

    def writeto_mem(self, address, memaddr, data, *, addrsize=8):
        self._begin(False, memaddr, len(data))
        head = memaddr.to_bytes(addrsize // 8, "big")
        self._end(self._run(self._controller.write(address, head + bytes(data), True)))

    def readfrom_into(self, address, buf, stop=True):
        self._begin(True, None, len(buf))
        result = self._run(self._controller.read(address, len(buf), stop))
        buf[: len(result.data)] = result.data
        self._end(result)

    def writeto(self, address, data, stop=True):
        self._begin(False, None, len(data))
        result = self._run(self._controller.write(address, bytes(data), stop))
        self._end(result)
        return result.acks

    def _begin(self, read, memaddr, size):
        world = self._life.world
        if world.tracer is not None:
            world.trace("wire", f"{'read' if read else 'write'} {size} at {memaddr}")
        if self._faults is not None:
            self._faults.before_transfer(self._bus, read, size)
        self._life.block(self._setup_us)

    def _end(self, result):
        if self._faults is not None:
            self._faults.after_transfer(self._bus)
        if result.errno:
            self._life.world.trace("wire", f"error {result.errno}")
            raise OSError(result.errno)

    def _run(self, transfer):
        """Drives one transfer of sim/wires/wire.py."""
        life, board, world = self._life, self._board, self._life.world
        reply = None
        try:
            while True:
                step = transfer.send(reply)
                reply = None
                if type(step) is not Pause:
                    reply = step.port.owner.answer(step)
                elif step.us > 0:
                    passed_us = world.block(board, step.us)
                    if not life.alive:
                        self._cut(transfer, passed_us)
                        raise BoardDied
        except StopIteration as end:
            if not life.alive:  # a fault at one of its bytes
                raise BoardDied
            return end.value

    @staticmethod
    def _cut(transfer, elapsed_us):
        """Ends a transfer whose board has lost power: the bytes that had crossed still reach the target."""
        try:
            step = transfer.throw(Cut(elapsed_us))
            while True:
                reply = None if type(step) is Pause else step.port.owner.answer(step)
                step = transfer.send(reply)
        except (StopIteration, Cut):
            return


class I2CTarget:
    """`machine.I2CTarget`, in the stm32 form."""

    IRQ_END_READ, IRQ_END_WRITE = IRQ_END_READ, IRQ_END_WRITE

    def __init__(self, life, bus, pins, addr, mem=None, mem_addrsize=8):
        self._life = life
        self._board = life.board
        self._bus = bus
        self._handler = None
        self._trigger = 0
        self._hard = False
        self._flags = 0
        self._model = TargetModel(self._fire, mem=mem, mem_addrsize=mem_addrsize)
        for pin in pins:
            self._board.pins[pin].configure(ALT)
        self._port = Port(self, addr)
        self._stretch_us = 0
        bus.attach(self._port)
        self._board.at_death(self.deinit)

    @property
    def memaddr(self):
        return self._model.memaddr

    def irq(self, handler=None, trigger=IRQ_END_READ | IRQ_END_WRITE, hard=False):
        """Returns the interrupt's object, which is the target itself."""
        if handler is None:
            return self
        if trigger & IRQ_HARD_ONLY and not hard:
            raise ValueError("hard IRQ required")
        self._handler, self._trigger, self._hard = handler, trigger, hard
        self._model.per_byte = bool(trigger & IRQ_HARD_ONLY)
        return self

    def flags(self):
        return self._flags

    def write(self, data):
        return self._model.write(data)

    def readinto(self, buf):
        return self._model.readinto(buf)

    def deinit(self):
        self._bus.detach(self._port)
        self._handler = None

    def stretch(self, us):
        """Injects a fault: the target holds the clock this long at its next piece."""
        self._stretch_us = us

    def sleep(self, seconds):
        """Injects a fault: the target is off the bus for this long."""
        self._bus.detach(self._port)
        self._life.world.after(seconds, self._awake)

    def _awake(self):
        if self._handler is not None and self._port not in self._bus.ports:  # not closed meanwhile
            self._bus.attach(self._port)

    def _fire(self, event):
        if self._handler is None or not self._trigger & event:
            return False
        self._flags = event
        if self._hard:
            self._handler(self)
        else:
            self._board.interrupt(self._handler, self, "i2c")
        return True

    def answer(self, piece):
        """Answers a piece from the bus."""
        if self._port not in self._bus.ports:
            return VANISHED
        read = piece.flags & READ
        buf = bytearray(piece.size) if read else piece.data
        held_us, self._stretch_us = self._stretch_us, 0
        if held_us > piece.limit_us:
            return Answer(False, 0, piece.limit_us, b"")
        model = self._model
        ok = model.transact(piece.flags, piece.limit_us, memoryview(buf))
        data = bytes(buf[: model.moved]) if read else b""
        return Answer(ok, model.moved, model.held_us + held_us, data)


class Watchdog:
    """`machine.WDT`: resets at the second tick of its timer since it was fed."""

    def __init__(self, life, tick_s, on_bite):
        self._life = life
        self._tick_s = tick_s
        self._on_bite = on_bite
        self._booted = life.world.now
        self._started = False

    def __call__(self, id=0, timeout=5000):
        """The constructor."""
        self.feed()
        if not self._started:
            self._started = True
            self._life.world.at(self._due(), self._watch)
        return self

    def feed(self):
        self._fed = self._life.world.now

    def _due(self):
        return bite_at(self._fed, self._tick_s, self._booted)

    def _watch(self):
        if not self._life.alive:
            return
        world = self._life.world
        due = self._due()
        if due > world.now:
            world.at(due, self._watch)
        else:
            self._on_bite()


class WLAN:
    """`network.WLAN` of one interface. `station` None: the access point, which serves no station."""

    def __init__(self, life, station, name_server):
        self._life = life
        self._station = station
        self._name_server = name_server

    def active(self, *on):
        if self._station is None:
            return False
        if on and self._life.alive:
            self._station.set_active(on[0], self._life.world.now)
        return self._station.active

    def isconnected(self):
        return self.status() == wifi.GOT_IP

    def ifconfig(self):
        if self.isconnected():
            return "10.0.0.2", "255.255.255.0", self._name_server, self._name_server
        return ("0.0.0.0",) * 4

    def status(self, what=None):
        if what == "rssi":  # of a chip that has joined no network: 31
            return wifi.RSSI_DBM if self.isconnected() else 31
        return self._station.status(self._life.world.now)

    def connect(self, ssid=None, password=None):
        if self._life.alive:
            self._station.connect(ssid, password or "", self._life.world.now)

    def disconnect(self):
        if self._life.alive:
            self._station.disconnect()

    def config(self, what):
        if what != "ssid":
            raise ValueError("unknown config param")
        return self._station.config_ssid().decode()


def module(name, **names):
    made = types.ModuleType(name)
    made.__dict__.update(names)
    return made


def client_modules(life, bus, scl, sda):
    """Returns the modules that pb_link/config.py imports on a Pyboard."""

    def target(id, *, addr, mem=None, mem_addrsize=8):
        return I2CTarget(life, bus, (scl, sda), addr, mem, mem_addrsize)

    return {"machine": module("machine", Pin=pin_class(life), I2CTarget=target)}


def bridge_modules(life, i2c, watchdog, station, reset, name_server):
    """Returns the modules that esp_link/program.py and what it loads import on an ESP8266, except `socket`."""
    stations = {0: WLAN(life, station, name_server), 1: WLAN(life, None, None)}
    return {
        "machine": module("machine", Pin=pin_class(life), SoftI2C=i2c, WDT=watchdog, reset=reset),
        "network": module(
            "network",
            WLAN=lambda interface: stations[interface],
            STA_IF=0,
            AP_IF=1,
            STAT_IDLE=wifi.IDLE,
            STAT_CONNECTING=wifi.CONNECTING,
        ),
        "esp": module("esp", sleep_type=lambda kind: None, SLEEP_NONE=0),
        "micropython": module("micropython", alloc_emergency_exception_buf=lambda size: None),
        "time": Time(life),
        "gc": module("gc", collect=lambda: None, mem_free=lambda: 24000),
        "sys": module("sys", modules={}, print_exception=lambda error: print(repr(error))),
    }
