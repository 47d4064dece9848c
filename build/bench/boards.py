"""RAM that the link takes on boards, in a real 32-bit MicroPython, whose objects are as big as a board's."""

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from build.bench.figures import Figure
from build.tools import micropython, venv
from build.tools.cache import ROOT
from build.tools.shell import MissingTool

ON_BOARDS = ("protocol", "primitives", "i2c_devices", "esp_link", "pb_link")
_LINE_BYTES = 180
_HEAP_LINES = 400
_IMAGE_LINES = 40  # and the bridge is stopped once: it boots again, and joins the network again
_TIMEOUT_S = 180

# Free heap after a collection: before, after the import, and with AppBase running.
_CLIENT = """
import gc
import asyncio
gc.collect(); loop = gc.mem_free()
from pb_link.app_base import AppBase
gc.collect(); imported = gc.mem_free()
from i2c_devices.ports import TargetPort
class Pin:
    IN, OUT, PULL_UP, IRQ_FALLING = 0, 1, 1, 2
    def init(self, *_, **__): pass
    def irq(self, *_): pass
    def __call__(self, *_): pass
class Target:
    def __init__(self, mem, mem_addrsize): pass
    def irq(self, *_): return self
    def deinit(self): pass
gc.collect(); before = gc.mem_free()
config = [8123, "server", 1500, 0, "net", "password", bytes(range(32))]
class App(AppBase):
    def start(self): pass
async def main():
    app = App("id", config, [TargetPort(Target), Pin(), Pin(), (Pin(), 0, 200)])
    asyncio.create_task(app.await_msg())
    await asyncio.sleep_ms(300)
    gc.collect()
    print(loop - imported, before - gc.mem_free())
asyncio.run(main())
"""
# Instead of the last line of `main`: what two channels take that the application opens, and another one.
_CHANNELS = """
    free = [gc.mem_free()]
    for number in (20, 21, 22):
        app.channel(number)
        gc.collect(); free.append(gc.mem_free())
    print(free[0] - free[2], free[2] - free[3])
asyncio.run(main())
"""


def run(command, *, cwd=ROOT, env=None):
    done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, cwd=cwd, env=env)
    if done.returncode:
        raise RuntimeError(f"{command[0]} ended with status {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout, done.stderr


def heap(interpreter, bridge):
    """Returns the bridge's least free heap while lines pass both ways, and the fallbacks of that run."""
    lines = ["--lines", str(_HEAP_LINES), "--line-bytes", str(_LINE_BYTES)]
    command = [sys.executable, "-m", "sim", "run", *lines, "--json"]
    environment = {**os.environ, "MICROPYTHON": str(interpreter), "MICROPYTHON_BRIDGE": str(bridge)}
    out, err = run(command, env=environment)
    result = json.loads(out.splitlines()[-1])
    assert result["client_to_server"]["delivered"] == _HEAP_LINES
    free_bytes = int(re.search(r"least free heap (\d+) bytes", out + err)[1])
    yield Figure("bridge", "bridge free heap, least", free_bytes, "bytes")
    yield Figure("wake-ups", "fallbacks, real MicroPython", sum(result["fallbacks"].values()), "looks")


def image_heap(interpreter, chip):
    """Returns the same of a bridge that boots from its ROMFS image, as built from this checkout."""
    with tempfile.TemporaryDirectory(prefix="pb_link-images-") as folder:
        python = venv.VENV / "bin" / "python"  # has what building takes
        command = [str(python if python.exists() else sys.executable), "build/firmware.py", "--folder", folder]
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, cwd=ROOT)
        if done.returncode:
            raise MissingTool(done.stderr.strip())
        lines = ["--lines", str(_IMAGE_LINES), "--line-bytes", str(_LINE_BYTES), "--faults", "bridge-kill=1"]
        command = [sys.executable, "-m", "sim", "run", *lines, "--bridge-image", "--images", folder, "--json"]
        environment = {**os.environ, "MICROPYTHON": str(interpreter), "MICROPYTHON_CHIP": str(chip)}
        out, err = run(command, env=environment)
    result = json.loads(out.splitlines()[-1])
    assert result["client_to_server"]["delivered"] == _IMAGE_LINES and result["resets"] >= 1
    free_bytes = int(re.search(r"least free heap (\d+) bytes", out + err)[1])
    yield Figure("bridge", "bridge free heap from ROMFS, least", free_bytes, "bytes")


def client_ram(interpreter, folder, kind, before=""):
    """Returns the RAM that the client's modules in the folder take. before: code that makes them importable."""
    imported, running = _client_ram(interpreter, folder, before + _CLIENT)
    _, by_run = _client_ram(interpreter, folder, before + _CLIENT.replace("await_msg", "run"))
    yield Figure("client", f"client RAM, import of pb_link, {kind}", imported, "bytes")
    yield Figure("client", f"client RAM, AppBase that runs, {kind}", running, "bytes")
    yield Figure("client", f"client RAM, AppBase that runs by run, {kind}", by_run, "bytes")


def channels_ram(interpreter, folder, kind, before=""):
    """Returns the RAM that channels take of a client in the folder, what is loaded for them included. before: as of
    client_ram."""
    program = before + _CLIENT.partition("\n    print(")[0] + _CHANNELS
    two, another = _client_ram(interpreter, folder, program)
    yield Figure("client", f"client RAM, two channels, {kind}", two, "bytes")
    yield Figure("client", f"client RAM, one channel more, {kind}", another, "bytes")


def _client_ram(interpreter, folder, program):
    # Relative paths and no environment: both lie in the heap, and would differ from machine to machine.
    printed, _ = run([str(interpreter), "-X", "heapsize=200k", "-c", program], cwd=folder, env={})
    return map(int, printed.split())


def compiled(folder, *others):
    """Compiles the boards' code, and other paths in the project, to .mpy files below the folder."""
    compiler = micropython.mpy_cross()
    paths = [path for name in ON_BOARDS for path in sorted((ROOT / name).glob("*.py"))]
    for path in [*paths, *(ROOT / other for other in others)]:
        target = Path(folder, path.relative_to(ROOT)).with_suffix(".mpy")
        target.parent.mkdir(parents=True, exist_ok=True)
        # The source's name is in the file and takes heap on the board. It must not depend on this machine.
        run([str(compiler), "-s", str(path.relative_to(ROOT)), "-o", str(target), str(path)])


def measure():
    small, large, bridge = micropython.find(32), micropython.find(64), micropython.bridge()
    figures = list(heap(large, bridge))
    figures += image_heap(large, micropython.chip())
    figures += client_ram(small, ROOT, "source")
    with tempfile.TemporaryDirectory(prefix="pb_link-mpy-") as folder:
        compiled(folder)
        figures += client_ram(small, folder, "compiled")
    return figures
