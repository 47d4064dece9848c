"""`pb-link sim up`: virtual boards run a user's client programs, until Ctrl-C, and then it says what was delivered."""

import asyncio
import contextlib
import json
import os
import sys
import tempfile
from pathlib import Path

from server.core.shown import harmless
from sim import faults, vcd
from sim.mpy import fault_actions, interpreters, link_bed, ready_settings
from sim.mpy.fault_schedule import Schedule
from sim.mpy.link_bed import LinkBed
from sim.mpy.playground import Client, FirstLines, Playground, compared
from sim.mpy.server_process import ServerProcess
from sim.mpy.shown import view_of
from sim.mpy.summary import print_summary
from sim.wires import wifi
from sim.wires.world_file import read_world

DEMO_SERVER = "pb_link.s_app"
RECEIVED = "received "  # what the demo server prints before a line that it has read; of several clients, the id first
NO_END = 1 << 30  # lines: as many faults as one likes can be spread over them


def parse_address(text):
    """Parses HOST:PORT. Raises: ValueError."""
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError(f"a server is written as HOST:PORT, not {text!r}")
    return host, int(port)


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
    """Returns the exit status: that of the client's program, or 0 when the time is over or somebody quits."""
    if options.demo_server and options.server:
        raise ValueError("--demo-server and --server name two servers: give one of them")
    if options.vcd and len(options.client) > 1:
        raise ValueError("--vcd has the wires of one client: give one --client")
    schedule = _schedule(options)
    interpreter = interpreters.find()
    with _vcd_file(options.vcd) as vcd_file, tempfile.TemporaryDirectory(prefix="pb_link_up_") as scratch:
        view = view_of(options, len(options.client))
        look = options.demo_server
        ready = ready_settings.prepare(os.getcwd(), len(options.client), scratch, look=look, say=view.note)
        read = FirstLines()  # what the demo server says to have read
        server = demo_server(view, read, ready[0].id) if options.demo_server else None
        if options.bridge_source or not interpreters.has_bridge():
            view.note("the bridge runs from source, in a larger heap than the chip's")
        clients = [
            _client(options, one, program, interpreter, scratch, server, view)
            for one, program in zip(ready, options.client, strict=True)
        ]
        if any(one.made for one in ready) and server is None:
            view.note("start the server in this folder: python3 -m pb_link.s_app, or give --demo-server")
        playground = Playground(clients, server, schedule, view, options.seconds)
        view.begin(playground)
        try:
            with _wires(vcd_file, clients[0].bed):
                return await playground.run()
        finally:
            await asyncio.shield(playground.close())
            view.end()
            _conclude(options, playground, read)


def _schedule(options):
    if not options.faults:
        return None
    counts, rates = faults.parse(options.faults, NO_END, fault_actions.NAMES)
    return Schedule(counts, rates, options.seed, options.seconds)


def _vcd_file(path):
    """Opens the file, if there is a path, before anything runs. Raises: OSError."""
    return open(path, "w", encoding="ascii") if path else contextlib.nullcontext()


@contextlib.contextmanager
def _wires(file, bed):
    """Writes the wires of a LinkBed into a file, if there is one."""
    if file is None:
        yield
        return
    dump = vcd.dump(bed.bus, bed.nets, bed.bed.clock(bed.bus).now, file)
    try:
        yield
    finally:
        dump.end()


def demo_server(view, read, client_id):
    """Returns the ServerProcess of the demo, in this folder. Args: read: FirstLines, what it says to have read of this
    client."""
    heads = RECEIVED, f"{harmless(client_id)} {RECEIVED}"

    def on_line(line):
        head = next((head for head in heads if line.startswith(head)), None)
        if head is not None:
            read.append(line[len(head) :])
        view.line("", "server", line)

    return ServerProcess(DEMO_SERVER, (), cwd=os.getcwd(), on_line=on_line)


def _client(options, ready, program, interpreter, scratch, server, view):
    name = ready.id or "client"
    air, stored = wifi_of(options)
    flash = Path(scratch) / f"flash of {name}"
    flash.mkdir()
    bed = LinkBed(
        program,
        client_cwd=ready.folder,
        client_lib=options.client_lib,
        board=options.board.name if options.board else "pyboard",
        interpreter=interpreter,
        **link_bed.bridge_of(options, flash),
        on_line=lambda who, line: view.line(name, who, line),
        log=lambda who, text: view.event(name, who, text),
        air=air,
        stored=stored,
        server=options.server,
        boot_s=options.boot_ms / 1000,
        clock_hz=options.clock,
        arguments=options.args,
        world=read_world(options.world) if options.world else None,
    )
    return Client(name, bed, server and server.restart_listener, view, options.seed)


def _conclude(options, playground, read):
    result = {
        "seconds": round(playground.elapsed_s, 3),
        "clients": {client.name: client.counts() for client in playground.clients},
    }
    if options.demo_server and len(playground.clients) == 1:
        crossed = playground.clients[0].lines["client -> server"]
        result["read_by_the_server"] = compared(crossed, read)
    if options.json:
        print(json.dumps(result), flush=True)
    else:
        print_summary(result, sys.stdout)
