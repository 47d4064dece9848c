"""What the client costs on the instruction set of a Pyboard's processor, and what it takes of its heap."""

import tempfile

from build.bench import boards, counts
from build.bench.figures import Figure
from build.chip import cortex_m4

SECTION = "client, Cortex-M4"
DEFINITION = (
    "In MicroPython for a Cortex-M4, compiled and configured as for a Pyboard v1.1, with its heap of 100 KB; counted "
    "exactly in an emulator (build/chip/cortex_m4.py). Instructions: application and asyncio included, client frozen; "
    "pins, I2C and the rest of the world are not counted, and have their own heap. Collections of garbage are counted "
    "apart. Between two awaits: the link's loop, at full speed, without the interrupts; 168 MHz and one instruction a "
    "cycle. RAM: after a collection; free: for the application, with an AppBase that runs."
)
SIZES = (50, 180)
_DIRECTIONS = ("up", "down")
_LINES = 400
_RAM, _COSTS = "build/chip/client_ram.py", "build/chip/client_costs.py"
_PARTS = ("a SHA-256 block", "a soft interrupt", "a task switch", "a step with nothing to do")


def milliseconds(instructions):
    """Returns the time at one instruction a cycle."""
    return instructions * 1000 / cortex_m4.HZ


def lines(board):
    """Returns the cost of lines. Args: board: Board with the benchmark's programs in its files, and the client."""
    for size in SIZES:
        for direction in _DIRECTIONS:
            (printed,) = board.run("build.bench.client_program", direction, _LINES, size)
            numbers = map(int, printed.split())
            passed, allocated, instructions, frames, _, longest, _, collecting, _ = numbers
            name = f"{direction} {size}"
            yield Figure(SECTION, f"client instructions, {name}", round(instructions / passed), "per line")
            yield Figure(SECTION, f"client instructions, {name}, frame", round(instructions / frames), "per frame")
            yield Figure(SECTION, f"client collects garbage, {name}", round(collecting / passed), "instr. per line")
            yield Figure(SECTION, f"client allocates, {name}", allocated / passed, "bytes per line")
            yield Figure(SECTION, f"client between two awaits, {name}", longest, "instructions")
            yield Figure(SECTION, f"client between two awaits, {name}, time", milliseconds(longest), "ms at 168 MHz")


def parts(board):
    """Returns what a client's parts cost. Args: board: Board with client_costs.py and the client in its files."""
    (printed,) = board.run("build.chip.client_costs")
    for name, instructions in zip(_PARTS, printed.split(), strict=True):
        yield Figure(SECTION, f"client, {name}", int(instructions), "instructions")


def ram(board, kind):
    """Returns the RAM that the client takes. Args: board: Board with client_ram.py in its files; kind: of the client:
    compiled, in the files, or frozen."""
    (printed,) = board.run("build.chip.client_ram")
    imported, running, free, collection = map(int, printed.split())
    yield Figure(SECTION, f"client RAM, import of pb_link, {kind}", imported, "bytes")
    yield Figure(SECTION, f"client RAM, AppBase that runs, {kind}", running, "bytes")
    yield Figure(SECTION, f"client free heap, AppBase that runs, {kind}", free, "bytes")
    yield Figure(SECTION, f"client, a collection of the heap, {kind}", collection, "instructions")


def measure():
    """Returns all figures. Raises: BuildError, MissingTool."""
    plain, with_client = cortex_m4.firmware(), cortex_m4.firmware(with_client=True)
    with tempfile.TemporaryDirectory(prefix="pb_link-m4-") as folder:
        boards.compiled(folder, "build/chip/__init__.py", _RAM, _COSTS, *counts.FILES)
        frozen = cortex_m4.Board(with_client, folder)
        compiled = cortex_m4.Board(plain, folder)
        return [*lines(frozen), *parts(frozen), *ram(frozen, "frozen"), *ram(compiled, "compiled")]
