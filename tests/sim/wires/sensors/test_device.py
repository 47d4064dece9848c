"""The ways in which devices take and give bytes."""

import pytest

from sim.wires.own_code import OwnCodeFailed
from sim.wires.sensors.device import Commands, Device, Registers, Words, clamped, crc8, full_periods
from sim.wires.sensors.thermometers import MCP9808


def test_checksum_of_the_data_sheet():
    assert crc8(b"\xbe\xef") == 0x92  # SHT4x, 4.4


def test_whole_and_clamped():
    assert [clamped(value, -8, 7) for value in (-9.2, -8, 2.6, 7.4, 8)] == [-8, -8, 3, 7, 7]


def test_periods_are_counted_in_spite_of_rounding():
    assert [full_periods(0.1, 0.1, when) for when in (0.1, 0.19, 0.1 + 0.1, 0.1 + 3 * 0.1)] == [0, 0, 1, 3]


def test_values_and_identities_that_a_device_does_not_have_are_refused():
    with pytest.raises(ValueError, match="MCP9808 has no value 'humidity': temperature"):
        MCP9808({"humidity": 3})
    with pytest.raises(ValueError, match="no identification register"):
        Device(identity=3)


def test_device_that_does_nothing_takes_no_byte_and_gives_ones():
    device = Device()
    device.power_on(0)
    assert device.start(False, 0) and not device.receive(0)
    assert device.send_bytes(2) == b"\xff\xff"


class Some(Registers):
    RESET = {1: 0x11}
    WRITABLE = frozenset((2, 3))


def test_registers_are_written_and_read_one_after_the_other():
    device = Some()
    device.power_on(0)
    device.start(False, 0)
    assert [device.receive(value) for value in (1, 7, 8, 9)] == [True] * 4
    device.start(False, 0)
    device.receive(1)
    device.start(True, 0)
    assert device.send_bytes(4) == b"\x11\x08\x09\x00"  # register 1 cannot be written
    device.power_on(1)
    device.start(True, 1)
    assert device.send_bytes(4) == b"\x00\x11\x00\x00"


class SomeWords(Words):
    RESET = {1: 0x1234, 2: 0}
    WRITABLE = frozenset((2,))


@pytest.mark.parametrize(("order", "data"), [("big", b"\x12\x34\x12"), ("little", b"\x34\x12\x34")])
def test_words_stay_at_their_register(order, data):
    device = SomeWords()
    device.ORDER = order
    device.power_on(0)
    device.start(False, 0)
    device.receive(1)
    device.start(True, 0)
    assert device.send_bytes(3) == data
    device.start(False, 0)
    for value in (2, 0xAB, 0xCD):
        device.receive(value)
    assert device.words[2] == (0xABCD if order == "big" else 0xCDAB)


class Recorder(Commands):
    LONGEST = 2

    def reset(self):
        super().reset()
        self.got = []

    def command(self, command, now):
        self.got.append((command, now))

    def answer(self, now):
        return b"ab"


def test_command_ends_with_its_write():
    device = Recorder()
    device.power_on(0)
    device.start(False, 1)
    assert [device.receive(value) for value in b"xyz"] == [True, True, False]
    assert device.got == []
    device.stop(2)
    device.start(False, 3)
    device.receive(ord("q"))
    assert device.start(True, 4)  # a repeated start ends it too
    assert device.got == [(b"xy", 2), (b"q", 4)]
    assert device.send_bytes(3) == b"ab\xff"


class Wrong(Commands):
    def __init__(self, answer):
        super().__init__()
        self._wrong = answer

    def answer(self, now):
        return self._wrong


class WrongWord(Words):
    def load(self, register):
        return 0x12345


class WrongByte(Device):
    VALUES = {"sent": 0}

    def send(self):
        return self.value("sent", 0)


def test_what_a_method_returns_wrongly_is_told_with_its_name():
    for device, said in (
        (Wrong("text"), "Wrong.answer has returned 'text', not bytes or None"),
        (Wrong(3), "Wrong.answer has returned 3, not bytes or None"),
        (WrongWord(), "WrongWord.load has returned 74565, not a word of 16 bits"),
        (WrongByte({"sent": 256}), "WrongByte.send has returned 256, not a byte"),
        (WrongByte({"sent": 1.5}), "WrongByte.send has returned 1.5, not a byte"),
    ):
        device.power_on(0)
        with pytest.raises(OwnCodeFailed, match=said):
            device.start(True, 0)
            device.send_bytes(2)
