"""What the link costs on boards: counts of a real MicroPython in 32 bit, whose objects are as big as a board's."""

import json
import os
import re
import subprocess
import sys

from build import bench_ceiling, micropython
from build.bench_bed import WIRE_BYTES_S
from build.bench_figures import Figure
from build.cache import ROOT
from build.shell import BuildError, MissingTool

_RELAY = ROOT / "build" / "bench_relay.py"
_LINES = 10000
_SIZE = 180
_HEAP_LINES = 400
_TIMEOUT_S = 180

# Free heap after a collection: before, after the import, and with AppBase running.
_CLIENT = """
import sys, gc
sys.path.insert(0, sys.argv[1])
gc.collect(); start = gc.mem_free()
import asyncio
gc.collect(); loop = gc.mem_free()
from pb_link.app_base import AppBase
gc.collect(); imported = gc.mem_free()
from i2c_devices.ports import TargetPort
class Pin:
    IRQ_FALLING = 2
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


def _run(command, **kwargs):
    done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, cwd=ROOT, **kwargs)
    if done.returncode:
        raise RuntimeError(f"{command[0]} ended with status {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout, done.stderr


def relay(interpreter):
    """Bytes that the bridge allocates for a line, and what it clocks between two awaits."""
    lines_a_frame = bench_ceiling.payload_of_a_frame(_SIZE) / _SIZE
    for direction in ("up", "down"):
        frames = str(round(_LINES / lines_a_frame))
        command = [str(interpreter), "-X", "heapsize=400k", str(_RELAY), str(ROOT), direction, frames]
        count, allocated, longest = map(int, _run(command)[0].split())
        per_line = allocated / count / lines_a_frame
        yield Figure("bridge", f"bridge allocates, {direction} {_SIZE}", per_line, "bytes per line")
        yield Figure("bridge", f"bridge between two awaits, {direction}", longest / WIRE_BYTES_S * 1000, "ms of wire")


def heap(interpreter, bridge):
    """The bridge's least free heap while lines pass both ways."""
    command = [sys.executable, "-m", "sim", "run", "--lines", str(_HEAP_LINES), "--line-bytes", str(_SIZE), "--json"]
    environment = {**os.environ, "MICROPYTHON": str(interpreter), "MICROPYTHON_BRIDGE": str(bridge)}
    out, err = _run(command, env=environment)
    assert json.loads(out.splitlines()[-1])["client_to_server"]["delivered"] == _HEAP_LINES
    return int(re.search(r"least free heap (\d+) bytes", out + err)[1])


def measure():
    try:
        small, large, bridge = micropython.find(32), micropython.find(64), micropython.bridge()
    except (MissingTool, BuildError) as error:
        if os.environ.get("CI"):
            raise
        print(f"bridge and client are not measured: {error}", file=sys.stderr)
        return []
    figures = list(relay(small))
    figures.append(Figure("bridge", "bridge free heap, least", heap(large, bridge), "bytes"))
    imported, running = map(int, _run([str(small), "-X", "heapsize=200k", "-c", _CLIENT, str(ROOT)])[0].split())
    figures.append(Figure("client", "client RAM, import of pb_link", imported, "bytes"))
    figures.append(Figure("client", "client RAM, AppBase that runs", running, "bytes"))
    return figures
