"""What a user of each driver writes. `python3 -m tests.remote_i2c.drivers.programs NAME` prints what was read, as JSON.

The driver is unmodified; its bus is that of PB_LINK_SMBUS.
"""

import json
import sys

import pb_link.smbus
from pb_link.smbus import I2C, SMBus


def bme280():
    """Takes the bus as an object."""
    from bme280 import load_calibration_params, sample

    with SMBus(1) as bus:
        found = sample(bus, 0x76, load_calibration_params(bus, 0x76))
    return {"temperature": found.temperature, "pressure": found.pressure, "humidity": found.humidity}


def _drawn(draw):
    draw.rectangle((0, 0, 127, 63), outline="white")
    draw.line((0, 63, 127, 0), fill="white")
    draw.ellipse((40, 20, 80, 50), outline="white", fill="black")
    draw.text((5, 5), "pb_link", fill="white")


def oled():
    """Takes the bus as an object."""
    from luma.core.interface.serial import i2c
    from luma.core.render import canvas
    from luma.oled.device import ssd1306
    from PIL import Image, ImageDraw

    device = ssd1306(i2c(bus=SMBus(1), address=0x3C))
    device.cleanup = lambda: None  # it would clear the display when the program ends
    with canvas(device) as draw:
        _drawn(draw)
    wanted = Image.new("1", (128, 64))
    _drawn(ImageDraw.Draw(wanted))
    rows = ["".join("#" if wanted.getpixel((x, y)) else "." for x in range(128)) for y in range(64)]
    return {"rows": rows}


def oled_by_itself():
    """Opens smbus2.SMBus itself, and sends messages of up to 4 KiB."""
    pb_link.smbus.install()
    from luma.core.interface.serial import i2c
    from luma.core.render import canvas
    from luma.oled.device import ssd1306

    device = ssd1306(i2c(port=1, address=0x3C))
    device.cleanup = lambda: None
    with canvas(device) as draw:
        draw.rectangle((0, 0, 127, 63), fill="white")
    return {}


def ads1115():
    """Takes CircuitPython's bus: a write and a read with a repeated start."""
    from adafruit_ads1x15 import ADS1115, AnalogIn, ads1x15

    with SMBus(1) as bus:
        converter = ADS1115(I2C(bus))
        return {"volts": [AnalogIn(converter, pin).voltage for pin in (ads1x15.Pin.A0, ads1x15.Pin.A1)]}


def tmp117():
    """Takes CircuitPython's bus."""
    from adafruit_tmp117 import TMP117

    with SMBus(1) as bus:
        sensor = TMP117(I2C(bus), 0x48)
        return {"temperature": sensor.temperature}


def pca9685():
    """Opens smbus2.SMBus itself, for each call anew."""
    pb_link.smbus.install()
    import time

    from PCA9685_smbus2 import PCA9685

    device = PCA9685.PCA9685(interface=1, address=0x40)
    device.set_pwm_freq(60)
    device.set_pwm(3, 100, 2000)
    time.sleep(0.01)
    return {}


def mpu6050():
    """Imports smbus."""
    pb_link.smbus.install()
    from mpu6050 import mpu6050 as Sensor

    sensor = Sensor(0x68)
    sensor.set_accel_range(Sensor.ACCEL_RANGE_4G)
    return {"accel": sensor.get_accel_data(g=True), "gyro": sensor.get_gyro_data(), "temperature": sensor.get_temp()}


def lcd():
    """Imports smbus, or else smbus2."""
    pb_link.smbus.install()
    from RPLCD.i2c import CharLCD

    display = CharLCD("PCF8574", 0x27, port=1, cols=16, rows=2)
    display.write_string("tank 21.4 C\r\nvalve open")
    return {}


if __name__ == "__main__":
    print(json.dumps(globals()[sys.argv[1]]()))
