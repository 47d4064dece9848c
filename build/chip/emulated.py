"""What both emulated chips share: MicroPython is built for them, and a program is run in their emulator.

Each chip has a port of its own (cortex_m4_c/, lx106_c/), and `common_c/` has what is the same in both. Emulators take
64 ns of their time for each instruction (`-icount shift=6`), and a port reads that time from a timer of shorter ticks:
counts are exact. cortex_m4.py and lx106.py have what differs: compiler, emulator, what is frozen.
"""

import hashlib
import os
import shutil
import subprocess
import sys

from build.tools import cache, frozen, micropython
from build.tools.shell import clean_environment, output_of, run_logged, say

COMMON = cache.ROOT / "build" / "chip" / "common_c"
_TIMEOUT_S = 120


def firmware(name, gcc, port, manifest):
    """Returns the path of the program for a chip; built if there is none.

    Args:
        name: of the chip, and of its folder in the cache
        gcc: path of the C compiler
        port: folder of the port
        manifest: text of a manifest: what is frozen
    Raises: BuildError
    """
    source, mpy_cross = micropython.source(), micropython.mpy_cross()
    folder = cache.cache_folder() / name
    folder.mkdir(exist_ok=True)
    with cache.locked(folder):
        copied = frozen.mirror_modules([port, COMMON], folder / "sources")
        written = folder / "manifest.py"
        written.write_text(manifest)
        copies, staged = frozen.stage(frozen.frozen_files(source, written), folder / "stage")
        recipe = (output_of([gcc, "--version"]), str(source), frozen.digest_of(copied))
        objects = folder / f"objects-{_digest(recipe)}"
        binary = folder / "bin" / f"firmware-{_digest((recipe, frozen.digest_of(copies)))}"
        if not cache.touch(binary):
            say(f"Building MicroPython for {name} (half a minute) ..")
            cache.publish(_built(folder, objects, port.name, source, staged, mpy_cross), binary)
            cache.prune(binary.parent, "firmware-")
    return binary


def _digest(recipe):
    return hashlib.sha256(repr(recipe).encode()).hexdigest()[:16]


def _built(folder, objects, port, source, manifest, mpy_cross):
    """Returns the path of what make has made. What it compiled before is used again if only frozen files differ."""
    unfinished = objects / "unfinished"
    for other in folder.glob("objects-*"):
        if other != objects or unfinished.exists():
            shutil.rmtree(other)
    library = folder / "library"  # stands for micropython-lib, of which nothing is frozen
    library.mkdir(exist_ok=True)
    (library / "README.md").touch()
    objects.mkdir(exist_ok=True)
    unfinished.touch()
    shutil.rmtree(objects / "frozen_mpy", ignore_errors=True)  # as build/tools/micropython.py does
    (objects / "frozen_content.c").unlink(missing_ok=True)
    python = sys.executable if cache.is_safe_path(sys.executable) else "python3"
    command = ["make", "-C", str(folder / "sources" / port), f"-j{os.cpu_count() or 1}", f"PYTHON={python}"]
    command += [f"MPTOP={source}", f"BUILD={objects}", f"FROZEN_MANIFEST={manifest}", f"MPY_LIB_DIR={library}"]
    settings = dict(clean_environment(), GIT_DIR=str(folder / "no-git"), MICROPY_MPYCROSS=str(mpy_cross))
    try:
        run_logged(command, folder / "make.log", env=settings)
    finally:
        unfinished.unlink(missing_ok=True)  # make leaves no half-made file; only a killed one does
    return objects / "firmware.elf"


def run(command, folder, module, timeout_s=_TIMEOUT_S):
    """Runs the emulator in the folder. Returns what the module prints.

    Raises: RuntimeError with the output, if the module raises an exception or has not ended in time.
    """
    try:
        done = subprocess.run(
            command, cwd=folder, env=clean_environment(), stdin=subprocess.DEVNULL, capture_output=True,
            text=True, timeout=timeout_s,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise RuntimeError(f"{module} has not ended after {timeout_s} s: {error.stdout}") from None
    if done.returncode:
        raise RuntimeError(f"{module} ended with status {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout
