"""Transactions of machine.I2C, and a wire that is clocked free."""

import unittest
from errno import EIO, ENODEV, ETIMEDOUT

from sensor_bus.access import Access
from sensor_bus.lines import FEWEST_CLOCKS, MOST_CLOCKS, clear
from sensor_bus.port import MachineI2C


class RecordingI2C:
    """Records calls. `answers`: acknowledged bytes of the next write, or an errno below 0."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.calls = []

    def writeto(self, address, data, stop=True):
        self.calls.append((address, bytes(data), stop))
        answer = self.answers.pop(0) if self.answers else len(data)
        if answer < 0:
            raise OSError(-answer, "as scripted")
        return answer

    def readfrom_into(self, address, buf):
        self.calls.append((address, len(buf)))
        buf[:] = b"\xa5" * len(buf)


class FakePin:
    """A pin of an open-drain wire. on_rise(): called when it is released."""

    OPEN_DRAIN = 2

    def __init__(self, on_rise=None):
        self.level = 1
        self.held = 0  # 1: something else holds it low
        self.on_rise = on_rise
        self.rises = 0

    def init(self, mode, value=None):
        self.value(value)

    def value(self, *level):
        if not level:
            return 0 if self.held else self.level
        if level[0] and not self.level:
            self.rises += 1
            if self.on_rise:
                self.on_rise()
        self.level = level[0]


def stuck_wires(clocks):
    """Returns (scl, sda), where something lets go of sda after so many clocks."""
    sda = FakePin()
    sda.held = 1

    def rise():
        if scl.rises >= clocks:
            sda.held = 0

    scl = FakePin(rise)
    return scl, sda


class TestMachineI2C(unittest.TestCase):
    def test_write_read_and_both(self):
        i2c = RecordingI2C()
        port = MachineI2C(i2c)
        buf = bytearray(2)
        port.transfer(0x18, b"\x05")
        port.transfer(0x18, b"", buf)
        port.transfer(0x18, b"\x05", buf)
        self.assertEqual(buf, b"\xa5\xa5")
        self.assertEqual(i2c.calls, [(0x18, b"\x05", True), (0x18, 2), (0x18, b"\x05", False), (0x18, 2)])

    def test_bytes_that_are_not_acknowledged_are_an_error_and_the_transaction_ends(self):
        for into in (None, bytearray(1)):
            i2c = RecordingI2C(1)
            try:
                MachineI2C(i2c).transfer(0x18, b"\x05\x06", into)
            except OSError as error:
                self.assertEqual(error.errno, EIO)
            else:
                self.fail("it was taken")
            self.assertEqual(len(i2c.calls), 1 if into is None else 2)

    def test_probe_tells_an_absent_target_from_a_bus_that_is_held(self):
        self.assertTrue(MachineI2C(RecordingI2C(0)).probe(0x18))
        self.assertFalse(MachineI2C(RecordingI2C(-ENODEV)).probe(0x18))
        self.assertFalse(MachineI2C(RecordingI2C(-EIO)).probe(0x18))
        with self.assertRaises(OSError):
            MachineI2C(RecordingI2C(-ETIMEDOUT)).probe(0x18)

    def test_wire_is_clocked_free_by_9_to_24_clocks_and_a_stop(self):
        for clocks in (1, FEWEST_CLOCKS, 17, MOST_CLOCKS):
            scl, sda = stuck_wires(clocks)
            made = [RecordingI2C()]
            port = MachineI2C(None, scl=scl, sda=sda, make=made.pop)
            access = Access(port)
            self.assertFalse(access.is_free())
            clear(port)
            self.assertTrue(access.is_free())
            self.assertEqual(made, [])
            self.assertEqual(scl.rises, max(clocks, FEWEST_CLOCKS) + 1)
            self.assertEqual(sda.rises, 1)  # while scl is high: the stop
            self.assertTrue(port.probe(0x18))

    def test_wire_that_stays_low_is_told(self):
        scl, sda = stuck_wires(1000)
        port = MachineI2C(None, scl=scl, sda=sda, make=RecordingI2C)
        clear(port)
        self.assertFalse(Access(port).is_free())
        self.assertEqual(scl.rises, MOST_CLOCKS + 1)

    def test_wires_without_a_way_to_make_the_i2c_anew_are_refused(self):
        for wires in ({"scl": 1}, {"scl": 1, "sda": 2}, {"make": RecordingI2C}):
            with self.assertRaises(ValueError):
                MachineI2C(None, **wires)


if __name__ == "__main__":
    unittest.main()
