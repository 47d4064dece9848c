"""What a board has besides pins and I2C: analog inputs, PWM, timers, the clock, SPI and LEDs.

Their stand-ins on the board are sim/mpy/boards/host/simmore.py. Values come from a World (sim/wires/world_file.py).
"""

import asyncio
import struct

from sim.mpy import frames
from sim.mpy.bed import WiringError
from sim.wires.nets import OUT
from sim.wires.spi import OnBus

SUPPLY_V = 3.3
FULL_SCALE = 65535  # of ADC.read_u16
CORE_V = 0.706  # of an rp2's temperature sensor at 27 degrees: data sheet of RP2040, section 4.9.5
CORE = 4  # its number as an analog input
MAX_TIMERS = 16
LED_LINES_APART_S = 0.2  # a LED that changes faster is told of less often
EINVAL, ENOMEM = 22, 12
ONE_SHOT, PERIODIC = 1, 2


class Peripherals:
    """Args: board: Board; world: World, or None; log(text): LEDs and outputs that change. A loop must run."""

    def __init__(self, board, world=None, log=None):
        self._board = board
        self._world = world
        self._log = log or (lambda text: None)
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time()
        self._timers = {}  # id -> Timer
        self._averages = {}  # pin -> (Hz, duty of FULL_SCALE) of a PWM output
        self._offset_s = 0  # of the board's clock to this computer's
        self._told = {}
        board.extras |= {
            frames.ANALOG: self._analog, frames.PWM: self._pwm, frames.TIMER: self._timer,
            frames.TICKED: self._ticked, frames.RTC: self._rtc, frames.SPI: self._spi,
        }  # fmt: skip
        board.bed.on_death.append(self._died)
        for pin, colour in board.model.leds.items():
            net = board.pins[pin].net
            net.listen(lambda net, colour=colour: self._led(colour, net.level))
        self._spi_devices = []
        if world is not None:
            self._check(world)
            self._play(world)
            self._attach(world)

    @property
    def now(self):
        """Seconds since the begin of the world."""
        return self._loop.time() - self._began

    def power_off(self):
        """The board has lost power: its clock forgets what was set."""
        self._offset_s = 0

    def _died(self, board):
        if board is self._board:
            for timer in self._timers.values():
                timer.stop()
            self._timers.clear()
            self._averages.clear()

    # The world.

    def _check(self, world):
        """Raises: WiringError for pins that the board has not."""
        model = self._board.model
        for name in world.analog:
            if name not in model.analog and name != "CORE":
                raise WiringError(f"analog: {name} of a {model.name} is no analog input: {', '.join(model.analog)}")
        for name in (*world.pins, *(pin for one in world.spi for pin in (one.cs, one.sck) if pin is not None)):
            self._net(name)

    def _net(self, name):
        model = self._board.model
        pin = self._board.pins.get(model.other_names.get(name, name))
        if pin is None:
            raise WiringError(f"a {model.name} has no pin {name!r}")
        return pin.net

    def _attach(self, world):
        usual = next(iter(self._board.model.spi.values()), (None,))[0]
        for one in world.spi:
            cs = self._net(one.cs)
            cs.pull("world", 1)  # a device that nobody selects
            self._spi_devices.append(OnBus(one.make(), self._net(one.sck or usual), cs, lambda: self.now))

    def _play(self, world):
        for name, changes in world.pins.items():
            net = self._net(name)
            for when, level in changes:
                if when <= 0:
                    net.drive("world", level)
                else:
                    self._loop.call_at(self._began + when, self._drive, name, net, level)

    def _drive(self, name, net, level):
        self._log(f"{name} is driven {'high' if level else 'low'}" if level is not None else f"{name} is let go")
        net.drive("world", level)

    # Analog.

    def _analog(self, frame):
        """The level of a pin (a: its handle), or of the chip's own sensor (a: 255)."""
        if frame.a == 255:
            volts = self._volts_of("CORE", None, CORE_V)
        else:
            pin = self._board.handle(frame.a)
            name = pin.owner[1]
            if name not in self._board.model.analog:
                self._board.link.reply(frame, errno=EINVAL)
                return
            volts = self._volts_of(name, pin, None)
        self._board.link.reply(frame, max(0, min(FULL_SCALE, round(volts / SUPPLY_V * FULL_SCALE))))

    def _volts_of(self, name, pin, usual):
        script = self._world.analog.get(name) if self._world is not None else None
        if script is not None:
            return script(self.now)
        if pin is None:
            return usual
        for other, (_, duty) in self._averages.items():
            if other.net is pin.net:
                return SUPPLY_V * duty / FULL_SCALE
        return SUPPLY_V * pin.net.level

    def _pwm(self, frame):
        """a: pin; b: 1 begins, or changes; 0 ends. Payload: Hz, duty of FULL_SCALE."""
        pin = self._board.handle(frame.a)
        if frame.b:
            hz, duty = struct.unpack("<IH", frame.payload)
            pin.configure(OUT, None, int(duty > FULL_SCALE // 2))  # as a digital input sees most of the time
            if self._averages.get(pin) != (hz, duty):
                self._averages[pin] = (hz, duty)
                self._tell(pin, f"{pin.owner[1]} PWM {hz} Hz {100 * duty / FULL_SCALE:.0f} %")
        elif self._averages.pop(pin, None):
            pin.write(0)
            self._tell(pin, f"{pin.owner[1]} PWM off")
        self._board.link.reply(frame)

    def _led(self, colour, level):
        if self._board.alive:
            self._tell(colour, f"LED {colour} {'on' if level else 'off'}")

    def _tell(self, what, text):
        now = self._loop.time()
        if now - self._told.get(what, -LED_LINES_APART_S) >= LED_LINES_APART_S:
            self._told[what] = now
            self._log(text)

    # Timers.

    def _timer(self, frame):
        """a: id; b: 0 ends it, ONE_SHOT, PERIODIC. Payload: us."""
        timer = self._timers.pop(frame.a, None)
        if timer is not None:
            timer.stop()
        if frame.b and len(self._timers) >= MAX_TIMERS:
            self._board.link.reply(frame, errno=ENOMEM)
            return
        if frame.b:
            period_s = struct.unpack("<Q", frame.payload)[0] / 1e6
            self._timers[frame.a] = Timer(self._loop, period_s, frame.b == PERIODIC, lambda: self._tick(frame.a))
        self._board.link.reply(frame)

    def _tick(self, id):
        if self._board.alive:
            self._board.interrupt(frames.encode(frames.TICK, id))

    def _ticked(self, frame):
        """The board has taken the interrupt of a timer (a). There is no reply."""
        if frame.a in self._timers:
            self._timers[frame.a].taken()

    # The clock.

    def _rtc(self, frame):
        """a: 1 sets. Payload, and that of the reply: seconds from this computer's clock to the board's."""
        if frame.a:
            self._offset_s = struct.unpack("<i", frame.payload)[0]
        self._board.link.reply(frame, payload=struct.pack("<i", self._offset_s))

    # SPI.

    def _spi(self, frame):
        """a, b, c: sck, mosi and miso, 255: none. Payload: what is sent; that of the reply is what is received."""
        nets = [None if handle == 255 else self._board.handle(handle).net for handle in (frame.a, frame.b, frame.c)]
        devices = [one for one in self._spi_devices if one.sck is nets[0] and one.selected]
        received = bytearray()
        for value in frame.payload:
            sent = value if nets[1] is not None else 0xFF
            answers = [one.exchange(sent, self.now) for one in devices]
            if answers:
                value = answers[0]
                for other in answers[1:]:
                    value &= other  # two outputs against each other: the low one wins
            elif nets[2] is None or nets[2] is not nets[1]:
                value = 0xFF if nets[2] is not None and nets[2].level else 0
            received.append(value)
        self._board.link.reply(frame, payload=bytes(received))


class Timer:
    """One timer. While its tick is not taken by the board no further one is sent: they are one interrupt."""

    def __init__(self, loop, period_s, periodic, tick):
        self._loop = loop
        self._period_s = period_s
        self._periodic = periodic
        self._tick = tick
        self._waits = self._missed = False
        self._due = loop.time() + period_s
        self._handle = loop.call_at(self._due, self._over)

    def _over(self):
        if self._waits:
            self._missed = True
        else:
            self._waits = True
            self._tick()
        if self._periodic:
            self._due = max(self._due + self._period_s, self._loop.time())
            self._handle = self._loop.call_at(self._due, self._over)

    def taken(self):
        self._waits = False
        if self._missed:
            self._missed = False
            self._waits = True
            self._tick()

    def stop(self):
        self._handle.cancel()
