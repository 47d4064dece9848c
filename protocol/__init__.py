"""The sans-I/O core of pb_link, shared by client, bridge and server.

No clock, no asyncio, no `machine`: bytes and times go in, frames and events
come out. The same files run under MicroPython and CPython. Nothing is
imported here, so that a board pays only for the modules it uses.
Specification: `docs/protocol.md`.
"""
