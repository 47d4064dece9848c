"""What a port cannot do raises at construction, with its name in the text."""

import unittest

from i2c_devices import port_table, ports
from i2c_devices.byte_engine import MAX_REPORTS
from i2c_devices.memory_controller import MemoryController
from i2c_devices.memory_target import MemoryTarget
from i2c_devices.packet_target import PacketTarget
from i2c_devices.stream_target import StreamTarget
from tests.i2c_devices.bed import ADDRESS, ModelBed

SOFT_ONLY = [port for port in port_table.PORTS if not port.byte_events] + [port_table.port_named("a port of tomorrow")]
ABLE = [port for port in port_table.PORTS if port.byte_events]


def nothing(*args, **kwargs):
    raise AssertionError("nobody opens it")


def target_port(port):
    return ports.TargetPort(nothing, port=port)


class TestPorts(unittest.TestCase):
    def test_table_is_found_by_name(self):
        for port in port_table.PORTS:
            self.assertIs(port_table.port_named(port.name), port)
        self.assertEqual(port_table.port_named("other")[1:], (False, False, 1, 0, False))

    def test_byte_engine_is_refused_where_there_are_no_byte_events(self):
        for port in SOFT_ONLY:
            for option in ("atomic", "exact"):
                with self.assertRaisesRegex(ValueError, option + "=True needs .* of " + port.name):
                    MemoryTarget(target_port(port), 16, **{option: True})
        for port in ABLE:
            MemoryTarget(target_port(port), 16, atomic=True)

    def test_hard_handlers_are_refused_where_there_are_none(self):
        for port in SOFT_ONLY:
            for device in (StreamTarget(target_port(port), life=1), PacketTarget(target_port(port), life=1)):
                with self.assertRaisesRegex(ValueError, "on " + port.name + " .* soft only"):
                    device.irq(print, hard=True)
                device.irq(print)
        for port in ABLE:
            StreamTarget(target_port(port), life=1).irq(print, hard=True)

    def test_every_port_can_be_a_memory_a_stream_and_a_packet_device(self):
        for port in port_table.PORTS:
            MemoryTarget(target_port(port), 256, None, 8)
            StreamTarget(target_port(port), life=1)
            PacketTarget(target_port(port), life=1)

    def test_memories_that_no_driver_can_serve_are_refused(self):
        for size, bits in ((0, 8), (257, 8), (65537, 16), (16, 12)):
            with self.assertRaises(ValueError):
                MemoryTarget(target_port(port_table.STM32), size, None, bits)
        with self.assertRaisesRegex(ValueError, "esp32"):
            MemoryTarget(target_port(port_table.ESP32), 2, None, 16)
        MemoryTarget(target_port(port_table.STM32), 2, None, 16)
        for read_only in ((0, 17), (3, 3), (5, 2)):
            with self.assertRaises(ValueError):
                MemoryTarget(target_port(port_table.STM32), 16, read_only=(read_only,))

    def test_update_needs_atomic(self):
        for options in ({}, {"exact": True}):
            with self.assertRaisesRegex(ValueError, "atomic"):
                MemoryTarget(target_port(port_table.STM32), 16, **options).update()

    def test_scheduler_that_is_full_is_no_error(self):
        def full(function, argument):
            raise RuntimeError("schedule queue full")

        before, ports.schedule = ports.schedule, full
        try:
            self.assertFalse(target_port(port_table.STM32).schedule(print))
        finally:
            ports.schedule = before


class Pin:
    """As a board's: only an output drives anything, and at first it is none."""

    IN, OUT, PULL_UP = 0, 1, 1

    def __init__(self, name):
        self.name = name
        self.mode = None
        self.levels = []

    def __repr__(self):
        return self.name

    def init(self, mode, pull=None, *, value=None):
        self.mode = mode
        if mode == self.OUT and value is not None:
            self.levels.append(value)

    def __call__(self, level):
        if self.mode == self.OUT:
            self.levels.append(level)


class TestPins(unittest.TestCase):
    def test_pin_of_a_device_is_made_an_output_that_rests_high(self):
        for device in (StreamTarget, PacketTarget):
            pin = Pin("X1")
            target = device(ModelBed().port, life=1, pin=pin)
            self.assertIsNone(pin.mode)
            target.open()
            self.assertEqual((pin.mode, pin.levels), (Pin.OUT, [1]))
            target._box.changed = True
            target._publish()
            self.assertEqual(pin.levels, [1, 0, 1])

    def test_pin_of_a_device_must_be_none_of_the_bus(self):
        port = ports.TargetPort(nothing, 0, scl=Pin("GP1"), sda=Pin("GP0"))
        for name in ("scl", "sda"):
            with self.assertRaisesRegex(ValueError, name + " and pin are both GP"):
                StreamTarget(port, life=1, pin=Pin("GP1" if name == "scl" else "GP0"))
        with self.assertRaisesRegex(ValueError, "sda and pin are both X10"):
            PacketTarget(ports.TargetPort(nothing, "X"), life=1, pin=Pin("X10"))
        StreamTarget(port, life=1, pin=Pin("GP2"))

    def test_pins_of_the_bus_may_be_numbers_as_i2ctarget_takes_them(self):
        port = ports.TargetPort(nothing, 0, scl="GP1", sda="GP0")
        with self.assertRaisesRegex(ValueError, "sda and pin are both GP0"):
            StreamTarget(port, life=1, pin=Pin("GP0"))

    def test_pins_that_a_port_would_choose_itself_must_be_named(self):
        for kind in (port_table.RP2, port_table.ESP32):
            for named in ({}, {"scl": Pin("1")}, {"sda": Pin("0")}):
                with self.assertRaisesRegex(ValueError, "scl and sda: on " + kind.name):
                    StreamTarget(ports.TargetPort(nothing, 0, port=kind, **named), life=1, pin=Pin("4"))
        StreamTarget(ports.TargetPort(nothing, 0, port=port_table.MIMXRT), life=1, pin=Pin("4"))

    def test_pyboards_port_by_number_has_the_pins_of_its_name_and_another_boards_has_not(self):
        def nucleo(name):
            raise ValueError("Pin(" + name + ") doesn't exist")

        for number, scl in ((1, "X9"), (2, "Y9")):
            for port in (
                ports.TargetPort(nothing, number, port=port_table.STM32),
                ports.TargetPort(nothing, id=number, port=port_table.STM32),
            ):
                with self.assertRaisesRegex(ValueError, "scl and pin are both " + scl):
                    StreamTarget(port, life=1, pin=Pin(scl))
                self.assertEqual(port.lines(nucleo), [])
            self.assertEqual(ports.TargetPort(nothing, number, port=port_table.SAMD).lines(Pin), [])


class TestReports(unittest.TestCase):
    def test_callbacks_that_the_scheduler_does_not_take_wait_and_the_last_ones_are_lost(self):
        bed = ModelBed()
        bed.port.schedule = lambda function: False
        got = []
        target = MemoryTarget(
            bed.port, 32, None, 8, memory_written=lambda offset, length: got.append((offset, length)), exact=True
        )
        target.open()
        controller = MemoryController(bed, ADDRESS, 8)
        for i in range(MAX_REPORTS + 3):
            controller.write(i, b"x" * (i + 1))
        self.assertEqual(got, [])
        target.poll()
        self.assertEqual(got, [(i, i + 1) for i in range(MAX_REPORTS)])
        self.assertEqual(target.lost_reports, 3)
        controller.write(20, b"more")
        target.poll()
        self.assertEqual(got[-1], (20, 4))


class TestAlif(unittest.TestCase):
    def test_write_that_a_repeated_start_ends_without_an_event_is_told(self):
        bed = ModelBed()
        got = []
        target = MemoryTarget(
            bed.port, 32, None, 8, memory_written=lambda offset, length: got.append((offset, length)), exact=True
        )
        target.open()
        fire = bed.there._fire
        bed.there._fire = bed.there.model._fire = lambda event: event != 32 and fire(event)  # never END_WRITE
        bed.writeto(ADDRESS, b"\x05abc", False)
        self.assertEqual(got, [])
        bed.readfrom_into(ADDRESS, bytearray(4))
        self.assertEqual(got, [(5, 3)])


class TestHard(unittest.TestCase):
    def test_hard_handler_is_asked_of_the_port_and_can_be_given_up(self):
        bed = ModelBed()
        asked = []
        stream = StreamTarget(bed.port, life=1)
        stream.open()
        irq = bed.events.irq

        def listen(handler, trigger=48, hard=False):
            asked.append(hard)
            return irq(handler, trigger, hard)

        bed.events.irq = listen
        stream.irq(print, hard=True)
        stream.close()
        stream.open()
        stream.irq(print)
        self.assertEqual(asked, [True, True, False])


if __name__ == "__main__":
    unittest.main()
