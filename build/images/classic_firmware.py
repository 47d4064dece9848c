"""Builds the ESP8266's whole firmware, the classic way: from MicroPython's source, with the bridge frozen in.

    python3 build/esp8266.py --micropython-dir DIR [--port /dev/ttyUSB0]

It was built once (docs/measurements.md has the sizes), and has not run on a chip. If it fails, the ready images
(build/flash.py) need none of this. DIR is a clone of MicroPython with its submodules. The tool chain
(xtensa-lx106-elf-gcc with Espressif's SDK) and esptool must be on PATH. What is frozen: build/manifest.py. The result,
firmware/esp_link-classic.bin, is not kept in git; with --port it is flashed, erasing first. It leaves the bridge 2 KB
more heap than the ROMFS image (docs/measurements.md).
"""

import argparse
import os
import shutil
import tempfile
from pathlib import Path

from build.tools import cache, frozen
from build.tools.shell import BuildError, MissingTool, clean_environment, output_of, run_logged, say

MANIFEST = cache.ROOT / "build" / "manifest.py"
RESULT = cache.ROOT / "firmware" / "esp_link-classic.bin"
BOARD = "ESP8266_GENERIC"  # without a variant: 2 MiB of flash or more
PRODUCTS = ("firmware-combined.bin", "firmware.bin")  # older and newer MicroPython

COMPILER = "xtensa-lx106-elf-gcc"
_SDK_REMEDY = (
    "The compiler of esp-open-sdk has Espressif's headers and libraries with it (Debian's gcc-xtensa-lx106 has not): "
    "build that, and put its bin folder first on PATH. Or use the ready images: build/flash.py"
)
NEEDED = {
    ("make",): "Install it:  sudo apt-get install -y make",
    ("gcc",): "mpy-cross is built with it. Install it:  sudo apt-get install -y gcc libc6-dev",
    (COMPILER,): _SDK_REMEDY,
    ("esptool", "esptool.py"): "Run `make tools`, and put .venv/bin on PATH.",
}
IN_SOURCE = {
    "ports/esp8266/Makefile": "--micropython-dir must be a clone:  git clone https://github.com/micropython/micropython",
    "tools/manifestfile.py": "This MicroPython is too old to read build/manifest.py: 1.25 or newer is needed.",
    "lib/axtls/ssl/asn1.c": "Submodules are missing. Run:  make -C ports/esp8266 submodules  in that folder",
    "lib/berkeley-db-1.xx/README": "Submodules are missing. Run:  make -C ports/esp8266 submodules  in that folder",
    "lib/micropython-lib/README.md": "Submodules are missing. Run:  make -C ports/esp8266 submodules  in that folder",
}
# Below the compiler's sysroot, where the port's Makefile looks for them.
IN_SDK = ("usr/include/user_interface.h", "usr/lib/libmain.a", "usr/lib/liblwip_open.a")


def check(source):
    """Checks what the build needs. Raises: MissingTool that names the first missing thing, with its remedy."""
    for path, remedy in IN_SOURCE.items():
        if not (source / path).exists():
            raise MissingTool(f"{source / path} is missing. {remedy}")
    if not cache.is_safe_path(source):
        raise BuildError(f"{source}: make cannot build in a path with spaces. Move the clone.")
    for names, remedy in NEEDED.items():
        if not any(map(shutil.which, names)):
            raise MissingTool(f"{' or '.join(names)} is not on PATH. {remedy}")
    sysroot = output_of([COMPILER, "-print-sysroot"])
    if sysroot is None:
        raise MissingTool(f"{COMPILER} does not run: `{COMPILER} -print-sysroot` failed. {_SDK_REMEDY}")
    for path in IN_SDK:
        if not Path(sysroot.strip() or "/", path).exists():
            where = shutil.which(COMPILER)
            raise MissingTool(f"{where} has no SDK of the ESP8266: there is no {sysroot.strip()}/{path}. {_SDK_REMEDY}")


def build(source, result=RESULT):
    """Build the firmware and copy it to `result`. Raises: BuildError."""
    check(source)
    with tempfile.TemporaryDirectory(prefix="pb_link_classic_") as scratch:
        files = frozen.frozen_files(source, MANIFEST)
        say(f"Freezing {len(files)} files ..")
        _, manifest = frozen.stage(files, Path(scratch, "stage"))
        objects = Path(scratch, "build")
        jobs = f"-j{os.cpu_count() or 1}"
        _make(["-C", source / "mpy-cross", jobs], Path(scratch, "mpy-cross.log"))
        words = ["-C", source / "ports" / "esp8266", jobs, f"BOARD={BOARD}", f"FROZEN_MANIFEST={manifest}"]
        _make([*words, f"BUILD={objects}"], Path(scratch, "esp8266.log"))
        built = [objects / name for name in PRODUCTS if (objects / name).exists()]
        if not built:
            raise BuildError(f"make succeeded, but left none of {', '.join(PRODUCTS)}. Which MicroPython is this?")
        shutil.copyfile(built[0], result)
    say(f"{result}: {result.stat().st_size:,} bytes")


def _make(words, log):
    say(f"make {' '.join(map(str, words[:2]))} ..")
    # esptool 5 takes no image without a chip, and the Makefile of MicroPython 1.25 to 1.28 names none.
    run_logged(["make", *map(str, words)], log, "", env={**clean_environment(), "ESPTOOL_CHIP": "esp8266"})


def flash(port, image=RESULT):
    """Erase the chip and write the firmware at 0, with esptool's command. Raises: BuildError."""
    esptool = shutil.which("esptool") or shutil.which("esptool.py")
    remedy = f"Is the ESP8266 on {port}, may you open it, and is it in its boot loader? (GPIO0 low at reset)"
    with tempfile.TemporaryDirectory(prefix="pb_link_classic_") as scratch:
        write = ["write_flash", "-fs", "detect", "-fm", "dio", "0", str(image)]  # names that esptool 4 and 5 both know
        for words in (["erase_flash"], write):
            say(f"esptool {words[0]} ..")
            run_logged([esptool, "--port", port, "--baud", "115200", *words], Path(scratch, "log"), remedy)


def main(arguments=None):
    parser = argparse.ArgumentParser(description="Build the ESP8266's firmware with the bridge frozen in.")
    parser.add_argument("--micropython-dir", required=True, metavar="DIR", help="a clone of MicroPython")
    parser.add_argument("--port", help="flash it to the ESP8266 on this serial port")
    options = parser.parse_args(arguments)
    try:
        build(Path(options.micropython_dir).expanduser().absolute())
        if options.port:
            flash(options.port)
    except BuildError as error:
        say(f"build/esp8266.py: {error}")
        return 1
    return 0
