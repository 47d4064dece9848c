"""A real MicroPython for tests and simulations: finds one or builds it.

    python3 build/micropython.py [--bits 64|32] [--bridge] [--chip] [--client] [--measuring]
                                  [--failing] [--terminal] [--mpy-cross] [--force]

The last line on stdout is the absolute path of the program; progress goes to stderr. Without options it is a 64-bit
interpreter: MICROPYTHON, else `micropython` on PATH if it will do, else one is built. The 32-bit one, whose objects
are as big as a microcontroller's, is built unless MICROPYTHON32 names one. `--bridge` is the 32-bit one with the
bridge frozen in (MICROPYTHON_BRIDGE names another), `--chip` the same without the bridge, to be started from the
images that are flashed (MICROPYTHON_CHIP names another); `--measuring` is a 32-bit one whose instructions are counted,
with the module of border_c/; `--failing` a 64-bit one whose clock is that of border_c/, and whose allocations can be
made to fail, by the module of failing_c/; `--terminal` a 64-bit one with os.dupterm as boards have it, by terminal_c/,
which the one before has as well. `--client` is a 32-bit one with the client frozen in. What is built is kept,
see cache.py, and built anew only when what goes into it changes.
"""

import argparse
import hashlib
import os
import platform
import re
import shutil
import struct
import sys
import tarfile
import tempfile
from pathlib import Path

from build.tools import cache, debian, frozen
from build.tools.shell import BuildError, MissingTool, clean_environment, output_of, run_logged, say

MANIFEST_SIM = cache.ROOT / "build" / "tools" / "manifest_sim.py"
MANIFEST_BOARD = cache.ROOT / "build" / "tools" / "manifest_board.py"
MANIFEST_CHIP = cache.ROOT / "build" / "tools" / "manifest_chip.py"
CHIP = cache.ROOT / "sim" / "mpy" / "boards" / "esp8266_c"  # the ESP8266's own modules, in C
BORDER = cache.ROOT / "build" / "tools" / "border_c"  # where a measured device ends, in C
FAILING = cache.ROOT / "build" / "tools" / "failing_c"  # allocations that fail, in C
TERMINAL = cache.ROOT / "build" / "tools" / "terminal_c"  # os.dupterm as boards have it, in C
_DUPTERM = "CFLAGS_EXTRA=-DMICROPY_PY_OS_DUPTERM=1"
_ASYNCIO_ONLY = 'include("$(MPY_DIR)/extmod/asyncio")\n'

# Run in an interpreter to learn whether it will do; prints version and word size.
_PROBE = """
import sys, asyncio, hashlib
hashlib.sha256(b"").digest()
i = sys.implementation
print(i.name, i.version[0], i.version[1], 64 if sys.maxsize > 2**32 else 32)
"""

# Without what needs further libraries or the submodules that Debian's source package lacks.
_MAKE_OPTIONS = (
    "VARIANT=standard", "MICROPY_SSL_MBEDTLS=0", "MICROPY_PY_SSL=0", "MICROPY_PY_FFI=0", "MICROPY_PY_BTREE=0"
)


def find(bits=64, *, force=False):
    """Returns the absolute path of an interpreter with that word size, built if there is none.

    Raises: BuildError, whose text names the remedy.
    """
    variable = "MICROPYTHON" if bits == 64 else "MICROPYTHON32"
    if os.environ.get(variable):
        return _named_in(variable, bits)
    if bits == 64 and not force:
        on_path = shutil.which("micropython")
        if on_path:
            unfit = why_unfit(on_path, bits)
            if not unfit:
                return Path(on_path).absolute()
            say(f"{on_path} on PATH is not used: {unfit}.")
    return _Builder(cache.cache_folder(), force).interpreter(bits)


def bridge(*, force=False):
    """Returns the absolute path of the 32-bit interpreter with the bridge and a simulated ESP8266's modules in it."""
    if os.environ.get("MICROPYTHON_BRIDGE"):
        return _named_in("MICROPYTHON_BRIDGE", 32)
    return _Builder(cache.cache_folder(), force).bridge()


def chip(*, force=False):
    """Returns the absolute path of the 32-bit interpreter with a simulated ESP8266's modules and no bridge in it."""
    if os.environ.get("MICROPYTHON_CHIP"):
        return _named_in("MICROPYTHON_CHIP", 32)
    return _Builder(cache.cache_folder(), force).chip()


def client(*, force=False):
    """Returns the absolute path of a 32-bit interpreter with the client frozen in, as a board may have it."""
    return _Builder(cache.cache_folder(), force).client()


def measuring(*, force=False):
    """Returns the absolute path of a 32-bit interpreter that has names of its functions, no threads, and BORDER."""
    return _Builder(cache.cache_folder(), force).measuring()


def failing(*, force=False):
    """Returns the absolute path of a 64-bit interpreter that has no threads, BORDER, FAILING and TERMINAL. (In a 32-bit
    one the `id` of an object of the heap is a long integer, and allocates, in asyncio too; on boards it does not.)"""
    return _Builder(cache.cache_folder(), force).failing()


def terminal(*, force=False):
    """Returns the absolute path of a 64-bit interpreter that has os.dupterm and its prompt there, by TERMINAL."""
    return _Builder(cache.cache_folder(), force).terminal()


def mpy_cross(*, force=False):
    """Returns the absolute path of the compiler to .mpy files that fits these interpreters."""
    return _Builder(cache.cache_folder(), force).mpy_cross()


def source():
    """Returns the folder of the source that the interpreters are built from, downloaded if need be."""
    return _Builder(cache.cache_folder(), False).source()


def why_unfit(interpreter, bits):
    """Returns why the program cannot serve, or None. It is run to find out."""
    printed = re.match(r"(\w+) (\d+) (\d+) (\d+)\n", output_of([str(interpreter), "-c", _PROBE], timeout=20) or "")
    if printed is None:
        return "it does not start, or lacks asyncio or hashlib.sha256"
    name = printed[1]
    major, minor, its_bits = (int(number) for number in printed.groups()[1:])
    if name != "micropython" or (major, minor) < debian.MIN_VERSION:
        return f"it is {name} {major}.{minor}, and MicroPython >= 1.25 is needed"
    if its_bits != bits:
        return f"it is a {its_bits}-bit interpreter, and a {bits}-bit one is needed"
    return None


def _named_in(variable, bits):
    program = shutil.which(os.path.expanduser(os.environ[variable]))
    unfit = "there is no such program" if program is None else why_unfit(program, bits)
    if unfit:
        raise BuildError(f"{variable} is {os.environ[variable]}: {unfit}. Unset it to have one built.")
    return Path(program).absolute()


class _Builder:
    """Builds from source in the cache, in a folder a version. One public method a product; each takes the lock if
    there is work."""

    def __init__(self, folder, force):
        self._folder = folder / f"micropython-{_version_of_source()}"
        self._folder.mkdir(exist_ok=True)
        self._binaries = self._folder / "bin"
        self._force = force

    def interpreter(self, bits):
        binary = self._binaries / f"micropython-{bits}-{_options_digest(bits)}"
        if not self._force and cache.touch(binary):
            return binary
        with cache.locked(self._folder):
            if self._force or not cache.touch(binary):
                self._build(bits, self._asyncio_only(), binary, self._folder / f"objects-{bits}")
        return binary

    def bridge(self):
        return self._on_chip("bridge", MANIFEST_SIM)

    def chip(self):
        return self._on_chip("chip", MANIFEST_CHIP)

    def _on_chip(self, name, manifest):
        """Builds an interpreter with the chip's modules in C and the manifest's files; all share their objects."""
        with cache.locked(self._folder):
            source = self._source()
            files = frozen.frozen_files(source, manifest)
            copies, manifest = frozen.stage(files, self._folder / "stage")
            modules = self._folder / "modules"  # a folder a user module
            chip = frozen.mirror_modules([CHIP], modules)
            digest = hashlib.sha256((_options_digest(32) + frozen.digest_of(copies + chip)).encode())
            binary = self._binaries / f"{name}-{digest.hexdigest()[:16]}"
            if self._force or not cache.touch(binary):
                say(f"Freezing {len(files)} files into the {name}'s interpreter ..")
                self._build(
                    32, manifest, binary, self._objects_of("bridge", chip),
                    f"USER_C_MODULES={modules}", f"VARIANT_DIR={modules / CHIP.name / 'variant'}",
                )
                cache.prune(self._binaries, f"{name}-")
        return binary

    def client(self):
        with cache.locked(self._folder):
            files = frozen.frozen_files(self._source(), MANIFEST_BOARD)
            copies, manifest = frozen.stage(files, self._folder / "stage-client")
            digest = hashlib.sha256((_options_digest(32) + frozen.digest_of(copies)).encode()).hexdigest()[:16]
            binary = self._binaries / f"client-{digest}"
            if self._force or not cache.touch(binary):
                say(f"Freezing {len(files)} files into the client's interpreter ..")
                self._build(32, manifest, binary, self._folder / "objects-32")  # those of the one without the client
                cache.prune(self._binaries, "client-")
        return binary

    def measuring(self):
        return self._with_modules("measuring", 32, [BORDER], "STRIP=")

    def failing(self):
        return self._with_modules("failing", 64, [BORDER, FAILING, TERMINAL], _DUPTERM)

    def terminal(self):
        return self._with_modules("terminal", 64, [TERMINAL], _DUPTERM)

    def _with_modules(self, name, bits, sources, *words):
        """Builds an interpreter without threads that has these modules in C."""
        with cache.locked(self._folder):
            modules = self._folder / f"modules-{name}"
            copies = frozen.mirror_modules(sources, modules)
            digest = hashlib.sha256((_options_digest(bits) + frozen.digest_of(copies)).encode()).hexdigest()[:16]
            binary = self._binaries / f"{name}-{digest}"
            if self._force or not cache.touch(binary):
                words = (f"USER_C_MODULES={modules}", "MICROPY_PY_THREAD=0", *words)
                self._build(bits, self._asyncio_only(), binary, self._objects_of(name, copies), *words)
                cache.prune(self._binaries, f"{name}-")
        return binary

    def _objects_of(self, name, sources):
        """Returns a folder of objects for these C sources alone, and removes those of others: the port's make does not
        notice a module that has come or gone."""
        objects = self._folder / f"objects-{name}-{frozen.digest_of(sources)[:8]}"
        for other in self._folder.glob(f"objects-{name}-*"):
            if other.is_dir() and other != objects:
                shutil.rmtree(other)
        return objects

    def _asyncio_only(self):
        manifest = self._folder / "asyncio_only.py"
        manifest.write_text(_ASYNCIO_ONLY)
        return manifest

    def mpy_cross(self):
        binary = self._binaries / f"mpy-cross-{_options_digest(64)}"
        if not self._force and cache.touch(binary):
            return binary
        with cache.locked(self._folder):
            if self._force or not cache.touch(binary):
                cache.publish(self._compiler(self._source()), binary)
        return binary

    def _build(self, bits, manifest, binary, objects, *words):
        """Build an interpreter that freezes what the manifest says; incremental, unless the last build broke off.
        `words` are further variables for make; what is built with others has its own folder of objects."""
        self._install_what_is_missing(bits)
        source = self._source()
        compiler = self._compiler(source)
        library = self._folder / "library"  # stands for micropython-lib, which the source package lacks
        library.mkdir(exist_ok=True)
        (library / "README.md").write_text("Empty: nothing of micropython-lib is frozen.\n")
        self._objects(objects.name)
        # The build compares times, and a checkout of older files is not newer: compile afresh what is frozen.
        shutil.rmtree(objects / "frozen_mpy", ignore_errors=True)
        (objects / "frozen_content.c").unlink(missing_ok=True)
        say(f"Building the {bits}-bit interpreter (at most a minute) ..")
        force_32 = ["MICROPY_FORCE_32BIT=1"] if bits == 32 and struct.calcsize("P") == 8 else []
        self._make(
            "ports/unix", objects, *_MAKE_OPTIONS, *force_32, f"FROZEN_MANIFEST={manifest}", f"MPY_LIB_DIR={library}",
            f"BUILD={objects}", *words, MICROPY_MPYCROSS=str(compiler),
        )
        built = objects / "micropython"
        unfit = why_unfit(built, bits)
        if unfit:
            raise BuildError(f"{built} was built, but {unfit}. Does this kernel run {bits}-bit programs?")
        cache.publish(built, binary)
        (objects / "unfinished").unlink()

    def _compiler(self, source):
        objects = self._folder / "objects-mpy-cross"
        built = objects / "mpy-cross"
        if built.exists() and not self._force and not (objects / "unfinished").exists():
            return built
        self._install_what_is_missing(64)
        self._objects(objects.name)
        say("Building mpy-cross ..")
        self._make("mpy-cross", objects, f"BUILD={objects}")
        (objects / "unfinished").unlink()
        return built

    def _objects(self, name):
        """Returns the folder of object files, emptied if an earlier build in it broke off, and marked unfinished."""
        objects = self._folder / name
        if self._force or (objects / "unfinished").exists():
            shutil.rmtree(objects, ignore_errors=True)
        objects.mkdir(exist_ok=True)
        (objects / "unfinished").touch()
        return objects

    def _make(self, part, objects, *words, **environment):
        python = sys.executable if cache.is_safe_path(sys.executable) else "python3"
        command = ["make", "-C", str(self._source() / part), f"-j{os.cpu_count() or 1}", f"PYTHON={python}", *words]
        # The build asks git for its version, and would be told that of the project around the cache.
        settings = dict(clean_environment(), GIT_DIR=str(self._folder / "no-git"), **environment)
        log = self._folder / f"{objects.name}.log"
        try:
            run_logged(command, log, "Unless frozen code is at fault, a fresh start may help: --force.", env=settings)
        except BuildError:
            (objects / "unfinished").unlink()  # make itself leaves no half-made file; only a killed one does
            raise

    def source(self):
        with cache.locked(self._folder):
            return self._source()

    def _install_what_is_missing(self, bits):
        machine = platform.machine()
        if bits == 32 and struct.calcsize("P") == 8 and machine not in ("x86_64", "AMD64"):
            raise MissingTool(f"A 32-bit interpreter cannot be built on {machine}: name one in MICROPYTHON32.")
        missing = debian.missing_for_c(bits, self._folder)
        if missing:
            purpose = f"Building a {bits}-bit MicroPython"
            debian.install(missing, purpose)
            if debian.missing_for_c(bits, self._folder):
                raise BuildError(f"{purpose} still fails to compile anything after installing {' '.join(missing)}.")

    def _source(self):
        """Returns the folder of the unpacked source, downloaded if need be."""
        named = os.environ.get("MICROPYTHON_SOURCE")
        if named:
            source = Path(named).expanduser().absolute()
            if not (source / "ports" / "unix" / "Makefile").exists() or not cache.is_safe_path(source):
                raise BuildError(f"MICROPYTHON_SOURCE is {source}: no source of MicroPython, or a path with spaces.")
            return source
        source = self._folder / "source"
        if not source.exists():
            version, archive = debian.fetch_micropython(self._folder / "download")
            if version != debian.PINNED_VERSION:
                say(f"MicroPython {version} takes the place of {debian.PINNED_VERSION}, which is gone.")
            _unpack(archive, source)
        return source


def _unpack(archive, target):
    """Unpack the one folder in the archive as `target`, which appears only when it is complete."""
    say(f"Unpacking {archive.name} ..")
    with tempfile.TemporaryDirectory(dir=target.parent, prefix="unpacking-") as scratch:
        try:
            with tarfile.open(archive, "r:xz") as tar:
                if hasattr(tarfile, "data_filter"):
                    tar.extraction_filter = tarfile.data_filter
                tar.extractall(scratch)
        except tarfile.CompressionError:  # a Python without lzma
            run_logged(["tar", "-xJf", str(archive), "-C", scratch], target.parent / "tar.log", "Install xz-utils.")
        except (OSError, EOFError, tarfile.TarError) as error:
            archive.unlink(missing_ok=True)
            raise BuildError(f"{archive} is damaged ({error}) and was removed: try again.") from None
        (folder,) = Path(scratch).iterdir()
        folder.rename(target)
    return target


def _version_of_source():
    """Returns the pinned version, or what tells apart a source that the user names."""
    named = os.environ.get("MICROPYTHON_SOURCE")
    return hashlib.sha256(named.encode()).hexdigest()[:8] if named else debian.PINNED_VERSION


def _options_digest(bits):
    """Returns what tells apart binaries that were built in different ways."""
    recipe = (_version_of_source(), bits, _MAKE_OPTIONS, _ASYNCIO_ONLY, platform.machine())
    return hashlib.sha256(repr(recipe).encode()).hexdigest()[:12]


def main(arguments=None):
    parser = argparse.ArgumentParser(description="Find a real MicroPython, or build it; print its path.")
    parser.add_argument("--bits", type=int, choices=(64, 32), default=64, help="word size of the interpreter")
    product = parser.add_mutually_exclusive_group()
    product.add_argument("--bridge", action="store_true", help="the 32-bit interpreter with the bridge frozen in")
    product.add_argument("--chip", action="store_true", help="the same, to be started from the images in firmware/")
    product.add_argument("--client", action="store_true", help="the 32-bit interpreter with the client frozen in")
    product.add_argument("--measuring", action="store_true", help="the 32-bit interpreter that valgrind can count")
    product.add_argument("--failing", action="store_true", help="the 64-bit interpreter whose allocations can fail")
    product.add_argument("--terminal", action="store_true", help="the 64-bit interpreter with os.dupterm, as on boards")
    product.add_argument("--mpy-cross", action="store_true", help="the compiler to .mpy files")
    parser.add_argument("--force", action="store_true", help="build afresh, whatever there is")
    options = parser.parse_args(arguments)
    try:
        if options.bridge:
            path = bridge(force=options.force)
        elif options.chip:
            path = chip(force=options.force)
        elif options.client:
            path = client(force=options.force)
        elif options.measuring:
            path = measuring(force=options.force)
        elif options.failing:
            path = failing(force=options.force)
        elif options.terminal:
            path = terminal(force=options.force)
        elif options.mpy_cross:
            path = mpy_cross(force=options.force)
        else:
            path = find(options.bits, force=options.force)
    except BuildError as error:
        say(f"build/micropython.py: {error}")
        return 1
    except KeyboardInterrupt:
        say("Interrupted.")
        return 130
    print(path)
    return 0
