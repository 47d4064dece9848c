"""The modules that a user's client program finds on the virtual Pyboard: `machine`, `time`, `micropython` and others.

They have what programs use most of MicroPython's. What a test adds or replaces is the test's:
`virtual_link(.., machine={"ADC": MyADC}, modules={"bme280": fake})`. docs/testing.md has the list.
"""

import asyncio
import gc
import io
import random
import sys
import time
import traceback
import types

from sim.virtual import chips
from sim.virtual.board import ASYNCIO
from sim.virtual.world import ROUNDING_S, BoardDied
from sim.wires.nets import Net

PWRON_RESET, HARD_RESET, WDT_RESET, DEEPSLEEP_RESET, SOFT_RESET = range(1, 6)
ADC_MAX = 65535  # of read_u16
MAX_WATCHDOG_MS = 32_000
FREE_BYTES = 50_000  # what gc.mem_free() says: this process has no heap of a board
EPOCH_S = 1_767_225_600  # 2026-01-01 00:00 UTC: the board's clock when the run begins
TICKS = 1 << 30  # ticks_ms and the others wrap there


def module(name, /, **names):
    """Returns a module with these names."""
    made = types.ModuleType(name)
    made.__dict__.update(names)
    return made


class BoardState:
    """What outlives the lives of a client's board.

    cause: why the present life has begun; analog: {pin: 0 to 65535, or function () that returns such a number}.
    """

    def __init__(self, board):
        self.board = board
        self.cause = PWRON_RESET
        self.analog = {}
        self._nets = {}

    def net(self, pin):
        """Returns the net of a pin that has no wire of the link. Raises: ValueError."""
        pin = str(pin)
        if pin not in self._nets:
            if pin in self.board.pins:
                raise ValueError(f"{pin} is one of the link's own pins")
            self._nets[pin] = Net(f"client.{pin}")
            self.board.add_pin(pin, self._nets[pin])
        return self._nets[pin]

    def level(self, pin):
        """Returns what ADC(pin).read_u16() reads."""
        value = self.analog.get(str(pin), 0)
        value = value() if callable(value) else value
        if not 0 <= value <= ADC_MAX:
            raise ValueError(f"analog[{pin!r}] is {value!r}, not 0..{ADC_MAX}")
        return int(value)


def modules_of(life, bus, state, restart, i2c, flash, more):
    """Returns {name: module} for one life of the client's board.

    Args: life: chips.Life; bus: the link's; restart(cause, seconds): takes the board's power away, and starts it again
    then; i2c(scl, sda, **options): a controller on the second bus; flash: Flash of this life; more: names that the
    test puts into `machine`.
    """
    return {
        "machine": _machine(life, bus, state, restart, i2c, more),
        "asyncio": _with("asyncio", ASYNCIO, ThreadSafeFlag=ThreadSafeFlag, wait_for_ms=_wait_for_ms),
        "time": _time(life),
        "micropython": _micropython(),
        "gc": _with("gc", gc, collect=lambda: 0, mem_free=lambda: FREE_BYTES, mem_alloc=lambda: 0),
        "sys": _with("sys", sys, platform="pyboard", print_exception=_print_exception),
        # As "os" it would have a `path`: `from os import path` looks for sys.modules["os.path"] in the end.
        "os": module("uos", urandom=life.board.random.randbytes, **flash.os_names()),
        "io": _with("io", io, open=flash.open),
        "random": _with("random", random, **_random_names(life.board.random)),
    }


def _with(name, original, /, **names):
    return module(name, **{**vars(original), **names})


# machine.


def _machine(life, bus, state, restart, i2c, more):
    def target(id, *, addr, mem=None, mem_addrsize=8):
        return chips.I2CTarget(life, bus, ("X9", "X10"), addr, mem, mem_addrsize)

    def again(cause, seconds=0.0):
        if life.alive:
            restart(cause, seconds)
        raise BoardDied

    def lightsleep(ms=0):
        _need_time("lightsleep", ms)
        for port in list(bus.ports):
            port.owner.sleep(ms / 1000)
        life.block(ms * 1000)

    def deepsleep(ms=0):
        _need_time("deepsleep", ms)
        again(DEEPSLEEP_RESET, ms / 1000)

    names = dict(
        Pin=_pin_class(life, state), I2CTarget=target, I2C=i2c, SoftI2C=i2c, ADC=_adc_class(state),
        WDT=_watchdog_class(life, again), reset=lambda: again(HARD_RESET), soft_reset=lambda: again(SOFT_RESET),
        reset_cause=lambda: state.cause, lightsleep=lightsleep, deepsleep=deepsleep, idle=lambda: None,
        unique_id=lambda: b"virtual-link", freq=lambda *hz: 168_000_000, PWRON_RESET=PWRON_RESET,
        HARD_RESET=HARD_RESET, WDT_RESET=WDT_RESET, DEEPSLEEP_RESET=DEEPSLEEP_RESET, SOFT_RESET=SOFT_RESET,
    )  # fmt: skip
    return module("machine", **{**names, **more})


def _need_time(name, ms):
    if ms <= 0:
        raise ValueError(f"{name}() without a time: nothing here would wake the board")


def _pin_class(life, state):
    """Returns chips' Pin, with every pin that a program names, and the methods that programs use besides."""

    class Pin(chips.pin_class(life)):
        PULL_DOWN = 2

        def __init__(self, id, mode=None, pull=None, value=None):
            name = id._name if isinstance(id, Pin) else str(id)
            if name not in life.board.pins:
                state.net(name)
            super().__init__(name, mode, {self.PULL_UP: 1, self.PULL_DOWN: 0}.get(pull), value)

        def on(self):
            self.value(1)

        def off(self):
            self.value(0)

        high, low = on, off

        def toggle(self):
            self.value(1 - self.value())

    return Pin


def _adc_class(state):
    class ADC:
        """machine.ADC: reads what the test has put into `analog`."""

        def __init__(self, pin):
            self._pin = getattr(pin, "_name", pin)

        def read_u16(self):
            return state.level(self._pin)

    return ADC


def _watchdog_class(life, again):
    class WDT:
        """machine.WDT: resets the board when it has not been fed for the time."""

        def __init__(self, id=0, timeout=5000):
            if not 1 <= timeout <= MAX_WATCHDOG_MS:
                raise ValueError("WDT timeout out of range")
            self._timeout_s = timeout / 1000
            self.feed()
            self._watch()

        def feed(self):
            self._due = life.world.now + self._timeout_s

        def _watch(self):
            if not life.alive:
                return
            if life.world.now < self._due:
                life.world.at(self._due, self._watch)
                return
            try:
                again(WDT_RESET)
            except BoardDied:
                pass  # nothing of the program runs now

    return WDT


def no_second_bus(*pins, **options):
    raise ValueError("there is no second I2C bus: name what is on it, virtual_link(.., sensors=[..])")


# The others.


def _time(life):
    world = life.world

    def seconds():
        return world.now - world.begin_s + EPOCH_S

    def ticks(scale):
        return lambda: int((world.now + ROUNDING_S) * scale) & (TICKS - 1)

    def gmtime(at=None):
        found = time.gmtime(seconds() if at is None else at)
        return (*found[:6], found.tm_wday, found.tm_yday)

    return module(
        "time", time=lambda: int(seconds()), time_ns=lambda: int(seconds() * 1e9), gmtime=gmtime, localtime=gmtime,
        sleep=lambda s: life.block(s * 1e6), sleep_ms=lambda ms: life.block(ms * 1e3), sleep_us=life.block,
        ticks_ms=ticks(1e3), ticks_us=ticks(1e6), ticks_cpu=ticks(1e6),
        ticks_add=lambda at, delta: (at + delta) & (TICKS - 1),
        ticks_diff=lambda end, start: ((end - start + TICKS // 2) & (TICKS - 1)) - TICKS // 2,
    )  # fmt: skip


def _micropython():
    def same(thing):
        return thing

    return module(
        "micropython", const=same, native=same, viper=same, alloc_emergency_exception_buf=lambda size: None,
        schedule=lambda function, argument: asyncio.get_running_loop().call_soon(function, argument),
        mem_info=lambda *_: None, opt_level=lambda *_: 0,
    )  # fmt: skip


def _print_exception(error, file=None):
    traceback.print_exception(error, file=file or sys.stdout)


def _random_names(chance):
    names = ("random", "randint", "randrange", "choice", "uniform", "getrandbits", "seed")
    return {name: getattr(chance, name) for name in names}


async def _wait_for_ms(awaitable, ms):
    async with asyncio.timeout(ms / 1000):  # CPython 3.11's wait_for may lose a cancellation
        return await awaitable


class ThreadSafeFlag:
    """asyncio.ThreadSafeFlag: interrupts of a virtual board come in its own loop."""

    def __init__(self):
        self._event = asyncio.Event()

    def set(self):
        self._event.set()

    def clear(self):
        self._event.clear()

    async def wait(self):
        await self._event.wait()
        self._event.clear()
