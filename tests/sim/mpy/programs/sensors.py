"""A program for a pyboard with the sensors of sensors.json: what it finds, and how it frees sda."""

import time

from machine import I2C, Pin, SoftI2C

MUX, AHT, MCP = 0x70, 0x38, 0x18

i2c = I2C(2)
time.sleep_ms(300)  # the thermometer has measured
print("main", i2c.scan())
i2c.writeto(MUX, b"\x03")
print("slots", i2c.scan())
i2c.writeto(MUX, b"\x02")
print("mcp", i2c.readfrom_mem(MCP, 5, 2)[1])
i2c.writeto(MUX, b"\x01")
i2c.writeto(AHT, b"\xbe\x08\x00")
i2c.writeto(AHT, b"\xac\x33\x00")
time.sleep_ms(100)
data = i2c.readfrom(AHT, 6)
print("aht", data[0], round((int.from_bytes(data[3:6], "big") & 0xFFFFF) / (1 << 20) * 200 - 50))

# The thermometer of slot 2 gets stuck at its next read.
i2c.writeto(MUX, b"\x02")
while True:
    try:
        i2c.readfrom_mem(MCP, 5, 2)
    except OSError as error:
        print("stuck", error.errno)
        break
    time.sleep_ms(20)
scl, sda = Pin("Y9", Pin.OPEN_DRAIN, value=1), Pin("Y10", Pin.OPEN_DRAIN, value=1)
print("sda", sda())
clocks = 0
while not sda():
    clocks += 1
    scl(0)
    scl(1)
sda(0)
sda(1)
i2c = SoftI2C(scl, sda)
print("clocks", clocks, i2c.readfrom_mem(MCP, 6, 2))
reset = Pin("Y11", Pin.OUT, value=0)
print("reset", i2c.scan())
reset(1)
while i2c.scan() == [MUX]:  # another one is plugged in
    time.sleep_ms(20)
print("plugged", i2c.scan())
