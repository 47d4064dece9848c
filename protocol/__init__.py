"""The sans-I/O core of pb_link, shared by client, bridge and server.

No clock, no asyncio, no `machine`: bytes and times go in, frames and events
come out. The same files run under MicroPython and CPython. No module of it is
imported here, so that a board pays only for those that it uses.
Specification: `docs/protocol.md`.
"""

try:
    from micropython import const  # noqa: F401 - all device code takes it from here
except ImportError:  # CPython

    def const(value):
        """Return value: MicroPython's compiler writes it where the name stands."""
        return value
