"""The levels that the self test sees on fake pins. tests/sim/mpy/test_selftest.py has the whole of it."""

import unittest

from pb_link import selftest


class Clock:
    """Stands for the module time: nobody waits."""

    @staticmethod
    def sleep_ms(ms):
        pass


class Wires:
    """Args: stuck: wire -> level; spike_at: of four samples this one is of the other level."""

    def __init__(self, stuck, spike_at):
        self.stuck = stuck
        self.samples = spike_at

    def pin(self, name):
        return Pin(self, name)


class Pin:
    IN, OUT, PULL_UP = 0, 1, 1

    def __init__(self, wires, name):
        self._wires = wires
        self._name = name
        self._level = 1

    def init(self, mode, pull=None, value=1):
        self._level = value

    def __call__(self):
        self._wires.samples += 1
        level = self._wires.stuck.get(self._name, self._level)
        return level if self._wires.samples % 4 else 1 - level


def found(stuck, spike_at):
    """The faults that the check of the levels finds."""
    pins = {name: name for name in selftest.WIRES}
    one = selftest.SelfTest(Wires(stuck, spike_at).pin, pins, None, lambda line: None)
    one._check_levels()
    return one.faults


class TestLevels(unittest.TestCase):
    def setUp(self):
        self._time, selftest.time = selftest.time, Clock

    def tearDown(self):
        selftest.time = self._time

    def test_noise_names_no_wire_that_is_right(self):
        for spike_at in range(4):
            self.assertEqual(found({}, spike_at), [])

    def test_noise_hides_no_wire_that_is_stuck(self):
        for name in selftest.WIRES:
            for spike_at in range(4):
                low = "%s is stuck low: connected to ground, or something holds it" % name
                self.assertEqual(found({name: 0}, spike_at), [low])
                self.assertEqual(found({name: 1}, spike_at), ["%s is stuck high: connected to 3.3 V" % name])


if __name__ == "__main__":
    unittest.main()
