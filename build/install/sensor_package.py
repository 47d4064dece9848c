"""The sensor bus in the forms that boards install, its modules joined: a folder to copy, an image for ROMFS.

    python3 build/sensor_bus.py tree DIR [TYPE ..]             a folder with all of it, compiled, and its package.json
    python3 build/sensor_bus.py romfs FILE [TYPE ..] [--client]    an image for `mpremote romfs deploy FILE`
    python3 build/sensor_bus.py where MODULE:LINE              the source of a line that a traceback of a board names

With types it has their table as well, sensor_types.py. An image has the client too if --client is said: a board has one
image. What belongs to the sensor bus: sensor_bus.json, from which mip installs the sources.

A compiled sensor bus has what it uses of primitives/ in its joined module, so it does not meet what a client has there.
"""

import argparse
import functools
import json
import shlex
import tempfile
from pathlib import Path

from build.images import firmware
from build.images.compact import RUN
from build.install import client_package, sensor_types
from build.tools.cache import ROOT
from build.tools.shell import BuildError, say
from protocol.version import RELEASE, release_text

LIST = ROOT / "sensor_bus.json"
_CPYTHON = "primitives/waiting.py"  # imported in parts for CPython alone
_JOINED = "primitives/"  # of these is in the joined module what it uses
TABLE = "sensor_types.py"
ROOT_MODULE = "sensor_bus.bus"
# Programs use what these define: classes, their methods, functions.
_PUBLIC = ("sensor_bus.port", "sensor_bus.records")
# Public names of these that are for the sensor bus's own modules.
_HIDDEN = (
    "added", "admit", "all", "at", "bars", "candidates", "entry", "field", "gone",
    "identify", "infos", "is_mux", "most", "next_poll", "note", "scanner", "slots", "subscribers",
)  # fmt: skip
# What programs ask the objects for that samples() and events() return, and that device() returns.
_ASKED = ("close", "get_nowait", "missed", "status", "type")
# Loaded when they are needed, by the sensor bus alone.
_INNER = tuple(f"sensor_bus.{name}" for name in (
    "bars", "catalog", "changes", "config_items", "lines", "power", "recovery", "requests", "sizes", "slot_access",
    "slot_scanner", "slots",
))  # fmt: skip
# What service.py asks objects of the link for.
_OF_THE_LINK = ("channel", "on_request", "send", "usable")
# Used by devjson.py alone: they stay as they are, a client has the same.
_APART = ("protocol.strict_json", "protocol.surrogates", "protocol.text")
# Of this module others have the values of constants in place of imports.
_CONSTANTS = ("sensor_bus.address",)
# All that is loaded when it is needed, each with what is loaded for it alone.
LATER = {
    **{f"sensor_bus.{name}": () for name in (
        "bars", "catalog", "changes", "commands", "config_items", "decode", "decoders", "devbin", "devjson", "errors",
        "events", "grammar", "info", "loader", "power", "requests", "sizes", "slots",
    )},
    "sensor_bus.recovery": ("sensor_bus.lines",),
    "sensor_bus.service": ("sensor_bus.batch", "sensor_bus.publish"),
    "sensor_bus.slot_scanner": ("sensor_bus.slot_access",),
}  # fmt: skip


def files():
    """Returns {"sensor_bus/bus.py": path, ..}, with what it imports of other folders."""
    return {name: ROOT / name for name, _ in json.loads(LIST.read_text())["urls"] if name != _CPYTHON}


@functools.cache
def bundle(in_flash=False):
    """Returns the Bundle, whose joined module is sensor_bus.bus. in_flash: its bytecode stays there. Raises:
    BuildError."""
    return firmware.bundle_of(
        files(), ROOT_MODULE, kept=_PUBLIC, closed=(ROOT_MODULE, *_PUBLIC), ordered=not in_flash, inner=_INNER,
        apart=_APART, constants_of=_CONSTANTS, later=LATER, foreign=_OF_THE_LINK + _ASKED, hidden=_HIDDEN, texts_of=(),
        run=RUN,
    )  # fmt: skip


def joined(scratch, types=(), in_flash=False):
    """Writes the sources below a folder. Args: types: names of the types for a table, (): without
    a table, None: all. Returns
    {"sensor_bus/bus.py": path, ..} of them. Raises: BuildError; ValueError: there is no such type."""
    found = {name: path for name, path in files().items() if not name.startswith(_JOINED)}
    written = firmware.joined(scratch, found, bundle(in_flash))
    if types is None or types:
        written[TABLE] = table = Path(scratch, TABLE)
        table.write_text(sensor_types.source(types, [sensor_types.OWN]))
    return written


def tree(folder, types=()):
    """Fills the folder with the compiled sensor bus, for mip or `mpremote cp -r`. Returns the names. Raises: as
    joined."""
    with tempfile.TemporaryDirectory(prefix="pb_link_joined_") as scratch:
        written = joined(scratch, types)
        firmware.compile_into(folder, written)
    names = [str(Path(name).with_suffix(".mpy")) for name in sorted(written)]
    package = {"version": release_text(RELEASE), "urls": [[name, name] for name in names], "deps": []}
    (folder / "package.json").write_text(json.dumps(package, indent=1) + "\n")
    return names


def image(types=(), client=False):
    """Returns the bytes of a read-only file system with the sensor bus in it, and the client. Raises: as joined."""
    with tempfile.TemporaryDirectory(prefix="pb_link_joined_") as scratch:
        written = joined(scratch, types, in_flash=True)
        if client:
            written.update(client_package.joined(scratch))
        return firmware.romfs_of(written)


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="sensor_bus.py", description="The sensor bus as boards install it.")
    commands = parser.add_subparsers(dest="command", required=True)
    folder = commands.add_parser("tree", help="make a folder to copy or to install from")
    folder.add_argument("folder", type=Path)
    romfs = commands.add_parser("romfs", help="make an image for ROMFS")
    romfs.add_argument("file", type=Path)
    romfs.add_argument("--client", action="store_true", help="with the client in it")
    for command in (folder, romfs):
        command.add_argument("types", nargs="*", metavar="TYPE", help="types of sensors for the table")
    where = commands.add_parser("where", help="the source of a line of a traceback, of this release")
    where.add_argument("place", metavar="MODULE:LINE", help="as sensor_bus/bus.py:412")
    options = parser.parse_args(arguments)
    try:
        if options.command == "tree":
            names = tree(options.folder, options.types)
            size = sum((options.folder / name).stat().st_size for name in names)
            quoted = shlex.quote(f"{options.folder}/package.json")
            print(f"{options.folder}: {len(names)} files, {size:,} bytes. Install:  mpremote mip install {quoted}")
        elif options.command == "where":
            print(bundle().where(options.place))
        else:
            options.file.write_bytes(image(options.types, options.client))
            name = shlex.quote(str(options.file))
            size = options.file.stat().st_size
            print(f"{options.file}: {size:,} bytes. Install it:  mpremote romfs deploy {name}")
    except (BuildError, OSError, ValueError) as error:
        say(f"build/sensor_bus.py: {error}")
        return 1
    return 0
