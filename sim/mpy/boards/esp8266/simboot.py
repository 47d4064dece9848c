"""Starts the ESP8266: puts its stand-ins in the place of modules; then the program is imported."""

import simchip
import simlink
import usys
from simprogram import program

_QUEUE_DEPTH = 4  # MICROPY_SCHEDULER_DEPTH of the port


def start(fd, *looks):
    simlink.attach(fd)
    simlink.queue_depth = _QUEUE_DEPTH
    modules = usys.modules
    for name in ("machine", "network", "esp", "time", "select", "socket", "sys", "micropython"):
        modules[name] = simchip
