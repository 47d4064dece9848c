"""A program for one board: `pb-link sim board examples/blink.py`. X1 drives, X2 sees it."""

import time

from machine import Pin

WIRES = [("X1", "X2")]  # read by the simulator: these two pins are joined

led = Pin("X1", Pin.OUT)
seen = Pin("X2", Pin.IN)
for _ in range(3):
    led(not led())
    time.sleep_ms(10)
    print("X1", led(), "X2", seen())
