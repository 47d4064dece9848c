"""PCA9685: registers, sleep, and the pulses that follow."""

import pytest

from tests.sim.wires.sensors.rig import WHOLE_AND_BITS, Rig

PCA = 0x40


@WHOLE_AND_BITS
def test_it_sleeps_after_power_on_with_all_outputs_off(bits):
    rig = Rig(bits)
    device = rig.add("PCA9685").device
    assert rig.registers(PCA, 0x00, 1) == b"\x11"
    assert rig.registers(PCA, 0xFE, 1) == b"\x1e"
    assert rig.registers(PCA, 0x09, 1) == b"\x10"
    assert device.pulse_s(0) == 0


@WHOLE_AND_BITS
def test_the_prescaler_is_written_in_sleep_alone(bits):
    rig = Rig(bits)
    device = rig.add("PCA9685").device
    rig.put(PCA, 0xFE, 0x64)
    rig.put(PCA, 0x00, 0x01)
    rig.put(PCA, 0xFE, 0x10)
    assert rig.registers(PCA, 0xFE, 1) == b"\x64"
    assert 1 / device.period_s() == pytest.approx(60.4, abs=0.05)


@WHOLE_AND_BITS
def test_registers_go_on_if_they_are_told_to(bits):
    rig = Rig(bits)
    device = rig.add("PCA9685").device
    rig.put(PCA, 0x08, 0x77, 0x01)  # both into one register
    assert rig.registers(PCA, 0x08, 1) == b"\x01"
    rig.put(PCA, 0x00, 0x21)
    rig.put(PCA, 0x06, 0x10, 0x00, 0x77, 0x01)
    assert rig.registers(PCA, 0x06, 4) == b"\x10\x00\x77\x01"
    assert device.pulse_s(0) == pytest.approx((0x177 - 0x10) * device.period_s() / 4096)
    assert device.pulse_s(1) == 0
    assert rig.registers(PCA, 0x45, 2) == b"\x10\x21"  # it goes on at MODE1


@WHOLE_AND_BITS
def test_all_outputs_at_once(bits):
    rig = Rig(bits)
    device = rig.add("PCA9685").device
    rig.put(PCA, 0x00, 0x21)
    rig.put(PCA, 0xFA, 0x00, 0x10, 0x00, 0x00)
    assert [device.pulse_s(channel) for channel in range(16)] == [device.period_s()] * 16
    rig.put(PCA, 0xFD, 0x10)
    assert not any(device.pulse_s(channel) for channel in range(16))
