"""The bridge's part of the self test (`protocol/selftest.py`): shows its wires, then measures the bus.

program.py loads it if syn stays low at its start; else it costs the bridge no heap. The client resets the ESP8266 when
it has the result. A syn wire that is always low makes each start 12 s longer, which the client takes for a dead bridge
at first: it resets the ESP8266, and waits longer each time. In the simulator the link is there after half a minute.
"""

from protocol import selftest
from protocol.version import RELEASE

_POLL_MS = 10


def run(time, pin_class, gpios, syn, memory, mem_free, feed):
    """Do the self test, which takes some seconds.

    Args: time: the module; gpios: of scl, sda, ack; the others are those of Bridge.
    """
    pins = [pin_class(gpio, pin_class.OPEN_DRAIN, value=1) for gpio in gpios]
    SelfTest(time, pins, syn, memory, mem_free, feed).run()


class SelfTest:
    """The self test at the bridge. Arguments are those of `run`; pins: open drain, and high."""

    def __init__(self, time, pins, syn, memory, mem_free, feed):
        self._time = time
        self._pins = pins
        self._syn = syn
        self._memory = memory
        self._mem_free = mem_free
        self._feed = feed
        self._errors = 0
        self._wrong = 0
        self._moved = 0

    def run(self):
        print("esp_link: self test")
        self._show()
        if self._wait(self._syn, selftest.SYN_HIGH_MS):
            if self._wait(self._answers, selftest.ANSWER_MS):
                self._measure(self._memory)

    def _show(self):
        for _ in range(selftest.REPEATS):
            for i, pin in enumerate(self._pins):
                for _ in range(i + 1):
                    pin(0)
                    self._pause(selftest.PULSE_MS)
                    pin(1)
                    self._pause(selftest.PULSE_MS)
                self._pause(selftest.GAP_MS)

    def _pause(self, ms):
        self._feed()
        self._time.sleep_ms(ms)

    def _wait(self, condition, ms):
        """Returns True as soon as the condition holds, False when the time is up."""
        for _ in range(ms // _POLL_MS):
            if condition():
                return True
            self._pause(_POLL_MS)
        return False

    def _answers(self):
        try:
            self._memory.read_into(0, bytearray(1))
        except OSError:
            return False
        return True

    def _measure(self, memory):
        block, back = bytearray(selftest.BLOCK), bytearray(selftest.BLOCK)
        for number in range(selftest.ROUNDS):
            self._feed()
            selftest.pattern_into(block, number)
            if self._exchange(memory.write, 0, block) and self._exchange(memory.read_into, 0, back):
                self._wrong += sum(a != b for a, b in zip(block, back))
        result = bytearray(selftest.RESULT_BYTES)
        selftest.encode_result_into(
            result, RELEASE, self._errors, self._wrong, self._moved, self._clock_hz(memory, back), self._mem_free()
        )
        for _ in range(5):  # noise may take one
            self._exchange(memory.write, selftest.RESULT, result)
            self._pause(_POLL_MS)

    def _exchange(self, transfer, at, buf):
        try:
            transfer(at, buf)
        except OSError:
            self._errors += 1
            return False
        self._moved += len(buf)
        return True

    def _clock_hz(self, memory, buf):
        long_us = self._read_us(memory, buf)
        short_us = self._read_us(memory, memoryview(buf)[: selftest.SHORT])
        clocks = selftest.ROUNDS * (selftest.BLOCK - selftest.SHORT) * 9
        return clocks * 1000000 // (long_us - short_us) if long_us > short_us else 0

    def _read_us(self, memory, buf):
        start = self._time.ticks_us()
        for _ in range(selftest.ROUNDS):
            self._feed()
            self._exchange(memory.read_into, 0, buf)
        return self._time.ticks_diff(self._time.ticks_us(), start)
