"""Puts the client on its board: code, settings, and a main.py that starts the demo, over USB serial.

    python3 build/deploy.py --port /dev/ttyACM0 [--app FILE.py] [--ssid NAME] [--server ADDRESS] [--source]

With --app it puts that program there in place of the demo, and a main.py that runs it, and resets the board when it has
ended (pb_link/autostart.py).

Makes pb_settings.json here if there is none, or completes it. It gets a fresh key, which is put into keys.json as well,
this computer's address as the server's, and the Wi-Fi network as entered. The server's demo and pb-link read the same
files. Code on the board that this program has installed, according to its list there, is replaced. If a file of the
same name is not from this program, or is a program of --app that has been changed on the board, it is named, and
nothing is done. An existing pb_settings.json is left alone, and a main.py unless --app replaces this program's own. The
program uses mpremote (`make tools`).
"""

import argparse
import ast
import getpass
import hashlib
import json
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

from build.install import client_package
from build.tools.shell import BuildError, MissingTool, progress, say
from pb_link.settings import DEFAULTS, FILE
from protocol.credentials import parse_key
from protocol.text import encode_text
from server.service import client_settings
from server.service.key_file import KeyFile

MAIN = "import pb_link.pb_client\n"
MARK = "# Written by build/deploy.py, which may replace it.\n"  # how a main.py of --app begins
MAIN_OF_APP = MARK + "import machine\nfrom pb_link import autostart\n\nautostart.run(%r, machine.reset)\n"
# Prints the text of main.py, and the names of the programs there that make a watchdog.
READ_MAIN = (
    "import os\nmain, dogs = b'', []\nfor name in os.listdir():\n if not name.endswith('.py'):\n  continue\n"
    " with open(name, 'rb') as f:\n  for line in f:\n   if name == 'main.py':\n    main += line\n"
    "   if b'WDT(' in line.split(b'#')[0] and name not in dogs:\n    dogs.append(name)\nprint([main, dogs])"
)
OLDEST = (1, 26)  # has machine.I2CTarget
PROBE = (
    "import os, sys\ntry:\n import machine\n machine.I2CTarget\n target = True\n"
    "except (ImportError, AttributeError):\n target = False\n"
    "print(list(sys.implementation.version[:2]), target, os.listdir())"
)


UNREACHED = (
    "The board on {port} cannot be reached: {said}. Is it the right port, is no other program using it, and may you "
    "open it (group dialout)?"
)
UNCOPIED = (
    "Copying to the board on {port} failed: {said}. Was it unplugged, or is its file system full? The client takes "
    "50 KB there, 150 KB with --source. {settings}What is on the board is not complete: give the same command again, "
    "which begins anew."
)
KEPT = "The settings and keys here are complete and stay as they are. "

FOREIGN = (
    "The board has files with the names of the client's that this program has not installed: {names}. If they are of "
    "an earlier pb_link, as mip installs it, add --replace. If they are yours, move them out of the way."
)
CHANGED = (
    "The board has a {name} that this program has not installed, or that was changed there. To keep it:  "
    "mpremote connect {port} cp :{name} COPY.py . To put the one of --app in its place, add --replace."
)
WATCHED = (
    "{names} on the board may start a watchdog, which would reset the board while files are copied. First:  "
    "mpremote connect {port} {away} reset . Then give the same command again."
)
MOST_NAMES = 5  # shown of them
# On the board, in the folder that mip installs into: names in that folder, one a line. "/NAME SHA-256" is a program of
# --app, in the board's current directory.
RECORD = "pb_link/installed.txt"
# mip installs into the first folder of sys.path that ends so.
LIB = "import os, sys\nlib = next(p for p in sys.path if p.endswith('/lib') and not p.startswith('/rom'))\n"
REMOVE = LIB + "for name in %r:\n try:\n  os.remove(lib + '/' + name)\n except OSError:\n  pass\n"
# Prints {name: SHA-256} of the names that exist, except for those of the record; "/" begins those in the current
# directory.
LOOK = LIB + (
    "import hashlib\nfrom binascii import hexlify\n"
    "try:\n with open(lib + '/%s') as f:\n  known = f.read().split('\\n')\nexcept OSError:\n known = []\n"
    "found = {}\nfor name in %r:\n if name in known:\n  continue\n"
    " try:\n  f = open(name[1:] if name[0] == '/' else lib + '/' + name, 'rb')\n"
    " except OSError:\n  continue\n h = hashlib.sha256()\n b = f.read(512)\n"
    " while b:\n  h.update(b)\n  b = f.read(512)\n"
    " f.close()\n digest = hexlify(h.digest()).decode()\n"
    " if name + ' ' + digest not in known:\n  found[name] = digest\nprint(found)"
)
WRITE = LIB + (
    "for folder in (lib, lib + '/pb_link'):\n try:\n  os.mkdir(folder)\n except OSError:\n  pass\n"
    "name, apps = lib + '/%s', ''\n"
    "try:\n with open(name) as f:\n  for line in f:\n   if line[0] == '/' and line.split(' ')[0] != %r:\n"
    "    apps += line\nexcept OSError:\n pass\nwith open(name, 'w') as f:\n f.write(%r + apps)"
)
# A file that is copied takes its place when it is complete. FAT renames onto no other file.
NEW = ".new"
PLACE = "import os\nname = %r\ntry:\n os.remove(name)\nexcept OSError:\n pass\nos.rename(name + '%s', name)"
# What a program of --app would hide from the client, which is found after the current directory.
TAKEN = {*sys.stdlib_module_names, "i2c_devices", "machine", "main", "micropython", "pb_link", "primitives", "protocol"}
TAKEN |= {"boot", "network", "pyb", "rp2", "sdcard", "sensor_bus", "vfs"}


def main(arguments=None):
    parser = argparse.ArgumentParser(description="Put the client, its settings and the demo on its board.")
    parser.add_argument("--port", required=True, help="serial port of the client's board, e.g. /dev/ttyACM0")
    parser.add_argument("--ssid", help="Wi-Fi network (asked for if it is needed); empty: what the ESP8266 has stored")
    parser.add_argument("--server", help="address of the server (default: this computer's)")
    parser.add_argument("--settings", default=FILE, metavar="FILE", help=f"the board's settings here (default: {FILE})")
    parser.add_argument("--app", type=Path, metavar="FILE.py", help="your program, not the demo: main.py restarts it")
    parser.add_argument("--source", action="store_true", help="copy .py files, not compiled ones")
    parser.add_argument("--replace", action="store_true", help="also files that something else has installed")
    options = parser.parse_args(arguments)
    try:
        _validate_app(options)
        _need_mpremote()
        there = _look(options.port)
        _look_at_main(options)
        if not options.replace:
            _refuse_foreign(options.port)
            _refuse_changed(options)
        if FILE not in there:
            _complete_settings(options)
        elif options.ssid is not None or options.server is not None:
            raise BuildError(
                f"The board has a {FILE}, which is left alone. To have it made anew:  "
                f"mpremote connect {shlex.quote(options.port)} rm :{FILE}"
            )
        _install(options, [name for name in (FILE, "main.py") if name not in there])
        if not Path(options.settings).exists():
            print(
                f"The server needs that key as well. To have the board's settings here:  "
                f"mpremote connect {shlex.quote(options.port)} cp :{FILE} {shlex.quote(options.settings)}"
            )
    except BuildError as error:
        say(f"build/deploy.py: {error}")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _need_mpremote():
    try:
        import mpremote  # noqa: F401
    except ImportError:
        raise MissingTool("mpremote is missing. Install with:  make tools") from None


def _mpremote(port, *words, failure=UNREACHED, **more):
    """Returns what it printed. Raises: BuildError, whose text is `failure` with the port and what mpremote said."""
    command = [sys.executable, "-m", "mpremote", "connect", port, *map(str, words)]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace")  # as boards print
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise BuildError(failure.format(port=port, said=said[-1] if said else "mpremote failed", **more))
    return done.stdout


def _look(port):
    """Returns the names of the files on the board. Raises: BuildError if it cannot be a client."""
    shown = _mpremote(port, "exec", PROBE).strip().splitlines()[-1]
    version, _, rest = shown.partition("] ")
    target, _, names = rest.partition(" ")
    if tuple(json.loads(version + "]")) < OLDEST or target != "True":
        raise BuildError(
            f"The board on {port} has MicroPython {version.strip('[]').replace(', ', '.')} "
            f"{'with' if target == 'True' else 'without'} machine.I2CTarget, and the client needs "
            f"{'.'.join(map(str, OLDEST))} or newer with it: docs/hardware.md lists boards."
        )
    return ast.literal_eval(names)


def _validate_app(options):
    """Raises: BuildError if the program cannot be put on a board."""
    app = options.app
    if app is None:
        return
    if not app.is_file():
        raise BuildError(f"there is no file {app}")
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*\.py", app.name) or app.stem in TAKEN:
        raise BuildError(
            f"{app.name} cannot be the program's name: take letters, digits and _, and not the name of a module of "
            "Python, MicroPython or pb_link, nor main or boot"
        )
    try:
        ast.parse(app.read_bytes(), str(app))
    except (SyntaxError, ValueError) as error:
        raise BuildError(f"{app} is no program in Python: {error}") from None


def _look_at_main(options):
    """Raises: BuildError if the board's main.py must not be replaced, or may start what would interrupt the copying."""
    text, watched = ast.literal_eval(_mpremote(options.port, "exec", READ_MAIN).strip().splitlines()[-1])
    text = text.decode(errors="replace").replace("\r\n", "\n")
    ours = text in ("", MAIN) or text.startswith(MARK)
    if text and watched:
        away = "rm :main.py" if ours else "exec \"import os; os.rename('main.py', 'main_away.py')\""
        error = WATCHED.format(names=", ".join(watched), port=shlex.quote(options.port), away=away)
        raise BuildError(error if ours else error + " Your main.py is main_away.py then.")
    if options.app is not None and not ours and not options.replace:
        raise BuildError("The board has a main.py of yours. --replace puts that of --app in its place")


def _refuse_changed(options):
    """Raises: BuildError if the board has another program of that name that is not as this program has installed it."""
    if options.app is not None:
        name = "/" + options.app.name
        found = _found(options.port, [name])
        if found and found[name] != _digest(options.app):
            raise BuildError(CHANGED.format(name=options.app.name, port=shlex.quote(options.port)))


def _digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _complete_settings(options):
    """Makes the board's settings, or completes those that are here: with the options, with what pb-link and the demo
    server leave out, and with a key that is in keys.json as well. Nothing is written before all of it is known.

    Raises: BuildError.
    """
    path = Path(options.settings)
    try:
        made = not path.exists()
        items = {"id": DEFAULTS["id"]} if made else client_settings.raw(path)
        client_id, keys = items.get("id", DEFAULTS["id"]), KeyFile("keys.json")
        _compare_key(client_id, items.get("key"), keys.read().get(client_id), options.settings)
        changes = _changes(items, options)
        if "key" not in items:
            port, timeout_ms = DEFAULTS["port"], DEFAULTS["timeout_ms"]
            server = SimpleNamespace(host=changes.get("server", ""), port=port, timeout_ms=timeout_ms)
            client_settings.add(keys, client_id, path, server, changes)
        elif changes:
            client_settings.write(path, {**items, **changes})
    except (OSError, TypeError, ValueError) as error:
        raise BuildError(f"{error}. Nothing was changed, here or on the board.") from None
    if changes or "key" not in items:
        items, key = client_settings.raw(path), "" if "key" in items else ", a fresh key, also in keys.json"
        server, port = items.get("server", DEFAULTS["server"]), items.get("port", DEFAULTS["port"])
        print(f"{'made' if made else 'changed'} {path}: server {server}, port {port}{key}")


def _compare_key(client_id, key, known, path):
    """Raises: ValueError if the keys of the settings and of the server's key file are not the same. `known`: None if
    the server's key file is not here."""
    known = known if isinstance(known, list) else [known]
    if known == [None] or key is not None and parse_key(key) in known:
        return
    words = f"pb-link keys rotate {shlex.quote(client_id)} --settings {shlex.quote(path)}"
    which = "no key" if key is None else "another key"
    raise ValueError(f"keys.json has a key of {client_id}, and {path} has {which}. To have a new one in both:  {words}")


def _changes(items, options):
    """Returns the settings that are absent or given by an option. Raises: BuildError, OSError."""
    changes = {}
    blank = items.get("server", DEFAULTS["server"]) == DEFAULTS["server"]  # the board itself, for a board
    if blank or options.server is not None:
        changes["server"] = options.server or _own_address()
    if blank or "ssid" not in items or options.ssid is not None:
        changes["ssid"], changes["password"] = _network(options.ssid)
    for name, value in changes.items():
        try:
            encode_text(value)
        except ValueError as error:
            raise BuildError(f"{name}: {error}. Is the terminal's encoding another one?") from None
    return {name: value for name, value in changes.items() if items.get(name) != value}


def _network(ssid):
    """Returns (ssid, password), asked for. Raises: BuildError if nobody answers."""
    try:
        if ssid is None:
            ssid = input("Wi-Fi network (empty: what the ESP8266 has stored): ")
        return ssid, getpass.getpass("Its password: ") if ssid else ""
    except EOFError:
        raise BuildError("Nobody answers here. Name the network with --ssid; its password is asked for.") from None


def _own_address():
    """Returns this computer's address in its network. Raises: BuildError."""
    try:
        return client_settings.own_address()
    except OSError:
        raise BuildError("This computer is in no network. Name the server's address with --server.") from None


def _forms():
    """The names of the client's files as sources, and compiled."""
    names = sorted(client_package.files())
    return names, [str(Path(name).with_suffix(".mpy")) for name in names]


def _found(port, names):
    """Returns {name: SHA-256} of the files of these names that the board has, and that are not in its list."""
    return ast.literal_eval(_mpremote(port, "exec", LOOK % (RECORD, names)).strip().splitlines()[-1])


def _refuse_foreign(port):
    """Raises: BuildError if the board has a file with a name of the client's that is neither in this program's list
    there nor the same as in this release, as mip installs it."""
    sources, compiled = _forms()
    found = _found(port, sources + compiled)
    if not found:
        return
    with tempfile.TemporaryDirectory(prefix="pb_link_deploy_") as folder:
        for form in (False, True):
            client_package.tree(Path(folder), compiled=form)
        digests = {name: _digest(Path(folder) / name) for name in found}
    foreign = [f"lib/{name}" for name in sorted(found) if found[name] != digests[name]]
    if foreign:
        more = f" and {len(foreign) - MOST_NAMES} more" if len(foreign) > MOST_NAMES else ""
        raise BuildError(FOREIGN.format(names=", ".join(foreign[:MOST_NAMES]) + more))


def _install(options, absent):
    """Puts all on the board. What starts it, main.py, comes last: until then a new board that is reset does nothing."""
    here = KEPT if FILE in absent else ""

    def mpremote(*words):
        _mpremote(options.port, *words, failure=UNCOPIED, settings=here)

    def put(source, name):
        progress(f"copying {name}")
        mpremote("fs", "cp", source, f":{name}{NEW}")
        mpremote("exec", PLACE % (name, NEW))

    def record(names, app=""):
        """Write the list of this program's files on the board."""
        text = "".join(name + "\n" for name in names)
        mpremote("exec", WRITE % (RECORD, app.split(" ")[0], text + (app and app + "\n")))

    with tempfile.TemporaryDirectory(prefix="pb_link_deploy_") as scratch:
        folder = Path(scratch)
        client_package.tree(folder / "client", compiled=not options.source)
        # The other form must be removed: an old .py would be imported before its .mpy.
        ours, stale = _forms() if options.source else reversed(_forms())
        record(ours + stale)  # from here on all existing files of these names are this program's
        progress("copying the link, which takes a minute")
        mpremote("mip", "install", folder / "client" / "package.json")
        mpremote("exec", REMOVE % stale)
        record(ours)
        if FILE in absent:
            put(options.settings, FILE)
        (folder / "main.py").write_text(MAIN)
        if options.app is not None:
            put(options.app, options.app.name)
            record(ours, f"/{options.app.name} {_digest(options.app)}")
            (folder / "main.py").write_text(MAIN_OF_APP % options.app.name)
        if "main.py" in absent or options.app is not None:
            put(folder / "main.py", "main.py")
    kept = [name for name in (FILE, "main.py") if name not in absent and not (options.app and name == "main.py")]
    print(f"The client is on the board{' (unchanged: ' + ', '.join(kept) + ')' if kept else ''}. Reset it to start it.")
