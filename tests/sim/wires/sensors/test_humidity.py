"""AHT20, SHT40, SHT31: their commands, their times, and what is measured."""

from errno import ENODEV

import pytest

from sim.wires.sensors.device import crc8
from tests.sim.wires.sensors.rig import WHOLE_AND_BITS, Rig

AHT, SHT = 0x38, 0x44
REFUSED = -ENODEV


def weather(rig, type, **options):
    return rig.add(type, values={"temperature": [[0, 0.0], [100, 100.0]], "humidity": 40.0}, **options)


def aht20_of(data):
    humidity = int.from_bytes(data[1:4], "big") >> 4
    return humidity / (1 << 20) * 100, (int.from_bytes(data[3:6], "big") & 0xFFFFF) / (1 << 20) * 200 - 50


@WHOLE_AND_BITS
def test_aht20_measures_in_80_ms_what_is_at_their_end(bits):
    rig = Rig(bits)
    weather(rig, "AHT20")
    rig.put(AHT, 0xBE, 0x08, 0x00)
    rig.now = 20.0
    rig.put(AHT, 0xAC, 0x33, 0x00)
    rig.wait(0.07)
    assert rig.read(AHT, 1)[0] & 0x80
    rig.wait(0.01)
    data = rig.read(AHT, 7)
    assert data[0] == 0x18 and data[6] == crc8(data[:6])
    assert aht20_of(data) == pytest.approx((40.0, 20.08), abs=0.001)


@WHOLE_AND_BITS
def test_aht20_measures_nothing_before_it_is_calibrated(bits):
    rig = Rig(bits)
    member = weather(rig, "AHT20")
    rig.put(AHT, 0xAC, 0x33, 0x00)
    rig.wait(0.1)
    assert rig.read(AHT, 6) == b"\x10" + bytes(5)
    rig.put(AHT, 0xBE, 0x08, 0x00)
    assert rig.read(AHT, 1) == b"\x18"
    member.brown_out()
    assert rig.write(AHT, b"") == REFUSED
    rig.wait(0.02)
    assert rig.read(AHT, 1) == b"\x10"


@WHOLE_AND_BITS
@pytest.mark.parametrize(("command", "ms"), [(0xFD, 8.3), (0xF6, 4.5), (0xE0, 1.6)])
def test_sht40_refuses_its_address_while_it_measures(bits, command, ms):
    rig = Rig(bits)
    weather(rig, "SHT40")
    rig.now = 30.0
    rig.put(SHT, command)
    rig.wait((ms - 0.2) / 1000)
    assert rig.read(SHT, 6) == REFUSED and rig.write(SHT, b"") == REFUSED
    rig.wait(0.0002)
    data = rig.read(SHT, 6)
    assert (data[2], data[5]) == (crc8(data[:2]), crc8(data[3:5]))
    assert int.from_bytes(data[:2], "big") / 65535 * 175 - 45 == pytest.approx(30, abs=0.02)
    assert int.from_bytes(data[3:5], "big") / 65535 * 125 - 6 == pytest.approx(40, abs=0.01)
    assert rig.read(SHT, 6) == REFUSED  # it is read once


@WHOLE_AND_BITS
def test_sht40_has_a_serial_number_and_refuses_what_it_does_not_know(bits):
    rig = Rig(bits)
    weather(rig, "SHT40", identity=0x01020304)
    rig.put(SHT, 0x89)
    data = rig.read(SHT, 6)
    assert data == b"\x01\x02" + bytes((crc8(b"\x01\x02"),)) + b"\x03\x04" + bytes((crc8(b"\x03\x04"),))
    assert rig.write(SHT, b"\x55") == 0
    rig.put(SHT, 0x94)
    assert rig.write(SHT, b"") == REFUSED
    rig.wait(0.001)
    assert rig.answers(SHT)


def sht31_of(data):
    assert (data[2], data[5]) == (crc8(data[:2]), crc8(data[3:5]))
    return int.from_bytes(data[:2], "big") / 65535 * 175 - 45, int.from_bytes(data[3:5], "big") / 65535 * 100


@WHOLE_AND_BITS
def test_sht31_single_shot(bits):
    rig = Rig(bits)
    weather(rig, "SHT31")
    rig.now = 30.0
    rig.put(SHT, 0x24, 0x00)
    rig.wait(0.015)
    assert rig.read(SHT, 6) == REFUSED
    rig.wait(0.0005)
    assert sht31_of(rig.read(SHT, 6)) == pytest.approx((30.0155, 40.0), abs=0.01)
    assert rig.read(SHT, 6) == REFUSED


@WHOLE_AND_BITS
def test_sht31_periodic_measurement_is_fetched_once_each(bits):
    rig = Rig(bits)
    weather(rig, "SHT31")
    rig.now = 10.0
    rig.put(SHT, 0x21, 0x30)
    rig.put(SHT, 0xE0, 0x00)
    assert rig.read(SHT, 6) == REFUSED
    rig.now = 12.5
    rig.put(SHT, 0xE0, 0x00)
    assert sht31_of(rig.read(SHT, 6)) == pytest.approx((12.0, 40.0), abs=0.01)
    rig.put(SHT, 0xE0, 0x00)
    assert rig.read(SHT, 6) == REFUSED
    rig.put(SHT, 0x30, 0x93)
    rig.wait(2)
    rig.put(SHT, 0xE0, 0x00)
    assert rig.read(SHT, 6) == REFUSED


@WHOLE_AND_BITS
def test_sht31_status_reset_and_unknown_commands(bits):
    rig = Rig(bits)
    weather(rig, "SHT31", identity=0x01020304)

    def status():
        rig.put(SHT, 0xF3, 0x2D)
        return int.from_bytes(rig.read(SHT, 2), "big")

    assert status() == 0x8010
    rig.put(SHT, 0x30, 0x41)
    assert status() == 0
    rig.put(SHT, 0x30, 0x6D)
    assert status() == 0x2000
    rig.put(SHT, 0x30, 0xA2)
    rig.wait(0.01)
    assert status() == 0x8010
    assert rig.write(SHT, b"\x2c\x07") == 1 and rig.write(SHT, b"\x24\x01") == 1
    rig.put(SHT, 0x37, 0x80)
    assert rig.read(SHT, 2) == b"\x01\x02"


@WHOLE_AND_BITS
def test_sht31_single_shot_with_clock_stretching(bits):
    rig = Rig(bits)
    weather(rig, "SHT31")
    rig.now = 10.0
    assert rig.write(SHT, b"\x2c\x06") == 2
    rig.wait(0.001)
    assert sht31_of(rig.read(SHT, 6)) == pytest.approx((10.0165, 40.0), abs=0.01)
