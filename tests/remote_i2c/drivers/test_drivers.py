"""Drivers that nobody here wrote, unmodified, against simulated devices at the other end of SMBus over gRPC."""

import pytest
from smbus2 import smbus2

from remote_i2c.linux import LinuxBus
from sim.remote_bus import SimulatedBus
from sim.wires.sensors.catalog import TYPES
from sim.wires.sensors.plan import plan_of
from tests.remote_i2c.doors import open_door
from tests.remote_i2c.drivers.chips import CHIPS
from tests.remote_i2c.drivers.linux_kernel import DeviceKernel
from tests.remote_i2c.drivers.packages import packages_folder, run_program


@pytest.fixture(scope="module")
def packages(missing_tool):
    """The folder with the drivers."""
    return packages_folder(missing_tool)


@pytest.fixture
def drive(packages, monkeypatch):
    """A function: runs a program of programs.py against one device. Returns (what it read, the device)."""
    for name, kind in CHIPS.items():
        monkeypatch.setitem(TYPES, name, kind)

    def run(program, type, address, **options):
        planned = plan_of([{"type": type, "address": address, **options}]).devices["i2c1"]
        bus = SimulatedBus("1", planned)
        with open_door(bus, addresses={address}) as door:
            return run_program(packages, program, door.url.removesuffix("/1")), bus.sensors.members[0].device

    return run


def test_bme280(drive):
    values = {"temperature": 21.5, "pressure": 1006.5, "humidity": 45.0}
    found, _ = drive("bme280", "BME280", 0x76, values=values)
    assert found == pytest.approx(values, abs=0.1)


def test_oled_shows_what_was_drawn(drive):
    found, device = drive("oled", "SSD1306", 0x3C)
    assert device.picture() == found["rows"]
    assert sum(row.count("#") for row in device.picture()) > 500


def test_oled_with_messages_that_are_longer_than_a_block(drive):
    _, device = drive("oled_by_itself", "SSD1306", 0x3C)
    assert device.picture() == ["#" * 128] * 64


def test_ads1115(drive):
    found, _ = drive("ads1115", "ADS1115", 0x48, values={"a0": 2.072, "a1": 0.5})
    assert found["volts"] == pytest.approx([2.072, 0.5], abs=0.001)


def test_tmp117(drive):
    found, _ = drive("tmp117", "TMP117", 0x48, values={"temperature": -12.5})
    assert found["temperature"] == pytest.approx(-12.5, abs=0.01)


def test_pca9685(drive):
    _, device = drive("pca9685", "PCA9685", 0x40)
    assert device.duty(3) == (100, 2000) and device.duty(4) == (0, 0)
    assert device.memory[device.PRESCALE] == 101 and 59 < device.hz() < 61


def test_mpu6050(drive):
    values = {"ax": 0.25, "ay": -1.5, "az": 0.98, "gx": 10.0, "gy": -20.0, "gz": 0.0, "temperature": 31.0}
    found, _ = drive("mpu6050", "MPU6050", 0x68, values=values)
    assert found["accel"] == pytest.approx({"x": 0.25, "y": -1.5, "z": 0.98}, abs=0.001)
    assert found["gyro"] == pytest.approx({"x": 10.0, "y": -20.0, "z": 0.0}, abs=0.01)
    assert found["temperature"] == pytest.approx(31.0, abs=0.01)


def test_character_lcd(drive):
    _, device = drive("lcd", "CharacterLCD", 0x27)
    assert device.lines() == ["tank 21.4 C", "valve open"]


def test_driver_on_a_bus_of_linux(packages, monkeypatch):
    """tests/peers/test_remote_i2c.py has one on the bus of a board."""
    kernel = DeviceKernel(0x48, TYPES["TMP117"](values={"temperature": 31.25}))
    monkeypatch.setattr(smbus2, "os", kernel)
    monkeypatch.setattr(smbus2, "ioctl", kernel.ioctl)
    with open_door(LinuxBus(1, "1"), addresses={0x48}) as door:
        found = run_program(packages, "tmp117", door.url.removesuffix("/1"))
    assert found["temperature"] == pytest.approx(31.25, abs=0.01)
