"""BME280: compensation and its inverse, modes and times."""

import pytest

from sim.wires.sensors.bme280 import BME280, Calibration
from tests.sim.wires.sensors.rig import WHOLE_AND_BITS, Rig

BME = 0x76
VALUES = {"temperature": [[0, 0.0], [100, 100.0]], "pressure": 950.5, "humidity": 33.0}


def test_worked_example():
    """Of Bosch's BMP280 data sheet (BST-BMP280-DS001-26, 3.12), whose compensation is the same."""
    calibration = Calibration()
    assert calibration.fine(519888) == 128422
    assert calibration.temperature(519888) == 25.08
    assert calibration.pressure(415148, 128422) == pytest.approx(1006.53, abs=0.005)


@pytest.mark.parametrize("temperature", [-40, -10, 0, 21.5, 60, 85])
def test_inverse_gives_back_what_is_to_be_measured(temperature):
    calibration = Calibration()
    raw = calibration.raw_temperature(temperature)
    assert calibration.temperature(raw) == pytest.approx(temperature, abs=0.005)
    fine = calibration.fine(raw)
    for pressure in (300, 700, 1013.25, 1100):
        assert calibration.pressure(calibration.raw_pressure(pressure, fine), fine) == pytest.approx(pressure, abs=0.01)
    for humidity in (1, 20, 50, 99):
        assert calibration.humidity(calibration.raw_humidity(humidity, fine), fine) == pytest.approx(humidity, abs=0.02)


def decoded(rig):
    """Reads calibration and data from the registers."""
    calibration = Calibration()
    first, second = rig.registers(BME, 0x88, 26), rig.registers(BME, 0xE1, 7)
    assert (first, second) == calibration.registers()
    data = rig.registers(BME, 0xF7, 8)
    pressure, temperature = int.from_bytes(data[:3], "big") >> 4, int.from_bytes(data[3:6], "big") >> 4
    fine = calibration.fine(temperature)
    humidity = calibration.humidity(int.from_bytes(data[6:], "big"), fine)
    return calibration.temperature(temperature), calibration.pressure(pressure, fine), humidity


@WHOLE_AND_BITS
def test_forced_measurement_is_of_its_end_and_ends_in_sleep(bits):
    rig = Rig(bits)
    rig.add("BME280", values=VALUES)
    assert rig.registers(BME, 0xD0, 1) == b"\x60"
    assert rig.registers(BME, 0xF7, 8) == b"\x80\0\0\x80\0\0\x80\0"
    rig.now = 20.0
    rig.put(BME, 0xF2, 0x01, 0xF4, 0x25)
    assert rig.registers(BME, 0xF3, 1) == b"\x08"
    rig.now = 30.0
    assert rig.registers(BME, 0xF3, 2) == b"\0\x24"
    assert decoded(rig) == pytest.approx((20.01, 950.5, 33.0), abs=0.02)


@WHOLE_AND_BITS
def test_normal_mode_measures_in_its_period(bits):
    rig = Rig(bits)
    rig.add("BME280", values=VALUES)
    rig.put(BME, 0xF2, 0x01, 0xF5, 0xA0)
    rig.now = 10.0
    rig.put(BME, 0xF4, 0x27)
    rig.now = 12.9
    assert decoded(rig) == pytest.approx((12.027, 950.5, 33.0), abs=0.02)


@WHOLE_AND_BITS
def test_humidity_setting_counts_from_the_next_control_byte(bits):
    rig = Rig(bits)
    rig.add("BME280", values=VALUES)
    rig.put(BME, 0xF4, 0x27)
    rig.put(BME, 0xF2, 0x01)
    rig.wait(1)
    assert rig.registers(BME, 0xFD, 2) == b"\x80\x00"
    rig.put(BME, 0xF4, 0x27)
    rig.wait(1)
    assert rig.registers(BME, 0xFD, 2) != b"\x80\x00"


@WHOLE_AND_BITS
def test_reset_takes_its_time(bits):
    rig = Rig(bits)
    rig.add("BME280", values=VALUES)
    rig.put(BME, 0xF4, 0x27)
    rig.put(BME, 0xE0, 0xB6)
    assert not rig.answers(BME)
    rig.wait(0.002)
    assert rig.registers(BME, 0xF4, 1) == b"\0"


def test_other_chips_have_other_constants():
    calibration = Calibration()
    calibration.t = (28000, 26000, 50)
    device = BME280(VALUES, calibration=calibration)
    device.power_on(0)
    device.start(False, 1)
    device.receive(0x88)
    device.start(True, 1)
    assert device.send_bytes(4) == (28000).to_bytes(2, "little") + (26000).to_bytes(2, "little")
