"""What each module of the client and of the bridge takes in RAM when it is imported: `python3 -m build.bench ram`.

A module's own part is measured by importing what it needs first, then itself, each between two collections, in the
32-bit interpreter, compiled, not joined. The parts add up to the whole import. A module that the program loads later,
when it is needed, is not in the list. The client as a whole is also measured as it is installed, with its modules
joined (build/images/bundle.py), from files and from ROMFS; frozen; and from source in the heap of a Pyboard.
"""

import ast
import subprocess
import tempfile
from pathlib import Path

from build.bench import boards
from build.bench.figures import Figure, number
from build.install import client_package
from build.tools import micropython
from build.tools.cache import ROOT

CLIENT, BRIDGE = "pb_link.app_base", "esp_link.bridge"
PYBOARD_HEAP = "100k"

# Prints a line for each module of {names}: its name and the heap that it has taken. Nothing else may be loaded with it.
_EACH = """
import gc, sys, asyncio
names = {names}
taken = [0] * len(names)
for i in range(len(names)):
    known = len(sys.modules)
    gc.collect(); before = gc.mem_alloc()
    __import__(names[i])
    gc.collect(); taken[i] = gc.mem_alloc() - before
    if len(sys.modules) != known + 1:
        raise RuntimeError(names[i] + " has loaded another module than itself: " + " ".join(sys.modules))
for i in range(len(names)):
    print(names[i], taken[i])
"""
# Stand-ins for what only boards have.
_BOARD = 'import sys; sys.modules["machine"] = sys.modules["network"] = sys.modules["esp"] = sys\n'
MOUNT = """
import vfs
def mount():
    with open("image", "rb") as file:
        vfs.mount(vfs.VfsRom(file.read()), "/rom")
mount()
import sys
sys.path[:] = ["/rom", ".frozen"]
"""
_FROZEN = 'import sys; sys.path[:] = [".frozen"]\n'
_FREE = "import gc; import pb_link.app_base; gc.collect(); print(gc.mem_free())"


def needed(module):
    """Returns {module: set of ours that it imports itself} of all that an import of the module loads, packages
    included, in the order in which each finds what it needs there: what a device loads, not what CPython does."""
    found = {}

    def visit(name):
        if name in found:
            return
        path = _path(name)
        own = set()
        found[name] = own  # a cycle would end here, and be met on the device
        if "." in name:
            _note(own, name.rsplit(".", 1)[0])
        for other in _imported(ast.parse(path.read_text()).body) if path.is_file() else ():
            _note(own, other)
        own.discard(name)
        for other in sorted(own):
            visit(other)
        del found[name]
        found[name] = own  # behind what it needs

    def _note(own, name):
        while name:
            if _path(name):
                own.add(name)
            name = name.rpartition(".")[0]

    visit(module)
    return found


def _path(name):
    """The file of one of the boards' modules, or the folder of a package without a file; None if it is no such."""
    base = ROOT.joinpath(*name.split("."))
    if name.split(".")[0] not in boards.ON_BOARDS:
        return None
    for path in (base.with_suffix(".py"), base / "__init__.py", base):
        if path.exists():
            return path
    return None


def _imported(body):
    """Yields what these statements import when a module of them is loaded in MicroPython."""
    for node in body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Try):  # what stands behind `except ImportError` is for CPython
            yield from _imported(node.body)
        elif isinstance(node, ast.If):
            yield from _imported(node.body)


def closure(modules, name):
    """Returns the module and all that it needs, of what `needed` returned."""
    reached, ahead = set(), [name]
    while ahead:
        one = ahead.pop()
        if one not in reached:
            reached.add(one)
            ahead += modules[one]
    return reached


def of_modules(interpreter, folder, who, start):
    """Returns a figure for each module that an import of start loads, the largest first, and their sum."""
    modules = needed(start)
    program = _BOARD + _EACH.format(names=list(modules))
    own = {}
    printed, _ = boards.run([str(interpreter), "-X", "heapsize=200k", "-c", program], cwd=folder, env={})
    for line in printed.splitlines():
        name, taken = line.split()
        own[name] = int(taken)
    assert set(own) == set(modules)
    for name, taken in sorted(own.items(), key=lambda item: -item[1]):
        whole = sum(own[other] for other in closure(modules, name))
        yield Figure("modules", f"{who}: {name}", taken, f"bytes; with what it imports {number(whole)}")
    yield Figure("modules", f"{who}: sum of {len(own)} modules", sum(own.values()), "bytes")


def from_source(interpreter):
    """Returns the heap that is free in a Pyboard's after the import from source; 0: there is not enough for it."""
    command = [str(interpreter), "-X", f"heapsize={PYBOARD_HEAP}", "-c", _FREE]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=ROOT, env={})
    if done.returncode and "MemoryError" not in done.stdout + done.stderr:
        raise RuntimeError(f"the import from source failed: {done.stdout}{done.stderr}")
    return 0 if done.returncode else int(done.stdout)


def measure():
    small = micropython.find(32)
    with tempfile.TemporaryDirectory(prefix="pb_link-mpy-") as folder:
        boards.compiled(folder)
        figures = list(of_modules(small, folder, "client", CLIENT))
        figures += of_modules(small, folder, "bridge", BRIDGE)
    with tempfile.TemporaryDirectory(prefix="pb_link-mpy-") as folder:
        client_package.tree(Path(folder), True)
        figures += boards.client_ram(small, folder, "installed")
        figures += boards.channels_ram(small, folder, "installed")
    with tempfile.TemporaryDirectory(prefix="pb_link-rom-") as folder:
        Path(folder, "image").write_bytes(client_package.image())
        for interpreter, kind, before in ((small, "ROMFS", MOUNT), (micropython.client(), "frozen", _FROZEN)):
            figures += boards.client_ram(interpreter, folder, kind, before)
            figures += boards.channels_ram(interpreter, folder, kind, before)
    figures.append(Figure("client", "client RAM, free of 100 KB after import from source", from_source(small), "bytes"))
    return figures
