"""`time` of a board: its sleeps let interrupts in, and its clock is the one that machine.RTC sets."""

import simlink
from simrtc import gmtime, localtime, time, time_ns
from utime import mktime, ticks_add, ticks_cpu, ticks_diff, ticks_ms, ticks_us
from utime import sleep_us as _sleep_us


def sleep_ms(ms):
    if ms > 0 or simlink.held_us is None:
        sleep_us(ms * 1000)


def sleep(seconds):
    sleep_us(int(seconds * 1000000))


def sleep_us(us):
    if simlink.held_us is not None:
        simlink.held_us += us  # the clock of the bus waits for this handler: the wire process counts it
        return
    if us >= 1000:
        simlink.wait(us // 1000)
        us %= 1000
    else:
        simlink.service()
    if us > 0:
        _sleep_us(us)
