"""`sim up`: a virtual Pyboard and ESP8266 run a user's client program against the user's own server, until Ctrl-C."""

import asyncio
import os
import sys
import tempfile

from sim.mpy import interpreters, link_bed
from sim.mpy.link_bed import LinkBed
from sim.wires import wifi
from sim.wires.sensors.plan import read_plan


def parse_address(text):
    """Parses HOST:PORT. Raises: ValueError."""
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError(f"a server is written as HOST:PORT, not {text!r}")
    return host, int(port)


def show(board, line):
    print(f"{board:>6} | {line}", flush=True)


def log(board, text):
    print(f"{board:>6} * {text}", file=sys.stderr, flush=True)


def wifi_of(options):
    """Returns (Air, credentials that the ESP8266 has stored, or None) according to the options.

    A network that takes any credentials is stored: a client that configures no ssid is to find it as well.
    """
    credentials = ("stored", "") if options.ssid is None else (options.ssid, options.password)
    networks = [wifi.Network() if options.ssid is None else wifi.Network(*credentials)]
    stored = credentials if options.stored_wifi or options.ssid is None else None
    if options.stored_elsewhere:
        stored = wifi.ELSEWHERE
        networks.insert(0, wifi.Network(*wifi.ELSEWHERE, server=False))
    return wifi.Air(*networks, assoc_s=options.assoc_ms / 1000), stored


async def up(options):
    interpreter = interpreters.find()
    with tempfile.TemporaryDirectory(prefix="pb_link_up_") as folder:
        return await _up(options, interpreter, link_bed.bridge_of(options, folder))


async def _up(options, interpreter, bridge):
    if options.bridge_source:
        log("sim", "the bridge runs from source, in a larger heap than the chip's")
    air, stored = wifi_of(options)
    bed = LinkBed(
        options.client,
        client_cwd=os.getcwd(),
        client_lib=options.client_lib,
        interpreter=interpreter,
        **bridge,
        on_line=show,
        log=log,
        air=air,
        stored=stored,
        server=options.server,
        boot_s=options.boot_ms / 1000,
        clock_hz=options.clock,
        arguments=options.args,
        sensor_plan=read_plan(options.sensors) if options.sensors else None,
    )
    try:
        await bed.power_on()
        while True:
            resets = bed.client_resets
            status = await bed.client.wait()
            if bed.client_resets == resets:
                log("client", f"its program ended with status {status}")
                return status
            log("client", "reset")
            await bed.start_client()
    finally:
        await asyncio.shield(bed.close())
