"""The cost of a line for bridge and client: instructions and bytes, of two programs in a 32-bit MicroPython.

relay_program.py and client_program.py are those programs, compiled. valgrind counts the instructions. Each program runs
twice, the second time longer. The difference is the cost of passing lines, without start and end. Two runs of the same
length do not differ: the programs have no clock but that of the wire, and no random numbers.
"""

import contextlib
import re
import subprocess
import tempfile
from pathlib import Path

from build.bench import boards, ceiling
from build.bench.bed import WIRE_BYTES_S
from build.bench.figures import Figure
from build.tools import debian, micropython

SIZE = 180  # bytes of a line, its newline included
_LINES = 10000  # for the allocations
_FRAMES_COUNTED = 100  # by valgrind, and twice as many
_LINES_COUNTED = 1000
_TIMEOUT_S = 180
FILES = (
    "build/__init__.py",
    *(f"build/bench/{name}.py" for name in ("__init__", "lwip", "meter", "relay_program")),
    *(f"build/bench/{name}.py" for name in ("client_program", "client_world")),
)
_RELAY = "import build.bench.relay_program"
_CLIENT = "import build.bench.client_program"
_DIRECTIONS = ("up", "down")
_PASSES_COUNTED = 30  # frames
_TOTAL = re.compile(r"^totals: (\d+)$", re.MULTILINE)
_PART = re.compile(r"^part: (\d+)$", re.MULTILINE)


def valgrind():
    """Returns the path of valgrind, installed if root. Raises: MissingTool, whose text says how to install it."""
    return debian.program("valgrind", "valgrind", "Counting instructions")


class Programs:
    """Runs the two programs. Args: interpreter: micropython.measuring(); modules: the folder that boards.compiled has
    filled."""

    def __init__(self, interpreter, modules):
        self._interpreter = interpreter
        self._modules = modules

    def run(self, code, *words, before=()):
        """Returns the numbers that the program prints. before: a command that runs the interpreter."""
        # Relative module paths, and no environment: longer ones in its memory shift counts by 1 %.
        command = [*before, self._interpreter, "-X", "heapsize=200k", "-c", code, *words]
        command = [str(word) for word in command]
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, cwd=self._modules, env={})
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)} ended with status {done.returncode}: {done.stdout}{done.stderr}")
        return [int(number) for number in done.stdout.split()]

    def parts(self, code, *words, options=()):
        """Returns ([instructions up to each dump of callgrind, and to the end], the printed numbers)."""
        with tempfile.TemporaryDirectory(prefix="pb_link-callgrind-") as folder:
            callgrind = [valgrind(), "-q", "--tool=callgrind", f"--callgrind-out-file={folder}/out", *options]
            callgrind += ["--toggle-collect=border_outside", "--collect-atstart=yes"]  # the first makes it begin off
            printed = self.run(code, *words, before=callgrind)
            return parsed(path.read_text() for path in Path(folder).iterdir()), printed

    def of_each(self, code, direction, count):
        """Returns the instructions for each unit that passes: the difference of two runs."""
        (less,), (few, *_) = self.parts(code, direction, count)
        (more,), (many, *_) = self.parts(code, direction, 2 * count)
        return (more - less) / (many - few)

    def longest_pass(self, direction):
        """Returns the most instructions of one pass over the mailbox, which awaits nothing. The first half of the
        passes is left out."""
        counts, _ = self.parts(_RELAY, direction, _PASSES_COUNTED, options=["--dump-before=border_mark"])
        passes = counts[1:-1:2]  # the others are before, between and after them
        return max(passes[len(passes) // 2 :])


def parsed(texts):
    """Returns the totals of callgrind's files, in the order of their parts."""
    totals = {}
    for text in texts:
        total, part = _TOTAL.search(text), _PART.search(text)
        if not (total and part):
            raise RuntimeError("valgrind has written a file without totals or part: is it one of callgrind?")
        totals[int(part[1])] = int(total[1])
    return [totals[part] for part in sorted(totals)]


def _lines_a_frame():
    return ceiling.payload_of_a_frame(SIZE) / SIZE


@contextlib.contextmanager
def programs():
    with tempfile.TemporaryDirectory(prefix="pb_link-mpy-") as modules:
        boards.compiled(modules, *FILES)
        yield Programs(micropython.measuring(), modules)


def allocations():
    """Returns the bytes that a line costs, and the bytes that the bridge clocks between two awaits."""
    with programs() as ran:
        for direction in _DIRECTIONS:
            frames, allocated, longest = ran.run(_RELAY, direction, round(_LINES / _lines_a_frame()))
            per_line = allocated / frames / _lines_a_frame()
            yield Figure("bridge", f"bridge allocates, {direction} {SIZE}", per_line, "bytes per line")
            longest_ms = longest / WIRE_BYTES_S * 1000
            yield Figure("bridge", f"bridge between two awaits, {direction}", longest_ms, "ms of wire")
        for direction in _DIRECTIONS:
            lines, allocated = ran.run(_CLIENT, direction, _LINES)
            yield Figure("client", f"client allocates, {direction} {SIZE}", allocated / lines, "bytes per line")


def instructions():
    """Returns the instructions that a line costs, and those of the bridge between two awaits."""
    valgrind()
    with programs() as ran:
        for direction in _DIRECTIONS:
            per_frame = ran.of_each(_RELAY, direction, _FRAMES_COUNTED)
            yield from _of_a_line("bridge", direction, per_frame / _lines_a_frame())
            most = ran.longest_pass(direction)
            yield Figure("bridge", f"bridge between two awaits, {direction}, computing", most, "instructions")
        for direction in _DIRECTIONS:
            yield from _of_a_line("client", direction, ran.of_each(_CLIENT, direction, _LINES_COUNTED))


def _of_a_line(who, direction, count):
    name = f"{who} instructions, {direction} {SIZE}"
    yield Figure(who, name, round(count), "per line")
    yield Figure(who, name + ", KiB", round(count * 1024 / SIZE), "per KiB of lines")
