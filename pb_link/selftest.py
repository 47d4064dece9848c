"""The self test: is every wire between this board and the ESP8266 where it should be? At the prompt, with no link:

    from pb_link import selftest
    selftest.run()

Checks scl, sda, syn, ack and rst, and names the one that is broken, swapped or
stuck; then measures clock and errors of the bus, and compares the releases.
It takes 9 seconds if all is well, about a minute if not. How it works:

1. With the ESP8266 held in reset, each wire is pulled up and must be high, is
   pulled low and must follow, alone.
2. The ESP8266 is reset while syn is low; the bridge then shows its wires one
   after the other (`protocol/selftest.py`). What is seen, and on which pin, says how they are
   connected. If nothing is seen, other pins are tried in the place of syn and rst.
3. If that shows nothing either, it is tried whether the bridge uses the bus at
   all, and whether reset stops it.
4. The bridge writes to this board's memory, reads it back, and tells what came of it.

Not while something else drives the pins; the ESP8266 has been reset afterwards.
"""

import time

from i2c_devices.ports import drive, let_go
from protocol import selftest
from protocol.version import RELEASE, release_text

WIRES = ("scl", "sda", "syn", "ack", "rst")
_RESET_MS = 200
_SETTLE_MS = 2
_SAMPLES = 5  # of a level, a millisecond apart: most of them count, since noise is shorter
_RISE_MS = 4 * _SAMPLES  # the chip may move a wire as it starts, for half of that at most
# From reset to the first pulse: boot takes a second or two. And twice that to the last.
_SHOW_MS = 5000
_SAMPLE_MS = 5
_QUIET_MS = selftest.ROUND_MS + 100  # after a pulse: it was the last
# What the checks of the levels may have reset is to have booted, as usual, before it is reset on purpose.
_BOOT_MS = 3000
_BOOT_NOISE_MS = 10  # at boot the chip itself moves GPIO0 and GPIO2, faster than that
_ATTEMPTS = 3
_USE_MS = 8000  # a bridge that is up uses the bus five times a second
_HELD_MS = 2000
_RESULT_MS = 10000
_ADDRESS_BITS = 16

# In the place of (rst, syn), which may be swapped with each other or with the rest.
_OTHERS = (
    ("rst", "ack"), ("rst", "scl"), ("rst", "sda"), ("syn", "rst"), ("ack", "syn"), ("scl", "syn"), ("sda", "syn")
)  # fmt: skip


def run():
    """Test this board's hardware, as the settings name it, and print what was found. Returns the faults, [] if none."""
    from pb_link import config

    for name in ("scl", "sda", "syn", "ack", "rst"):
        if config.pins.get(name) is None:
            raise ValueError('settings: the self test needs "%s" in pins' % name)
    return SelfTest(config.Pin, config.pins, config.i2c).run()


class SelfTest:
    """Args:
    pin_class: machine.Pin.
    pins: dict with the pins' names or numbers of WIRES.
    port: i2c_devices.ports.TargetPort.
    say: function that takes one line of the report.
    """

    def __init__(self, pin_class, pins, port, say=print):
        self._pins = {name: pin_class(pins[name]) for name in WIRES}
        self._port = port
        self._say = say
        self.faults = []
        self._rst_is_high = False  # against this board's pulling it low
        self.result = None  # what the bridge has measured

    def run(self):
        """Print the report. Returns the faults, each a str that begins with the wire or the thing."""
        self._say("testing: some seconds if all is well, about a minute if not")
        try:
            self._check_levels()
            if not self.faults:
                self._check_connections()
            if not self.faults:
                self._check_bus()
        finally:
            self._restore()
        self._report()
        return self.faults

    def _fault(self, text):
        if text not in self.faults:
            self.faults.append(text)

    # Pins

    def _release(self, *names):
        for name in names or WIRES:
            let_go(self._pins[name])

    def _low(self, name):
        drive(self._pins[name], 0)

    def _reset(self, name="rst"):
        self._low(name)
        time.sleep_ms(_RESET_MS)
        self._release(name)

    def _restore(self):
        """Let the bridge boot as usual, with the pins as the link has them at rest."""
        self._release()
        if not self.faults:  # else syn may be driven against a short circuit
            drive(self._pins["syn"], 1)
        if not self._rst_is_high:
            self._reset()

    # 1: levels

    def _check_levels(self):
        self._release()
        time.sleep_ms(_SETTLE_MS)
        if not self._is_high("rst"):
            self._fault("rst is stuck low: connected to ground, or something holds it")
            return
        self._low("rst")
        time.sleep_ms(_SETTLE_MS)  # not for long, if it is at 3.3 V
        if self._is_high("rst"):
            self._release("rst")
            self._rst_is_high = True
            self._fault("rst is stuck high: connected to 3.3 V")
            return
        time.sleep_ms(_RESET_MS)
        low = [name for name in WIRES[:-1] if not self._is_high(name)]
        self._release("rst")
        for name in low:
            if self._rises(name):
                self._fault("%s and %s are connected to each other" % tuple(sorted((name, "rst"))))
            else:
                self._fault("%s is stuck low: connected to ground, or something holds it" % name)
        if not self.faults:
            self._low("rst")
            time.sleep_ms(_SETTLE_MS)
            for name in WIRES[:-1]:
                self._check_alone(name)
            self._release("rst")

    def _is_high(self, name):
        high = 0
        for _ in range(_SAMPLES):
            high += bool(self._pins[name]())
            time.sleep_ms(1)
        return high > _SAMPLES // 2

    def _rises(self, name):
        """True if the wire is high now, or soon."""
        for _ in range(_RISE_MS // _SAMPLES):
            if self._is_high(name):
                return True
        return False

    def _check_alone(self, name):
        self._low(name)
        time.sleep_ms(_SETTLE_MS)
        if self._is_high(name):
            self._fault("%s is stuck high: connected to 3.3 V" % name)
        for other in WIRES[:-1]:
            if other != name and not self._is_high(other):
                self._fault("%s and %s are connected to each other" % tuple(sorted((name, other))))
        self._release(name)
        time.sleep_ms(_SETTLE_MS)

    # 2: connections

    def _check_connections(self):
        self._release()
        time.sleep_ms(_BOOT_MS)
        seen = self._watch("rst", "syn")
        if not seen and not self._check_use():
            if not self._find_swapped(_OTHERS):
                self._fault("nothing: no sign of life; check power, ground, and that the ESP8266 has our firmware")
            return
        self._compare(seen)

    def _find_swapped(self, places):
        """True if the bridge answers with other pins in the place of (rst, syn), which are named."""
        for reset, hold in places:
            if self._watch(reset, hold):
                for name, found in (("rst", reset), ("syn", hold)):
                    if name != found:
                        self._fault("%s and %s are swapped" % tuple(sorted((name, found))))
                return True
        return False

    def _compare(self, seen):
        for name, shown in seen.items():
            if name != shown:
                self._fault("%s and %s are swapped" % tuple(sorted((name, shown))))
        if seen:
            for name in selftest.SHOWN:
                if name not in seen.values():
                    self._fault("%s is broken: no connection to the ESP8266" % name)

    def _watch(self, reset, hold):
        """Reset the ESP8266 with `hold` low. Returns {pin's name: wire that shows there}, {} if nothing does."""
        for _ in range(_ATTEMPTS):
            self._release()
            self._low(hold)
            self._reset(reset)
            pulses = self._count_pulses([name for name in WIRES if name not in (reset, hold)])
            if not any(pulses.values()):
                return {}
            seen = {name: n // selftest.REPEATS - 1 for name, n in pulses.items() if n}
            whole = all(n % selftest.REPEATS == 0 for n in pulses.values())
            if whole and all(place < len(selftest.SHOWN) for place in seen.values()):
                return {name: selftest.SHOWN[place] for name, place in seen.items()}
        return {}  # noise

    def _count_pulses(self, names):
        counts = {name: 0 for name in names}
        since = {}
        start = last = time.ticks_ms()
        while True:
            now = time.ticks_ms()
            for name in names:
                if not self._pins[name]():
                    since.setdefault(name, now)
                elif name in since:
                    if time.ticks_diff(now, since.pop(name)) >= _BOOT_NOISE_MS:
                        counts[name] += 1
                        last = now
            seen = any(counts.values())
            if seen and not since and time.ticks_diff(now, last) > _QUIET_MS:
                return counts
            if time.ticks_diff(now, start) > (2 * _SHOW_MS if seen else _SHOW_MS):
                return counts
            time.sleep_ms(_SAMPLE_MS)

    # 3: does the bridge use the bus?

    def _check_use(self):
        """True if it does: then it is syn or rst that is broken, and is named."""
        self._release()
        self._reset()
        used = []
        target = self._port.open(mem=bytearray(selftest.MEMORY), mem_addrsize=_ADDRESS_BITS)
        target.irq(lambda _: used.append(1) if not used else None)
        try:
            if not self._used_within(used, _USE_MS):
                return False
            self._low("rst")
            time.sleep_ms(_RESET_MS)
            used.clear()
            runs_in_reset = self._used_within(used, _HELD_MS)
            self._release("rst")
        finally:
            target.deinit()
        if not self._find_swapped([place for place in _OTHERS if (place[0] == "rst") != runs_in_reset]):
            if runs_in_reset:
                self._fault("rst is broken: the ESP8266 runs while it is low")
            else:
                self._fault("syn is broken: the ESP8266 does not see it")
        return True

    def _used_within(self, used, ms):
        start = time.ticks_ms()
        while not used:
            if time.ticks_diff(time.ticks_ms(), start) > ms:
                return False
            time.sleep_ms(10)
        return True

    # 4: the bus. The bridge has shown its wires, and waits for syn to go high.

    def _check_bus(self):
        memory = bytearray(selftest.MEMORY)
        target = self._port.open(mem=memory, mem_addrsize=_ADDRESS_BITS)
        try:
            self._release("syn")
            start = time.ticks_ms()
            while self.result is None and time.ticks_diff(time.ticks_ms(), start) < _RESULT_MS:
                time.sleep_ms(20)
                if memory[selftest.RESULT : selftest.MEMORY] != bytes(selftest.RESULT_BYTES):
                    self.result = selftest.decode_result(memory[selftest.RESULT : selftest.MEMORY])
        finally:
            target.deinit()
        if self.result is None:
            self._fault("bus: the wires are right, and no data came: check the pull-ups of scl and sda, 4.7 kOhm")
            return
        release, errors, wrong, _, _, _ = self.result
        if errors or wrong:
            self._fault("bus: %d failures, %d wrong bytes: shorten the wires, check the pull-ups" % (errors, wrong))
        if release != RELEASE:
            self._fault("release: the ESP8266 has %s, this board %s" % (release_text(release), release_text(RELEASE)))

    # Report

    def _report(self):
        for name in WIRES:
            bad = [fault for fault in self.faults if name in fault.split(":")[0].split()]
            known = self.result or not self.faults
            self._say("%s  %s" % (name, bad[0] if bad else "ok" if known else "-"))
        for fault in self.faults:
            if fault.split()[0] not in WIRES:
                self._say(fault)
        if self.result:
            release, errors, _, moved, clock_hz, free = self.result
            self._say("bus  %d kHz, %d bytes, %d errors" % (clock_hz // 1000, moved, errors))
            self._say("ESP8266  release %s, %d bytes free" % (release_text(release), free))
        self._say("this board  release %s" % release_text(RELEASE))
        self._say("%d faults" % len(self.faults) if self.faults else "all is well")
