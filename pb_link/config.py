"""This client's configuration and hardware. Edit for another board or other pins.

`config` comes from pb_settings.json in the current directory (`settings.py`
lists its names); `python3 -m pb_link.s_app` makes one with a fresh key.
"""

from machine import I2CTarget, Pin

from i2c_devices.ports import TargetPort
from pb_link.settings import read
from protocol.mailbox import ADDRESS

settings = read()
config = {name: value for name, value in settings.items() if name != "id"}
conn_id = settings["id"]

# Pyboard: I2C "X" is scl X9, sda X10. On a Pico, say:
#   i2c = TargetPort(I2CTarget, 0, addr=ADDRESS, scl=Pin(1), sda=Pin(0))
i2c = TargetPort(I2CTarget, "X", addr=ADDRESS)
syn = Pin("X11", Pin.OUT, value=1)
ack = Pin("Y8", Pin.IN)
rst = (Pin("X12", Pin.OPEN_DRAIN, value=1), 0, 200)  # pin, active level, pulse in ms

hardware = [i2c, syn, ack, rst]
