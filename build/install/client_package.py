"""The client in the forms that boards install: package.json for mip, a folder to copy, an image for ROMFS.

    python3 build/client.py packages [--check]     write package.json, the lists that mip reads; `make firmware` does
    python3 build/client.py tree DIR [--mpy]       a folder with all of it, compiled if asked for, and its package.json
    python3 build/client.py where MODULE:LINE      the source of a line that a compiled client names in a traceback
    python3 build/client.py romfs FILE             an image for `mpremote romfs deploy FILE`, for boards with ROMFS

What belongs to the client: build/manifest_client.py. The settings (pb_settings.json) are in no list, so no installation
overwrites them. The package.json at the root installs the client; the one in a folder that folder's part of it.
"""

import argparse
import json
import shlex
import shutil
import tempfile
from pathlib import Path

from build.images import firmware
from build.images.compact import RUN
from build.tools.cache import ROOT
from build.tools.shell import BuildError, say
from protocol.version import RELEASE, release_text

MANIFEST = ROOT / "build" / "manifest_client.py"
ROOT_MODULE = "pb_link.app_base"
_PUBLIC = ("i2c_devices.ports", "pb_link.channels")  # programs give arguments of these by name
# Loaded when they are needed, by the client alone.
_INNER = (
    "pb_link.addresses", "pb_link.failures", "pb_link.frame_log", "pb_link.reasons", "pb_link.release_check",
    "pb_link.runner", "protocol.frame_log",
)  # fmt: skip
# What the first channel needs (pb_link/channels.py).
_CHANNELS = (
    "protocol.channel", "protocol.channel_errors", "protocol.channel_receiver", "protocol.channel_sender",
    "protocol.channel_session", "protocol.channels",
)  # fmt: skip
# And the first request.
_REQUESTS = ("pb_link.requests", "protocol.requests")
# Nothing but constants, which those have in place of imports.
_CONSTANTS = ("protocol.channel_records", "protocol.i2c_messages")
# The checks of the client's arguments (pb_link/start.py): with names of their own a board would have them for ever.
_START = ("pb_link.settings", "protocol.config_record", "protocol.credentials", "protocol.receive_space")
# What a connection begins with (pb_link/link.py).
_OPENING = ("protocol.handshake",)
# What their functions return as a text is a fault, for which Link closes the connection, as when there is no memory.
_FAULTS = ("pb_link.connection", "protocol.handshake", "protocol.receiver", "protocol.sender", "protocol.session")
DEVICES = ROOT / "i2c_devices.json"


def files():
    """Returns {"pb_link/link.py": path, ..}. Raises: BuildError."""
    return firmware.modules(MANIFEST)


def packages():
    """Returns {path below the root of a package.json: its text}."""
    names = sorted(files())
    devices = _device_files()
    made = {"package.json": _package(names, "")}
    for folder in sorted({name.partition("/")[0] for name in names}):
        inside = [name for name in names if name.startswith(f"{folder}/")]
        inside = sorted({*inside, *(name for name in devices if name.startswith(f"{folder}/"))})
        made[f"{folder}/package.json"] = _package(inside, f"{folder}/")
    return made


def _device_files():
    """Returns the names of the files of i2c_devices and of what it imports: they are of use without the client, too."""
    return [name for name, _ in json.loads(DEVICES.read_text())["urls"]]


def _package(names, folder):
    """Returns places on the board and the sources of the files, relative to the package.json."""
    urls = [[name, name.removeprefix(folder)] for name in names]
    return json.dumps({"version": release_text(RELEASE), "urls": urls, "deps": []}, indent=1) + "\n"


def differing(root=ROOT):
    """Returns the paths of the package.json files that are not as they should be."""
    return [name for name, text in packages().items() if not _is(root / name, text)]


def _is(path, text):
    return path.is_file() and path.read_text() == text


def write_packages():
    for name in differing():
        (ROOT / name).write_text(packages()[name])
        print(f"wrote  {name}")


def tree(folder, compiled):
    """Fills the folder with the client for `mpremote cp -r` or mip. Returns the names. Raises: BuildError."""
    found = files()
    if compiled:
        with tempfile.TemporaryDirectory(prefix="pb_link_joined_") as scratch:
            firmware.compile_into(folder, firmware.joined(scratch, found, bundle()))
        names = [str(Path(name).with_suffix(".mpy")) for name in sorted(found)]
    else:
        for name, path in found.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, folder / name)
        names = sorted(found)
    (folder / "package.json").write_text(_package(names, ""))
    return names


def bundle(in_flash=False):
    """Returns the Bundle of the client, whose joined module is pb_link.app_base. in_flash: its bytecode stays there.
    Raises: BuildError."""
    devices = {name.removesuffix(".py").replace("/", ".") for name in _device_files()}
    return firmware.bundle_of(
        files(), ROOT_MODULE, kept=_PUBLIC, ordered=not in_flash, apart=devices - {"protocol"},
        inner=_INNER + _CHANNELS + _REQUESTS + ("pb_link.connection", *_OPENING),
        later={"pb_link.start": _START, "pb_link.channels": _CHANNELS, "pb_link.requests": _REQUESTS[1:],
               "pb_link.connection": _OPENING},
        texts_of=_FAULTS, run=RUN, closed=("pb_link.channels",), constants_of=_CONSTANTS,
    )  # fmt: skip


def joined(scratch):
    """Writes the sources for an image below a folder. Returns {"pb_link/link.py": path, ..}. Raises: BuildError."""
    return firmware.joined(scratch, files(), bundle(in_flash=True))


def image():
    """Returns the bytes of a read-only file system with the client in it. Raises: BuildError."""
    with tempfile.TemporaryDirectory(prefix="pb_link_joined_") as scratch:
        return firmware.romfs_of(joined(scratch))


def main(arguments=None):
    parser = argparse.ArgumentParser(description="The client as boards install it.")
    commands = parser.add_subparsers(dest="command", required=True)
    listing = commands.add_parser("packages", help="write the package.json files")
    listing.add_argument("--check", action="store_true", help="write nothing; fail if a file would change")
    folder = commands.add_parser("tree", help="make a folder to copy or to install from")
    folder.add_argument("folder", type=Path)
    folder.add_argument("--mpy", action="store_true", help="compiled")
    where = commands.add_parser("where", help="the source of a line of a traceback, of this release")
    where.add_argument("place", metavar="MODULE:LINE", help="as pb_link/app_base.py:812")
    romfs = commands.add_parser("romfs", help="make an image for ROMFS")
    romfs.add_argument("file", type=Path)
    options = parser.parse_args(arguments)
    try:
        if options.command == "tree":
            folder = options.folder
            names = tree(folder, options.mpy)
            size = sum((folder / name).stat().st_size for name in names)
            package = shlex.quote(f"{folder}/package.json")
            print(f"{folder}: {len(names)} files, {size:,} bytes. Install:  mpremote mip install {package}")
        elif options.command == "where":
            print(bundle().where(options.place))
        elif options.command == "romfs":
            options.file.write_bytes(image())
            size = options.file.stat().st_size
            name = shlex.quote(str(options.file))
            print(f"{options.file}: {size:,} bytes. Install it:  mpremote romfs deploy {name}")
        elif options.check and differing():
            raise BuildError(f"{', '.join(differing())}: not what build/manifest_client.py says. Run `make firmware`.")
        elif not options.check:
            write_packages()
    except (BuildError, OSError) as error:
        say(f"build/client.py: {error}")
        return 1
    return 0
