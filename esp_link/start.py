"""What the bridge's program does once: names the hardware, and does a self test if the client asks for it. Loaded by
program.py, and out of memory when it has returned. Pins: docs/hardware.md, GPIO numbers.
"""

import time

import esp
import machine
import network

from protocol import const

_SCL = const(0)  # boot strap: must be high when reset is released
_SDA = const(2)  # boot strap as well
_SYN = const(5)
_ACK = const(4)
_CLOCK_HZ = const(400000)
_ASKED_POLLS = const(10)
_ASKED_POLL_MS = const(10)


def hardware(mem_free):
    """Returns (i2c, syn, ack, feed) of this chip, switched on: arguments of Bridge. mem_free: another one of these."""
    esp.sleep_type(esp.SLEEP_NONE)  # improves the integrity of the Wi-Fi link
    network.WLAN(network.AP_IF).active(False)
    network.WLAN(network.STA_IF).active(True)
    i2c = machine.SoftI2C(scl=machine.Pin(_SCL), sda=machine.Pin(_SDA), freq=_CLOCK_HZ)
    watchdog = machine.WDT()
    # Pulled up: with the wire off, or the client's pin not set yet, nobody asks for a self test.
    syn = machine.Pin(_SYN, machine.Pin.IN, machine.Pin.PULL_UP)
    for _ in range(_ASKED_POLLS):
        if syn():
            break  # low by noise, or by a client that has something to say
        time.sleep_ms(_ASKED_POLL_MS)
    else:
        # These cost heap, so only when asked.
        from esp_link.selftest import run
        from i2c_devices.memory_controller import MemoryController
        from protocol.mailbox import ADDRESS, ADDRESS_BITS

        memory = MemoryController(i2c, ADDRESS, ADDRESS_BITS)
        run(time, machine.Pin, (_SCL, _SDA, _ACK), syn, memory, mem_free, watchdog.feed)
    print("esp_link: up, release 0.2.0")
    return i2c, syn, machine.Pin(_ACK, machine.Pin.OUT, value=1), watchdog.feed
