"""The command line, `pb-link sim`: board, boards, up, run, soak, sensors, exhaustive, month, silence, demo, ..

`python3 -m sim` is the same, in a checkout in which nothing is installed.
"""

import argparse
import asyncio
import contextlib
import os
import signal
import sys
from pathlib import Path

from protocol.channel_records import LAST
from sim import output
from sim.mpy import (
    counted_run,
    demo,
    fault_actions,
    interpreters,
    models,
    one_board,
    plain_view,
    sensors_demo,
    up,
    web_demo,
)  # fmt: skip
from sim.root import COMMAND
from sim.virtual import exhaustive as virtual_exhaustive
from sim.virtual import month as virtual_month
from sim.virtual import run as virtual_run
from sim.virtual import sensor_soak
from sim.virtual import silence as virtual_silence
from sim.virtual import soak as virtual_soak
from sim.virtual.apps import Pace
from sim.wires.own_code import failure_in
from sim.wires.sensors.device import NotModelled
from sim.wires.world_file import read_world

# What a user has done wrong: its text says it all.
MISTAKES = (ValueError, TypeError, interpreters.NoInterpreter, OSError, NotModelled)
# Ctrl-C, the usual end, a terminal that is closed, Ctrl-\. The server's process has a session of its own, which a
# closed terminal does not end.
STOPS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT")


def main(arguments, command=COMMAND):
    """Returns the exit status; 2 for a mistake on the command line. Args: command: its name in help."""
    options = parser(command).parse_args(arguments)
    output.escape()
    world = getattr(options, "world", None)
    try:
        started = options.start(options)
        return started if isinstance(started, int) else _run(started, world)
    except Exception as error:
        failure = failure_in(world, error)
        if failure is not None:
            print(failure.trace, end="", file=sys.stderr)
        elif not isinstance(error, MISTAKES):
            raise
        print(f"sim {options.command}: {failure or error}", file=sys.stderr)
        return 2


def parser(command=COMMAND):
    """Returns the ArgumentParser of all commands."""
    parser = argparse.ArgumentParser(prog=command, description="Simulated boards for pb_link.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for add in (
        _add_board, _add_boards, _add_up, _add_run, _add_soak, _add_sensor_soak, _add_exhaustive, _add_month,
        _add_silence, _add_demo, _add_sensors_demo,
    ):  # fmt: skip
        add(commands)
    return parser


def _run(main_coroutine, world=None):
    """Runs the coroutine to its end. The first signal of STOPS cancels it, so that every child process is ended, and so
    do an output that takes nothing any more, and what the user's own file of the world has done wrong, or NotModelled,
    in whichever task or callback; then that is raised."""

    async def guarded():
        task = asyncio.ensure_future(main_coroutine)
        loop = asyncio.get_running_loop()
        stopped, failures = [], []

        def failed(loop, context):
            error = context.get("exception")
            if not isinstance(error, NotModelled):
                error = error and failure_in(world, error)
            if error is None:
                loop.default_exception_handler(context)
            else:
                end(error)

        def end(error):
            if not failures:
                task.cancel()
                failures.append(error)

        loop.set_exception_handler(failed)

        def stop(number):
            _leave_lost_terminal()
            if not stopped:  # another cancellation would cut the end of the child processes short
                task.cancel()
            stopped.append(number)

        for number in _stops():
            with contextlib.suppress(NotImplementedError):  # Windows: KeyboardInterrupt cancels the task
                loop.add_signal_handler(number, stop, number)
        try:
            with output.watched(end):
                result = await task
            if failures:
                raise failures[0]
            return result
        except (asyncio.CancelledError, OSError) as error:
            failure = failures[0] if failures else error
            # An OSError after a signal: something was written to a terminal that was closed.
            if not isinstance(failure, (asyncio.CancelledError, *((OSError,) if stopped else ()))):
                raise failure from None
            return 128 + (stopped[0] if stopped else signal.SIGTERM)

    try:
        return asyncio.run(guarded())
    except KeyboardInterrupt:  # where there is no handler of signals
        return 128 + signal.SIGINT


def _stops():
    """Returns the numbers of STOPS that there are. Those that are ignored since the start stay so, as nohup has it."""
    there = [getattr(signal, name) for name in STOPS if hasattr(signal, name)]
    kept = [number for number in there if signal.getsignal(number) == signal.SIG_IGN]
    return [number for number in there if number not in kept or number in (signal.SIGINT, signal.SIGTERM)]


def _leave_lost_terminal():
    """Has what is written to a terminal that was closed go nowhere: each write to it would raise."""
    for number in (1, 2):
        try:
            os.write(number, b"")
        except OSError:
            output.leave(number)


def _file(text):
    if not Path(text).is_file():
        raise argparse.ArgumentTypeError(f"there is no file {text!r}")
    return Path(text)


def _add_board(commands):
    parser = commands.add_parser("board", help="run any MicroPython program on one virtual board")
    parser.add_argument("file", type=_file, help="the program; its WIRES and BOARD say how it is wired")
    _add_board_name(parser, models.find, "BOARD of the file, or pyboard")
    parser.add_argument("--wires", help="pins that are joined: X1=X9,X2=X10 (in place of the file's WIRES)")
    parser.add_argument("--heap", help="heap of the board, e.g. 128k (default: the interpreter's)")
    _add_sensors(parser, "the board")
    parser.add_argument("args", nargs="*", help="arguments of the program, after --")
    parser.set_defaults(start=_start_board)


def _add_board_name(parser, find, default):
    def model(text):
        try:
            return find(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error))

    text = f"pyboard, pico, ..: the command boards lists them (default: {default})"
    parser.add_argument("--board", type=model, metavar="NAME", help=text)


def _add_boards(commands):
    parser = commands.add_parser("boards", help="list the boards that can be simulated, and their names")
    parser.set_defaults(start=lambda options: models.print_models(sys.stdout) or 0)


def _add_sensors(parser, whose):
    parser.add_argument(
        "--world", "--sensors", type=_file, metavar="FILE",
        help=f"what is around {whose}: sensors on I2C and SPI, levels, as this file says (docs/simulator.md)",
    )  # fmt: skip


def _start_board(options):
    literals = one_board.read_literals(options.file)
    model = options.board or models.find(literals.get("BOARD", "pyboard"))
    wires = one_board.parse_wires(options.wires) if options.wires else literals.get("WIRES", ())
    wires = one_board.normal_wires(wires, model.kind)
    world = read_world(options.world) if options.world else None
    return one_board.run_board(
        options.file, model, wires, arguments=options.args, heap=options.heap, world=world, log=plain_view.log
    )


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
    parser.add_argument(
        "--client", type=_file, required=True, metavar="FILE.py", action="append",
        help="the client's program; again for each further client, with a board, a bridge and an id of its own",
    )  # fmt: skip
    _add_board_name(parser, models.find_client, "pyboard")
    parser.add_argument(
        "--demo-server", action="store_true", help="run the demo server too (python3 -m pb_link.s_app, in this folder)"
    )
    parser.add_argument(
        "--faults", default="", metavar="NAME=N,NAME=R/s",
        help=f"one after the other, or at a rate per second: {', '.join(fault_actions.NAMES)}",
    )  # fmt: skip
    parser.add_argument("--seed", type=int, default=1, help="of the order of the faults")
    parser.add_argument("--seconds", type=_positive, metavar="S", help="end after so long (default: at Ctrl-C)")
    parser.add_argument("--json", action="store_true", help="say in JSON what was delivered, on the last line")
    parser.add_argument("--trace", action="store_true", help="one line an event on stderr: transfers, frames, faults")
    parser.add_argument("--vcd", metavar="FILE", help="the wires bit by bit, for logic analysers")
    _add_plain(parser)
    parser.add_argument(
        "--client-lib", type=Path, metavar="DIR",
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


def _add_plain(parser):
    parser.add_argument("--plain", action="store_true", help="lines of text, also in a terminal; no keys")


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
    parser.add_argument(
        "--web", action="store_true", help="go on until Ctrl-C, with the web page that shows it (extra web)"
    )
    _add_plain(parser)
    parser.add_argument("--port", type=_positive, help="with --web: of the page (default: a free one)")
    parser.add_argument("--seconds", type=_positive, metavar="S", help="with --web: end after so long")
    _add_bed_options(parser)
    parser.set_defaults(start=_start_demo, bridge_image=True)


def _start_demo(options):
    return web_demo.web_demo(options) if options.web else demo.demo(options)


def _add_sensors_demo(commands):
    parser = commands.add_parser("sensors-demo", help="a sensor is plugged in, pulled, and plugged in elsewhere")
    parser.add_argument("--verbose", action="store_true", help="show all that the programs print")
    _add_bed_options(parser)
    parser.set_defaults(start=sensors_demo.demo, bridge_image=True)
