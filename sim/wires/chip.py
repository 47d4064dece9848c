"""The ESP8266 as a part, for both beds: its states, its boot straps, its watchdog.

States: OFF, HELD (reset pin low), STRAPPED (released with a strap low: the boot loader waits for ever), BOOTING,
RUNNING. Source of the watchdog: MicroPython 1.25's ports/esp8266/ets_alt_task.c.
"""

OFF, HELD, STRAPPED, BOOTING, RUNNING = "off", "held", "strapped", "booting", "running"
STRAPS = ("0", "2")  # GPIO0 and GPIO2 must be high when reset is released

# The software watchdog counts ticks of a timer that never stops. Feeding sets the count to 0; the second tick resets.
WATCHDOG_TICK_S = 1.6


def bite_at(fed, tick_s=WATCHDOG_TICK_S, began=0.0):
    """Returns when the watchdog resets a chip that was last fed at `fed`. Its timer began at `began`."""
    return began + tick_s * ((fed - began) // tick_s + 2)
