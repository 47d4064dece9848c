"""The command line, `pb-link`: its arguments, and what it prints.

Exit status: 0 success; 1 failure, with a line on stderr that gives the cause; 2 invalid arguments.
"""

import argparse
import asyncio
import contextlib
import functools
import json
import os
import sys
import time

from protocol.errors import LinkError
from protocol.version import RELEASE, release_text
from server.core.listener import BACKLOG
from server.core.shown import harmless
from server.core.streams import start_server
from server.gateways.interface import descriptions, gateway_class
from server.gateways.setting import SettingsError
from server.service import (
    clients_command,
    completion,
    i2c_command,
    metrics,
    sensors_command,
    standard_files,
    starter,
    terminal,
)
from server.service import settings as settings_file
from server.service.admin import ANSWER_S, MAX_REQUEST, ask, look_at
from server.service.application import load_app
from server.service.doctor import add_doctor
from server.service.key_table import STORE
from server.service.keys_command import add_keys, show_server
from server.service.log import look_at_file
from server.service.secret_settings import Secrets, key_source
from server.service.service import refuse_both_ways, serve
from server.service.smbus_command import add_smbus
from server.service.store_command import add_restore, add_store
from server.service.web_i2c_command import add_web_i2c
from server.stores.opened import open_store

_EXAMPLES = """examples:
  pb-link init pump                            write the files that a first client and its server need
  pb-link keys add pump                        make a key for the client "pump", and show it once
  pb-link keys add valve --settings valve.json the same, with the settings for its board: build/deploy.py --settings
  pb-link keys copy keys.json store            from the key file into the database of the store; also the way back
  pb-link serve --app application:handler      serve, and run that function of application.py for each client
  pb-link serve --config /etc/pb_link.toml
  pb-link clients                              who is connected; with a database, to which of its servers
  pb-link send pump "valve open" --wait        a line for pump; return when it has it
  pb-link tail pump                            show the lines of pump as they come, and leave them to the application
  pb-link console pump --since 10m --follow    what pump has printed in the last ten minutes, and what it prints now
  pb-link console pump --repl                  MicroPython's prompt of pump; its key must allow it: keys add --repl
  pb-link sensors pump --csv pump.csv          what its sensors measure, in a table and into a file
  pb-link i2c detect -y /dev/i2c-1             what is on an I2C bus; also get, set, dump, transfer (docs/remote-i2c.md)
  pb-link smbus serve --bus 1=/dev/i2c-1       this bus for programs elsewhere: SMBus over gRPC
  pb-link smbus serve --bus 2=client:pump:0    the same with bus 0 of pump, through the server that runs here
  pb-link web-i2c serve --bus 1=/dev/i2c-1 --addresses 0x48   this bus for web pages, by the Web I2C API
  pb-link backlog                              for whom lines wait; discard ID --yes forgets those of one client
  pb-link restore backup.db                    put a back-up in the place of the store; no server may be running
  pb-link sim up --client client.py            the client on simulated boards: docs/simulator.md
  pb-link check --config /etc/pb_link.toml     is everything in order, before the server is started?
  pb-link doctor                               why does it not work? Looks at all of this computer that a link needs
"""

_LINES = 50  # of a console
ALL_LINES = 1 << 20  # more than are kept

_NEXT = """next, with CHECKOUT for the folder of pb_link's source:
  pb-link serve --config pb_link.toml                                   the server, with application.py
  pb-link sim up --client client.py                                     the client on simulated boards
  python3 CHECKOUT/build/deploy.py --port /dev/ttyACM0 --app client.py  the client on its board
  pb-link doctor                                                        what is wrong, when it does not work
"""


class Program:
    """A command of `pb-link` that has a command line of its own. Args: text: what it does; run: function (words) that
    returns the exit status; parser: function () that returns its ArgumentParser."""

    def __init__(self, text, run, parser):
        self.text = text
        self.run = run
        self.parser = parser


def main(words=None, server=None, programs=None):
    """Run a command. server: the Server that `serve` runs, or None for a new one; programs: dict of further commands,
    name to Program. Returns the exit status."""
    closed = standard_files.fill()
    words = sys.argv[1:] if words is None else words
    programs = programs or {}
    if words and words[0] in programs:
        return programs[words[0]].run(words[1:])
    options = _parser(programs).parse_args(words)
    if "stdout" in closed and options.run is not _serve:
        return _fail(options, "stdout is closed, so there is nothing to answer to: use >/dev/null instead of >&-")
    options.server = server
    options.secrets = Secrets()
    if hasattr(sys.stdout, "reconfigure"):  # lines and ids have characters that not every terminal can show
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        status = options.run(options, _settings(options) if options.reads_settings else None)
        sys.stdout.flush()
        return status
    except BrokenPipeError:  # `pb-link clients | head -1`
        _give_up_output()
        return 1
    except (SettingsError, LinkError, TypeError, ValueError) as error:
        return _fail(options, str(error))
    except OSError as error:
        _give_up_output()
        return _fail(options, f"{error.filename}: {error.strerror}" if error.filename else str(error))
    except KeyboardInterrupt:
        return 1


def _give_up_output():
    """Discard output that could not be printed. The interpreter would retry at exit, and print a traceback."""
    try:
        sys.stdout.flush()
    except OSError:
        with contextlib.suppress(OSError), open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), sys.stdout.fileno())


def _fail(options, text):
    print(json.dumps({"error": text}) if options.json else f"pb-link: {harmless(text)}", file=sys.stderr)
    return 1


def _parser(programs=None):
    parser = argparse.ArgumentParser("pb-link", description="The server of pb_link.", epilog=_EXAMPLES)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--version", action="version", version=f"pb-link {release_text(RELEASE)}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name, run, text):
        one = commands.add_parser(name, help=text, description=text)
        one.add_argument("--config", metavar="FILE.toml", help="the settings; without it the defaults")
        one.add_argument("--json", action="store_true", help="print JSON, for programs")
        one.set_defaults(run=run, reads_settings=True)
        return one

    one = command("serve", _serve, "Serve clients until SIGTERM.")
    one.add_argument("--app", metavar="MODULE:NAME", help="the application: a handler, or a class with `run`")
    one.add_argument("--port", type=int)
    one.add_argument("--host")
    one.add_argument("--keys", metavar="FILE")
    one.add_argument("--store", metavar="STORE", nargs="+", help="a path, or one postgresql://.. or several")
    for name in _keyless():
        one.add_argument("--" + name.replace("_", "-"), metavar="ID,..", type=lambda text: text.split(","))
    one = command("clients", _clients, "Show the clients of the running server, or of all servers on one database.")
    one.add_argument("--store", metavar="URL", help="a database of PostgreSQL: what it knows, from any computer")
    one = command("nodes", clients_command.show_nodes, "Show the servers on a database of PostgreSQL.")
    one.add_argument("--store", metavar="URL")
    command("backlog", _backlog, "Show for which clients lines wait that they have not acknowledged.")
    one = command("discard", _discard, "Forget the lines that wait for a client: it will never get them.")
    one.add_argument("id")
    one.add_argument("--yes", action="store_true", help="do it; without, only say what would be gone")
    one = command("tail", _tail, "Show the lines of a client as they come; the application gets them all the same.")
    one.add_argument("id")
    one = command("console", _console, "Show what a client with AppBase(.., console=True) has printed.")
    one.add_argument("id")
    one.add_argument("--lines", type=int, default=_LINES, metavar="N", help=f"the last N lines (default: {_LINES})")
    one.add_argument("--since", type=_seconds, metavar="TIME", help="of the last 30s, 10m, 2h or 1d, all that are kept")
    one.add_argument("--follow", action="store_true", help="then show new lines as they come")
    one.add_argument("--repl", action="store_true", help="MicroPython's REPL of a client with repl=True. Ctrl-] leaves")
    one = command("sensors", _sensors, "Show the samples of a client's sensors, or of a bus of this computer.")
    one.add_argument("id", nargs="?")
    one.add_argument("--bus", metavar="/dev/i2c-N", help="in place of a client; needs the extra linux, and no server")
    one.add_argument("--csv", metavar="FILE", help="add a row to this file for each value")
    i2c_command.add_i2c(command)
    add_smbus(command)
    add_web_i2c(command)
    one = command("send", _send, "Send a line to a client, through the running server.")
    one.add_argument("id")
    one.add_argument("line")
    one.add_argument("--wait", action="store_true", help="return when the client has it")
    one = command("init", _init, "Write what a first client and its server need into the current directory.")
    one.add_argument("id", metavar="NAME", help="the client's id")
    one.add_argument("--port", type=int, help="the server's port (default: 8123)")
    one.add_argument("--server", dest="address", metavar="ADDRESS", help="for the board (default: this computer's)")
    add_keys(command)
    add_restore(command)
    for description in descriptions().values():
        if description.add_commands is not None:
            description.add_commands(command)
    add_store(command)
    command("check", _check, "Look at settings, keys, application, store and port. Nothing may be running.")
    add_doctor(command)
    one = command("completion", _completion, "Print the script that completes commands and options in a shell.")
    one.add_argument("shell", choices=completion.SHELLS)
    one.set_defaults(programs=programs or {}, reads_settings=False)
    for name, program in (programs or {}).items():
        commands.add_parser(name, help=program.text, add_help=False)
    return parser


def _keyless():
    """Returns the top-level settings that name the clients without a key of a gateway. They are options of `serve`."""
    return [one.keyless for one in descriptions().values() if one.at_top and one.keyless]


def _settings(options):
    names = ("app", "port", "host", "keys", "store", *_keyless())
    changes = {name: getattr(options, name, None) for name in names}
    if isinstance(changes["store"], list) and len(changes["store"]) == 1:
        changes["store"] = changes["store"][0]
    return settings_file.read(options.config or os.environ.get("PB_LINK_CONFIG") or None, changes)


def _completion(options, settings):
    others = {name: program.parser() for name, program in options.programs.items()}
    print(completion.script(options.shell, _parser(options.programs), others), end="")
    return 0


def _serve(options, settings):
    if options.json:
        settings.log = "json"
    status = serve(settings, options.secrets, options.server)
    _give_up_output()  # a log that could not be written is no error of the server
    return status


def _clients(options, settings):
    return clients_command.show_clients(options, settings, lambda: _ask(settings, {"do": "clients"}, ANSWER_S))


def _backlog(options, settings):
    backlogs = _ask(settings, {"do": "backlog"}, ANSWER_S)["backlogs"]
    if options.json:
        print(json.dumps(backlogs))
        return 0
    form = "{:<20} {:>9} {:>11} {:>10}"
    print(form.format("client", "lines", "bytes", "days away"))
    for one in backlogs:
        print(form.format(harmless(one["id"]), one["lines"], one["bytes"], f"{one['away_s'] / 86400:.2f}"))
    return 0


def _discard(options, settings):
    if not options.yes:
        backlogs = _ask(settings, {"do": "backlog"}, ANSWER_S)["backlogs"]
        waiting = {one["id"]: one for one in backlogs}.get(options.id)
        lines = waiting["lines"] if waiting else 0
        raise ValueError(f"{lines} lines that wait for {options.id} would be gone for good: --yes does it")
    answer = _ask(settings, {"do": "discard", "id": options.id}, ANSWER_S)
    print(json.dumps(answer) if options.json else f"{answer['discarded']} lines for {harmless(options.id)} are gone")
    return 0


def _tail(options, settings):
    for answer in _answers(settings, {"do": "tail", "id": options.id}):
        shown = harmless(answer["line"]) if sys.stdout.isatty() else answer["line"]
        print(json.dumps(answer) if options.json else shown, flush=True)
    return 1  # the server has ended


def _console(options, settings):
    if options.repl:
        if options.json or options.follow or options.since is not None:
            raise ValueError("--repl is for a person at a terminal: it goes with none of --json, --follow, --since")
        return terminal.run(settings.admin_socket, options.id)
    if options.lines < 0:
        raise ValueError("--lines must not be negative")
    lines = options.lines if options.since is None else ALL_LINES
    request = {"do": "console", "id": options.id, "lines": lines, "since_s": options.since, "follow": options.follow}
    for answer in _answers(settings, request, None if options.follow else ANSWER_S):
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(answer["at"]))
        line = harmless(answer["line"], "\t") if sys.stdout.isatty() else answer["line"]
        print(json.dumps(answer) if options.json else f"{when}  {line}", flush=options.follow)
    return 1 if options.follow else 0  # the server has ended


def _sensors(options, settings):
    if (options.id is None) == (options.bus is None):
        raise ValueError("sensors needs the id of a client, or --bus /dev/i2c-N")
    if options.bus is not None:
        return sensors_command.show_bus(options)
    return sensors_command.show_answers(options, _answers(settings, {"do": "sensors", "id": options.id}))


def _seconds(text):
    """Returns the seconds of a time such as 10m. Raises: ArgumentTypeError."""
    units = {"s": 1, "m": 60, "h": 3600, "d": 86400}
    if not (text[:-1].isdecimal() and text[-1:] in units):
        raise argparse.ArgumentTypeError(f"{text!r} must be a number with s, m, h or d, such as 10m")
    return int(text[:-1]) * units[text[-1:]]


def _send(options, settings):
    answer = _ask(settings, {"do": "send", "id": options.id, "line": options.line, "wait": options.wait})
    print(json.dumps(answer) if options.json else f"{harmless(options.id)} has it" if options.wait else "stored")
    return 0


def _ask(settings, request, limit_s=None):
    """Returns the answer to a request. limit_s: None if it waits for the client, or for room for a line."""
    for answer in _answers(settings, request, limit_s):
        return answer
    raise ValueError("the server ended before it answered; a line may be stored: pb-link backlog, when it runs")


def _answers(settings, request, limit_s=None):
    """Yields the answers to a request. Raises: ValueError: the server's error, or the reason why there is no answer."""
    path = settings.admin_socket
    answers = ask(path, request, limit_s)
    while True:
        try:
            answer = next(answers, None)
        except (ConnectionRefusedError, FileNotFoundError):
            raise ValueError(f"no server runs here: there is nobody at {path}")
        except ConnectionError:  # it ended before it had read the question
            return
        except TimeoutError:
            raise ValueError(f"the server at {path} has not answered in {limit_s:g} s: is it stopped?")
        except OSError as error:
            raise ValueError(f"the server at {path} cannot be asked: {error.strerror or error}")
        if answer is None:
            return
        if "error" in answer:
            raise ValueError(answer["error"])
        yield answer


def _init(options, settings):
    port = settings_file.SETTINGS["port"].default if options.port is None else options.port
    items = starter.init(options.id, port, options.address)
    if options.json:
        print(json.dumps({"id": items["id"], "files": starter.ALL, "server": items["server"], "port": port}))
        return 0
    print(f"made {', '.join(starter.ALL)}")
    show_server(items)
    print(_NEXT, end="")
    return 0


def _check(options, settings):
    """Check each item, and print a line for it. Returns 1 if one of them is faulty."""
    secrets = options.secrets
    ids = functools.cache(lambda: set(_checked_keys(settings, secrets)))
    results = [_looked_at(what, look, settings, ids) for what, look in CHECKS]
    for name, description in descriptions().items():
        if name in settings.gateways and not description.at_top:
            results.append(_looked_at(name, _check_gateway, settings, ids, name, secrets))
    for what, fault in results:
        if options.json:
            continue
        print(f"{what}: {fault or 'good'}")
    if options.json:
        print(json.dumps(dict(results)))
    return 1 if any(fault for _, fault in results) else 0


def _looked_at(what, look, *args):
    try:
        return what, look(*args)
    except (OSError, LinkError, SettingsError, TypeError, ValueError) as error:
        return what, str(error)


def _checked_keys(settings, secrets):
    """Returns the keys, after checking that all secrets of the environment are valid. Raises: SettingsError, ..."""
    secrets.validate()
    return key_source(settings, secrets).read()


def _check_keys(settings, ids):
    refuse_both_ways(settings, ids())
    where = "the store" if settings.keys == STORE else settings.keys
    return None if ids() else f"nobody has a key in {where}: {settings_file.in_full('pb-link keys add ID', settings)}"


def _check_gateway(settings, ids, name, secrets):
    gateway, own, reads = gateway_class(name), settings.gateways[name], descriptions()[name].reads
    unknown = set(getattr(own, reads)) - ids() - settings.keyless if reads else ()
    if unknown:
        hint = settings_file.in_full("pb-link keys add ID", settings)
        return f"{reads} of [{name}] has {', '.join(sorted(unknown))}, which has no key: {hint}"
    return asyncio.run(gateway.validate(own, secrets.of_gateway(name, own)))


def _check_port(settings, ids):
    asyncio.run(_listen(start_server(print, settings.host, settings.port, BACKLOG, MAX_REQUEST)))


def _check_metrics(settings, ids):
    if settings.metrics:
        asyncio.run(_listen(metrics.listen(print, settings.metrics)))


async def _listen(starting):
    (await starting).close()


CHECKS = (
    ("keys", _check_keys),
    ("app", lambda settings, ids: load_app(settings.app) and None),
    ("store", lambda settings, ids: open_store(settings.store).close()),
    ("port", _check_port),
    ("metrics", _check_metrics),
    ("admin_socket", lambda settings, ids: look_at(settings.admin_socket)),
    ("log_file", lambda settings, ids: look_at_file(settings.log_file)),
)
