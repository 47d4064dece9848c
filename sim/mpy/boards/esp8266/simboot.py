"""Starts the ESP8266: puts its stand-ins in the place of modules; then the program is imported."""

import simchip
import usys


def start(fd, *looks):
    simchip.attach(fd)
    modules = usys.modules
    for name in ("machine", "network", "esp", "time", "select", "socket", "sys", "micropython"):
        modules[name] = simchip


def program(path, *arguments):
    """As common/simboot.py."""
    usys.argv[:] = (path,) + arguments
    with open(path) as source:
        return compile(source.read(), path, "exec")
