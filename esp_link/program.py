"""The ESP8266's program: runs the bridge, and resets the chip when it ends.

What only starting, joining a network or connecting needs is loaded for that, and is out of memory afterwards.
"""

import sys

import machine


def forget():
    """Take out of memory what only importing needs: the packages, asyncio's own names, and the table of modules.

    Functions keep the names of their own module. So a module stays as long as a function of it is used, and `import`
    does not find it any more: what is loaded later gets from here what it shares with the rest.
    """
    modules = sys.modules
    for name in tuple(modules):
        if name.split(".")[0] in ("asyncio", "esp_link", "i2c_devices", "primitives", "protocol"):
            del modules[name]
    others = dict(modules)
    modules.clear()  # gives back the table, which does not become smaller otherwise
    modules.update(others)


# Now already: MicroPython holds the package whose module is being imported, and it would hold all that comes below it.
forget()

from esp_link.bridge import Bridge  # noqa: E402
from primitives.platform import core, sleep_ms, writable  # noqa: E402


def start():
    """Returns the bridge."""

    def mem_free():
        import gc

        gc.collect()
        return gc.mem_free()

    def rssi():
        import network

        return network.WLAN(network.STA_IF).status("rssi")

    import os

    from esp_link.start import hardware

    i2c, syn, ack, feed = hardware(mem_free)
    forget()
    mem_free()  # what importing has left
    return Bridge(i2c, syn, ack, join, connect, os.urandom, mem_free, feed, rssi)


def join(*wanted):
    """Returns the coroutine esp_link.wifi.join, whose module is in memory until it ends. As those below."""
    import network

    from esp_link.wifi import join

    forget()
    return join(sleep_ms, network.WLAN(network.STA_IF), network.STAT_IDLE, network.STAT_CONNECTING, *wanted)


def connect(host, port):
    def resolve(name):
        from esp_link.names import resolve

        forget()
        return resolve(name, sleep_ms)

    from esp_link.tcp import connect

    forget()
    return connect(host, port, resolve, writable)


def run():
    """Run the bridge until it fails, then reset the chip."""
    try:
        core.run(start().run())
    except Exception as error:  # whatever it is, the remedy is the same
        try:
            sys.print_exception(error)
        except MemoryError:
            pass  # there may be none left to print with
    machine.reset()
