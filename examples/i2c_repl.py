"""A REPL over I2C. This board's terminal is doubled to a stream device; examples/i2c_terminal.py is the other end.

Run it with `import i2c_repl` in main.py: when that has ended, the REPL is there. Pyboard: scl X9, sda X10.
"""

import io
import os
import time

from machine import I2CTarget

from i2c_devices.ports import TargetPort
from i2c_devices.stream_target import StreamTarget

ADDRESS = 0x2B
# What is printed waits this long for room; then it is lost, until somebody reads again.
PATIENCE_MS = 500


class Terminal(io.IOBase):
    """What os.dupterm wants: a stream whose `write` takes everything, if somebody reads."""

    def __init__(self, stream):
        self._stream = stream
        self._patient = True

    def readinto(self, buf):
        n = self._stream.readinto(buf)
        if n is None:
            time.sleep_ms(1)  # whoever waits for a key leaves time for others
        return n

    def write(self, data):
        data = memoryview(data)
        sent = waited = 0
        while sent < len(data):
            n = self._stream.write(data[sent:])
            if n:
                sent += n
                self._patient = True
            elif not self._patient or waited >= PATIENCE_MS:
                self._patient = False
                break
            else:
                time.sleep_ms(1)
                waited += 1
        return len(data)

    def ioctl(self, request, arg):
        return self._stream.ioctl(request, arg)


stream = StreamTarget(TargetPort(I2CTarget, "X", addr=ADDRESS), rxbuf=128, txbuf=1024)
stream.open()
os.dupterm(Terminal(stream))
print("the terminal is also on I2C, address", ADDRESS)
