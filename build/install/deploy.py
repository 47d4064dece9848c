"""Puts the client on its board: code, settings, and a main.py that starts the demo, over USB serial.

    python3 build/deploy.py --port /dev/ttyACM0 [--app FILE.py] [--ssid NAME] [--server ADDRESS] [--source]

With --app it puts that program there in place of the demo, and a main.py that starts it again whatever ends it.

Makes pb_settings.json here if there is none, or completes that of the server's demo. It gets a fresh key, this
computer's address as the server's, and the Wi-Fi network as entered. The server's demo reads the same file. Code on the
board that this program has installed, according to its list there, is replaced. If a file of the same name is not from
this program, it is named, and nothing is done. An existing pb_settings.json or main.py is left alone. The program uses
mpremote (`make tools`).
"""

import argparse
import ast
import getpass
import hashlib
import json
import re
import shlex
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

from build.install import client_package
from build.tools.shell import BuildError, MissingTool, say
from pb_link.settings import DEFAULTS, FILE, read_or_create
from protocol.text import encode_text
from server.service.key_file import KeyFile

MAIN = "import pb_link.pb_client\n"
MARK = "# Written by build/deploy.py, which may replace it.\n"  # how a main.py of --app begins
MAIN_OF_APP = MARK + "import machine\nfrom pb_link import autostart\n\nautostart.run(%r, machine.reset%s)\n"
WATCHDOG = ", machine.WDT(timeout=8000)"  # ms; every port has as much
READ_MAIN = "try:\n print(open('main.py').read(), end='')\nexcept OSError:\n pass"
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
    "50 KB there, 150 KB with --source. Then try again."
)
FOREIGN = (
    "The board has files with the names of the client's that this program has not installed: {names}. If they are of "
    "an earlier pb_link, as mip installs it, add --replace. If they are yours, move them out of the way."
)
MOST_NAMES = 5  # shown of them
RECORD = "pb_link/installed.txt"  # on the board, in the folder that mip installs into: names, one a line
# mip installs into the first folder of sys.path that ends so.
LIB = "import os, sys\nlib = next(p for p in sys.path if p.endswith('/lib') and not p.startswith('/rom'))\n"
REMOVE = LIB + "for name in %r:\n try:\n  os.remove(lib + '/' + name)\n except OSError:\n  pass\n"
# Prints {name: SHA-256} of the names that exist, except for those of the record.
LOOK = LIB + (
    "import hashlib\nfrom binascii import hexlify\n"
    "try:\n with open(lib + '/%s') as f:\n  known = f.read().split('\\n')\nexcept OSError:\n known = []\n"
    "found = {}\nfor name in %r:\n if name in known:\n  continue\n try:\n  f = open(lib + '/' + name, 'rb')\n"
    " except OSError:\n  continue\n h = hashlib.sha256()\n b = f.read(512)\n"
    " while b:\n  h.update(b)\n  b = f.read(512)\n"
    " f.close()\n found[name] = hexlify(h.digest()).decode()\nprint(found)"
)
WRITE = LIB + (
    "for folder in (lib, lib + '/pb_link'):\n try:\n  os.mkdir(folder)\n except OSError:\n  pass\n"
    "with open(lib + '/%s', 'w') as f:\n f.write(%r)"
)


def main(arguments=None):
    parser = argparse.ArgumentParser(description="Put the client, its settings and the demo on its board.")
    parser.add_argument("--port", required=True, help="serial port of the client's board, e.g. /dev/ttyACM0")
    parser.add_argument("--ssid", help="Wi-Fi network (asked for if it is needed); empty: what the ESP8266 has stored")
    parser.add_argument("--server", help="address of the server (default: this computer's)")
    parser.add_argument("--settings", default=FILE, metavar="FILE", help=f"the board's settings here (default: {FILE})")
    parser.add_argument("--app", type=Path, metavar="FILE.py", help="your program, not the demo: main.py restarts it")
    parser.add_argument("--watchdog", action="store_true", help="with --app: a watchdog, which only a reset stops")
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
                f"mpremote connect {shlex.quote(options.port)} cp :{FILE} {FILE}"
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


def _mpremote(port, *words, failure=UNREACHED):
    """Returns what it printed. Raises: BuildError, whose text is `failure` with the port and what mpremote said."""
    command = [sys.executable, "-m", "mpremote", "connect", port, *map(str, words)]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace")  # as boards print
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise BuildError(failure.format(port=port, said=said[-1] if said else "mpremote failed"))
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
    if options.watchdog and app is None:
        raise BuildError("--watchdog goes with --app")
    if app is not None and not app.is_file():
        raise BuildError(f"there is no file {app}")
    if app is not None and (not re.fullmatch(r"[\w-]+\.py", app.name) or app.name in ("main.py", "boot.py")):
        raise BuildError(f"{app.name} cannot be the program: name it NAME.py, of letters and digits, not main or boot")


def _look_at_main(options):
    """Raises: BuildError if the board's main.py must not be replaced, or has a watchdog that would interrupt."""
    text = _mpremote(options.port, "exec", READ_MAIN).replace("\r\n", "\n")
    ours = text.startswith(MARK)
    if ours and WATCHDOG in text:
        raise BuildError(
            f"The board has a watchdog, which would reset it while files are copied. First:  "
            f"mpremote connect {options.port} rm :main.py reset"
        )
    if options.app is not None and text not in ("", MAIN) and not ours and not options.replace:
        raise BuildError("The board has a main.py of yours. --replace puts that of --app in its place")


def _complete_settings(options):
    """Makes the file, or completes the existing one with the options and what the server's demo leaves out."""
    try:
        settings, made = read_or_create(options.settings)
        if made:
            KeyFile("keys.json").add(settings["id"], settings["key"])
    except (OSError, ValueError) as error:
        raise BuildError(f"{error}. Mend the file, or move it away and have it made anew.") from None
    before = dict(settings)
    blank = settings["server"] == DEFAULTS["server"]  # the board itself, for a board
    if blank or options.server is not None:
        settings["server"] = options.server or _own_address()
    unnamed = '"ssid"' not in Path(options.settings).read_text(encoding="utf-8-sig")  # as pb-link makes it
    if blank or unnamed or options.ssid is not None:
        settings["ssid"], settings["password"] = _network(options.ssid)
    for name in ("server", "ssid", "password"):
        try:
            encode_text(settings[name])
        except ValueError as error:
            raise BuildError(f"{name}: {error}. Is the terminal's encoding another one?") from None
    if settings != before:
        text = json.dumps(settings, indent=1, ensure_ascii=False)  # MicroPython makes two characters of an escaped pair
        Path(options.settings).write_text(text + "\n", encoding="utf-8")
        what = "made" if made else "changed"
        fresh = ", a fresh key, also in keys.json" if made else ""
        print(f"{what} {options.settings}: server {settings['server']}, port {settings['port']}{fresh}")


def _network(ssid):
    """Returns (ssid, password), asked for. Raises: BuildError if nobody answers."""
    try:
        if ssid is None:
            ssid = input("Wi-Fi network (empty: what the ESP8266 has stored): ")
        return ssid, getpass.getpass("Its password: ") if ssid else ""
    except EOFError:
        raise BuildError("Nobody answers here. Name the network with --ssid; its password is asked for.") from None


def _own_address():
    """Returns this computer's address in its network. Nothing is sent. Raises: BuildError."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.connect(("192.0.2.1", 9))  # an address of the documentation, RFC 5737
        except OSError:
            raise BuildError("This computer is in no network. Name the server's address with --server.") from None
        return sock.getsockname()[0]


def _forms():
    """The names of the client's files as sources, and compiled."""
    names = sorted(client_package.files())
    return names, [str(Path(name).with_suffix(".mpy")) for name in names]


def _refuse_foreign(port):
    """Raises: BuildError if the board has a file with a name of the client's that is neither in this program's list
    there nor the same as in this release, as mip installs it."""
    sources, compiled = _forms()
    found = ast.literal_eval(_mpremote(port, "exec", LOOK % (RECORD, sources + compiled)).strip().splitlines()[-1])
    if not found:
        return
    with tempfile.TemporaryDirectory(prefix="pb_link_deploy_") as folder:
        for form in (False, True):
            client_package.tree(Path(folder), compiled=form)
        digests = {name: hashlib.sha256((Path(folder) / name).read_bytes()).hexdigest() for name in found}
    foreign = [f"lib/{name}" for name in sorted(found) if found[name] != digests[name]]
    if foreign:
        more = f" and {len(foreign) - MOST_NAMES} more" if len(foreign) > MOST_NAMES else ""
        raise BuildError(FOREIGN.format(names=", ".join(foreign[:MOST_NAMES]) + more))


def _install(options, absent):
    with tempfile.TemporaryDirectory(prefix="pb_link_deploy_") as scratch:
        folder = Path(scratch)
        client_package.tree(folder / "client", compiled=not options.source)
        # The other form must be removed: an old .py would be imported before its .mpy.
        ours, stale = _forms() if options.source else reversed(_forms())
        _record(options.port, ours + stale)  # from here on all existing files of these names are this program's
        _mpremote(options.port, "mip", "install", folder / "client" / "package.json", failure=UNCOPIED)
        _mpremote(options.port, "exec", REMOVE % stale, failure=UNCOPIED)
        _record(options.port, ours)
        (folder / "main.py").write_text(MAIN)
        if options.app is not None:
            _mpremote(options.port, "fs", "cp", options.app, f":{options.app.name}", failure=UNCOPIED)
            watchdog = WATCHDOG if options.watchdog else ""
            (folder / "main.py").write_text(MAIN_OF_APP % (options.app.name, watchdog))
        if "main.py" in absent or options.app is not None:
            _mpremote(options.port, "fs", "cp", folder / "main.py", ":main.py", failure=UNCOPIED)
        if FILE in absent:
            _mpremote(options.port, "fs", "cp", options.settings, f":{FILE}", failure=UNCOPIED)
    kept = [name for name in (FILE, "main.py") if name not in absent and not (options.app and name == "main.py")]
    print(f"The client is on the board{' (unchanged: ' + ', '.join(kept) + ')' if kept else ''}. Reset it to start it.")


def _record(port, names):
    """Writes the list of this program's files on the board."""
    _mpremote(port, "exec", WRITE % (RECORD, "\n".join(names) + "\n"), failure=UNCOPIED)
