"""MAX30101: the FIFO, its pointers, and what is lost."""

from tests.sim.wires.sensors.rig import WHOLE_AND_BITS, Rig

MAX = 0x57
SAMPLE = (100).to_bytes(3, "big") + (0x3FFFF).to_bytes(3, "big")


def oxygen(bits=False, config=0x5F):
    """25 samples a second of red and infrared."""
    rig = Rig(bits)
    rig.add("MAX30101", values={"red": 100, "ir": 1 << 20, "green": 7})
    rig.put(MAX, 0x08, config)
    rig.put(MAX, 0x0A, 0x27)
    rig.put(MAX, 0x09, 0x03)
    rig.put(MAX, 0x04, 0, 0, 0)
    return rig


@WHOLE_AND_BITS
def test_samples_are_read_through_one_register(bits):
    rig = oxygen(bits)
    assert rig.registers(MAX, 0xFF, 1) == b"\x15"
    rig.wait(0.21)
    assert rig.registers(MAX, 0x04, 3 + 4 * 6) == b"\x05\x00\x00" + SAMPLE * 4
    assert rig.registers(MAX, 0x04, 3) == b"\x05\x00\x04"
    assert rig.registers(MAX, 0x07, 12) == SAMPLE + bytes(6)  # it is empty
    assert rig.registers(MAX, 0x04, 3) == b"\x05\x00\x05"


@WHOLE_AND_BITS
def test_full_fifo_rolls_over(bits):
    rig = oxygen(bits)
    rig.wait(1.61)
    assert rig.registers(MAX, 0x04, 3) == b"\x08\x00\x08"
    assert rig.registers(MAX, 0x07, 33 * 6) == SAMPLE * 32 + bytes(6)


@WHOLE_AND_BITS
def test_full_fifo_counts_what_it_loses(bits):
    rig = oxygen(bits, config=0x4F)
    rig.wait(1.61)
    assert rig.registers(MAX, 0x04, 3) == b"\x00\x08\x00"
    rig.registers(MAX, 0x07, 6)
    assert rig.registers(MAX, 0x05, 2) == b"\x00\x01"
    rig.wait(1000)
    assert rig.registers(MAX, 0x05, 1) == b"\x1f"


@WHOLE_AND_BITS
def test_leds_in_the_order_of_their_slots(bits):
    rig = oxygen(bits)
    rig.put(MAX, 0x11, 0x13, 0x02)
    rig.put(MAX, 0x09, 0x07)
    rig.put(MAX, 0x04, 0, 0, 0)
    rig.wait(0.05)
    assert rig.registers(MAX, 0x07, 9) == b"\0\0\x07" + b"\0\0\x64" + b"\x03\xff\xff"


@WHOLE_AND_BITS
def test_interrupt_status_is_cleared_by_reading(bits):
    rig = Rig(bits)
    member = rig.add("MAX30101", values={"temperature": -1.5})
    assert rig.registers(MAX, 0x00, 1) == b"\x01"
    assert rig.registers(MAX, 0x00, 1) == b"\0"
    rig.put(MAX, 0x21, 1)
    assert rig.registers(MAX, 0x1F, 2) == b"\xfe\x08"
    rig.put(MAX, 0x09, 0x40)
    assert rig.registers(MAX, 0x00, 1) == b"\0"
    member.brown_out()
    assert rig.registers(MAX, 0x00, 1) == b"\x01"
