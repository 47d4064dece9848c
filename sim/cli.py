"""The command line: `python3 -m sim board|up|run|soak|sensors|exhaustive|month|silence|demo|sensors-demo`."""

import argparse
import asyncio
import signal
import sys
from pathlib import Path

from protocol.channel_records import LAST
from sim.mpy import counted_run, demo, interpreters, one_board, sensors_demo, up
from sim.root import COMMAND, ROOT
from sim.virtual import exhaustive as virtual_exhaustive
from sim.virtual import month as virtual_month
from sim.virtual import run as virtual_run
from sim.virtual import sensor_soak
from sim.virtual import silence as virtual_silence
from sim.virtual import soak as virtual_soak
from sim.virtual.apps import Pace
from sim.wires.sensors.plan import read_plan


def main(arguments):
    """Returns the exit status; 2 for a mistake on the command line."""
    parser = argparse.ArgumentParser(prog=COMMAND, description="Simulated boards for pb_link.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for add in (
        _add_board, _add_up, _add_run, _add_soak, _add_sensor_soak, _add_exhaustive, _add_month, _add_silence,
        _add_demo, _add_sensors_demo,
    ):  # fmt: skip
        add(commands)
    options = parser.parse_args(arguments)
    try:
        started = options.start(options)
        return started if isinstance(started, int) else _run(started)
    except (ValueError, interpreters.NoInterpreter, OSError) as error:
        print(f"sim {options.command}: {error}", file=sys.stderr)
        return 2


def _run(main_coroutine):
    """Runs the coroutine to its end. SIGTERM and Ctrl-C cancel it, so that every child process is ended."""

    async def guarded():
        task = asyncio.ensure_future(main_coroutine)
        loop = asyncio.get_running_loop()
        stopped = []
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, lambda number=number: (stopped.append(number), task.cancel()))
        try:
            return await task
        except asyncio.CancelledError:
            return 128 + (stopped[0] if stopped else signal.SIGTERM)

    return asyncio.run(guarded())


def _file(text):
    if not Path(text).is_file():
        raise argparse.ArgumentTypeError(f"there is no file {text!r}")
    return Path(text)


def _add_board(commands):
    parser = commands.add_parser("board", help="run any MicroPython program on one virtual board")
    parser.add_argument("file", type=_file, help="the program; its WIRES and BOARD say how it is wired")
    parser.add_argument("--board", choices=interpreters.KINDS, help="kind of board (default: BOARD of the file)")
    parser.add_argument("--wires", help="pins that are joined: X1=X9,X2=X10 (in place of the file's WIRES)")
    parser.add_argument("--heap", help="heap of the board, e.g. 128k (default: the interpreter's)")
    _add_sensors(parser, "the board")
    parser.add_argument("args", nargs="*", help="arguments of the program, after --")
    parser.set_defaults(start=_start_board)


def _add_sensors(parser, whose):
    parser.add_argument(
        "--sensors", type=_file, metavar="FILE.json",
        help=f"virtual sensors on buses of {whose}, as this file says (docs/simulator.md)",
    )  # fmt: skip


def _start_board(options):
    literals = one_board.read_literals(options.file)
    kind = options.board or literals.get("BOARD", "pyboard")
    if kind not in interpreters.KINDS:
        raise ValueError(f"{options.file}: BOARD must be one of {', '.join(interpreters.KINDS)}")
    wires = one_board.parse_wires(options.wires) if options.wires else literals.get("WIRES", ())
    wires = one_board.normal_wires(wires, kind)
    plan = read_plan(options.sensors) if options.sensors else None
    return one_board.run_board(
        options.file, kind, wires, arguments=options.args, heap=options.heap, plan=plan, log=_log_sensors
    )


def _log_sensors(text):
    up.log("sensors", text)


def _positive(text):
    number = int(text) if text.isdigit() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return number


def _milliseconds(text):
    if not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of milliseconds")
    return int(text)


def _pace(text):
    try:
        wait_every, client_s, server_s = text.split(",")
        pace = Pace(int(wait_every), float(client_s), float(server_s))
    except ValueError:
        pace = None
    if pace is None or pace.wait_every < 1 or not 0 <= min(pace[1:]) <= max(pace[1:]) <= 86400:
        raise argparse.ArgumentTypeError(f"{text!r}: write W,C,S, a whole number above 0 and two numbers of seconds")
    return pace


def _channels(text):
    numbers = [int(part) if part.isdigit() else 0 for part in text.split(",")]
    if not all(0 < number <= LAST for number in numbers) or len(set(numbers)) < len(numbers):
        raise argparse.ArgumentTypeError(f"{text!r}: write numbers of channels, 1 to {LAST}, with commas")
    return tuple(numbers)


def _address(text):
    try:
        return up.parse_address(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error))


def _add_bed_options(parser):
    parser.add_argument("--clock", type=_positive, metavar="HZ", help="I2C clock (default: 400 kHz or as --costs says)")
    parser.add_argument("--boot-ms", type=_milliseconds, default=1000, help="from reset to Python on the ESP8266")
    parser.add_argument("--assoc-ms", type=_milliseconds, default=2000, help="to join the Wi-Fi network")
    parser.add_argument(
        "--bridge-source", action="store_true", help="run the bridge from source in a 64-bit MicroPython, not frozen"
    )
    parser.add_argument(
        "--bridge-image", action="store_true", help="boot the bridge from the images in firmware/ (the demo does)"
    )
    parser.add_argument("--images", metavar="FOLDER", help="for --bridge-image: take them from this folder instead")


def _add_up(commands):
    parser = commands.add_parser("up", help="run a client program against a server of your own")
    parser.add_argument("--client", type=_file, required=True, metavar="FILE.py", help="the client's program")
    parser.add_argument(
        "--client-lib", type=Path, default=ROOT, metavar="DIR",
        help="where the client imports pb_link from, e.g. what mip has installed (default: the source)",
    )  # fmt: skip
    parser.add_argument("--server", type=_address, metavar="HOST:PORT", help="in place of what the client configures")
    parser.add_argument("--ssid", help="the network takes only this one (default: any credentials)")
    parser.add_argument("--password", default="", help="with --ssid")
    stored = parser.add_mutually_exclusive_group()
    stored.add_argument("--stored-wifi", action="store_true", help="with --ssid: the ESP8266 has stored it")
    stored.add_argument(
        "--stored-elsewhere", action="store_true",
        help="the ESP8266 has stored another network, which is in range and does not lead to the server",
    )  # fmt: skip
    _add_bed_options(parser)
    _add_sensors(parser, "the client's board")
    parser.add_argument("args", nargs="*", help="arguments of the client's program, after --")
    parser.set_defaults(start=up.up)


def _add_run(commands):
    parser = commands.add_parser("run", help="exchange N counted lines each way, under faults, and compare")
    parser.add_argument(
        "--bed",
        choices=("mpy", "virtual"),
        default="mpy",
        help="mpy: boards are MicroPython processes; virtual: one process, on a clock that jumps",
    )
    parser.add_argument("--lines", type=_positive, required=True, metavar="N", help="lines each way")
    parser.add_argument("--line-bytes", type=_positive, default=50, metavar="B", help="bytes a line, with its newline")
    parser.add_argument("--faults", default="", metavar="NAME=N,NAME=R/s", help="counts, or rates per second")
    parser.add_argument("--seed", type=int, default=1, help="of the lines and of the order of the faults")
    parser.add_argument("--json", action="store_true", help="print nothing but the JSON object on stdout")
    parser.add_argument("--timeout", type=_positive, metavar="S", help="give up after this long")
    parser.add_argument("--verbose", action="store_true", help="show what the programs print")
    parser.add_argument("--quiet", action="store_true", help="show no progress")
    _add_bed_options(parser)
    parser.add_argument(
        "--costs",
        choices=("placeholders", "calculated", "zero"),
        default="placeholders",
        help="bed virtual: what computing costs (docs/simulator.md)",
    )
    parser.add_argument(
        "--delay-ms", type=_milliseconds, help="bed virtual: one way through the network (default: what --costs says)"
    )
    parser.add_argument(
        "--pace",
        type=_pace,
        default=virtual_run.PACE,
        metavar="W,C,S",
        help="bed virtual: one write of W waits; C and S seconds between the client's and the server's lines",
    )
    parser.add_argument(
        "--channels", type=_channels, default=(), metavar="N,N",
        help="bed virtual: as many messages each way on each of these, some with a time limit",
    )  # fmt: skip
    parser.add_argument(
        "--requests", type=_channels, default=(), metavar="N,N",
        help="bed virtual: as many requests each way, on the first channel from the client, on the second to it",
    )  # fmt: skip
    parser.add_argument("--trace", action="store_true", help="bed virtual: one line an event on stderr")
    parser.add_argument("--vcd", metavar="FILE", help="bed virtual: the wires bit by bit, for logic analysers")
    parser.set_defaults(start=_start_run)


def _add_soak(commands):
    parser = commands.add_parser("soak", help="many seeds on the virtual bed, each under faults of its own choice")
    parser.add_argument("--seeds", required=True, metavar="A:B", help="from A up to, not including, B")
    parser.add_argument("--faults", default="all", metavar="NAME,NAME|all", help="what the seeds choose from")
    parser.add_argument("--lines", type=_positive, default=200, metavar="N", help="lines each way")
    parser.add_argument("--line-bytes", type=_positive, metavar="B", help="bytes a line (default: the seed chooses)")
    parser.add_argument("--fail-fast", action="store_true", help="stop at the first violation")
    parser.add_argument("--json", action="store_true", help="print nothing but the JSON object on stdout")
    parser.add_argument("--quiet", action="store_true", help="show no progress")
    parser.set_defaults(start=virtual_soak.run)


def _add_sensor_soak(commands):
    parser = commands.add_parser("sensors", help="many seeds of a sensor bus whose devices come, go, fail and block it")
    parser.add_argument("--seeds", required=True, metavar="A:B", help="from A up to, not including, B")
    parser.add_argument("--json", action="store_true", help="print nothing but the JSON object on stdout")
    parser.set_defaults(start=sensor_soak.run)


def _add_exhaustive(commands):
    parser = commands.add_parser("exhaustive", help="a crash at every event of one short exchange, one run each")
    names = ", ".join(virtual_exhaustive.CRASHES)
    parser.add_argument("--crash", default="all", metavar="NAME,NAME|all", help=f"kinds of crash: {names}")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--every", type=_positive, default=1, metavar="K", help="only every Kth point")
    parser.add_argument(
        "--traffic", choices=virtual_exhaustive.TRAFFIC,
        help="all points of one exchange (default: all of messages, and every seventh of requests)",
    )  # fmt: skip
    parser.add_argument("--at", type=_positive, metavar="EVENT", help="one point, with a trace")
    parser.add_argument("--json", action="store_true", help="print nothing but the JSON object on stdout")
    parser.add_argument("--quiet", action="store_true", help="show no progress")
    parser.set_defaults(start=virtual_exhaustive.run)


def _add_month(commands):
    parser = commands.add_parser("month", help="days of slow traffic, with outages and crashes, in virtual time")
    parser.add_argument("--days", type=_positive, default=30, metavar="N")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quiet", action="store_true", help="show no progress")
    parser.set_defaults(start=virtual_month.run)


def _add_silence(commands):
    parser = commands.add_parser("silence", help="days without a line, or without one of the parts, in virtual time")
    parser.add_argument("--days", type=_positive, nargs="+", default=virtual_silence.DAYS, metavar="N")
    parser.add_argument("--quiet", action="store_true", help="show no progress")
    parser.set_defaults(start=virtual_silence.run)


def _start_run(options):
    return virtual_run.run(options) if options.bed == "virtual" else counted_run.run(options)


def _add_demo(commands):
    parser = commands.add_parser("demo", help="the link at work under faults, in less than a minute")
    parser.add_argument("--verbose", action="store_true", help="show all that the programs print")
    _add_bed_options(parser)
    parser.set_defaults(start=demo.demo, bridge_image=True)


def _add_sensors_demo(commands):
    parser = commands.add_parser("sensors-demo", help="a sensor is plugged in, pulled, and plugged in elsewhere")
    parser.add_argument("--verbose", action="store_true", help="show all that the programs print")
    _add_bed_options(parser)
    parser.set_defaults(start=sensors_demo.demo, bridge_image=True)
