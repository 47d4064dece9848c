"""What the bridge costs on the instruction set of the ESP8266's processor, and what it leaves of its heap."""

import tempfile

from build.bench import ceiling
from build.bench.figures import Figure
from build.chip import lx106
from protocol.frame import DATA_HEADER, RECORD_HEADER
from protocol.framing import MAX_FRAME, PREFIX
from protocol.limits import MAC_BYTES

SECTION = "bridge, lx106"
DEFINITION = (
    "In MicroPython for the ESP8266's processor, compiled and configured as for the chip, with its 38 KiB of heap and "
    "littlefs mounted; instructions counted exactly in an emulator (build/chip/lx106.py). All that runs on the bridge, "
    "esp_link.main, asyncio and collections of garbage included; not what pins, the bus, the socket and Wi-Fi take. "
    "Frames: full of lines that follow each other, or with one line. Free heap: the least after a collection, lines "
    "passing both ways. SoftI2C: MicroPython's C code, bit by bit, its own pauses not counted; fastest: without them, "
    "and with those of 1 us that it makes at 400 kHz, at 80 MHz."
)
SIZES = (50, 180)
PROGRAMS = tuple(f"build/chip/bridge_{name}.py" for name in ("parts", "program", "world"))
_DIRECTIONS = ("up", "down")
_SIZE = "size_of_"
_FRAMES = 200
_HEAP_FRAMES = 400
_BITS = 9  # clocks of a byte
_PAUSES = 2  # of 1 us, for a clock of a bit that is written: before the data line may be read, and after


def milliseconds(instructions):
    """Returns the time at one instruction a cycle."""
    return instructions * 1000 / lx106.HZ


def frame_of(size):
    """Returns the bytes of a frame with one line, newline included in size, though not on the wire."""
    return PREFIX + DATA_HEADER + MAC_BYTES + RECORD_HEADER + size - 1


def frames(chip):
    """Returns the costs of frames and lines. Args: chip: Chip, its folder with PROGRAMS."""
    for direction in (*_DIRECTIONS, "both"):
        found = chip.run("bridge_program", direction, MAX_FRAME, _FRAMES)
        each = found["instructions"][0] / found["frames"][0]
        yield Figure(SECTION, f"bridge instructions, {direction}, full frame", round(each), "per frame")
        for size in SIZES:
            per_line = each * size / ceiling.payload_of_a_frame(size)
            yield Figure(SECTION, f"bridge instructions, {direction} {size}", round(per_line), "per line")
        longest = found["longest"][0]
        yield Figure(SECTION, f"bridge between two awaits, {direction}", longest, "instructions")
        yield Figure(SECTION, f"bridge between two awaits, {direction}, time", milliseconds(longest), "ms at 80 MHz")
    for direction in _DIRECTIONS:
        for size in SIZES:
            found = chip.run("bridge_program", direction, frame_of(size), _FRAMES)
            each = found["instructions"][0] / found["frames"][0]
            name = f"bridge instructions, {direction} {size}, alone in its frame"
            yield Figure(SECTION, name, round(each), "per line")


def parts(chip):
    """Returns what parts of the bridge's work cost. Args: chip: Chip, its folder with PROGRAMS."""
    found = chip.run("bridge_parts")
    counted, executed = found["loop"]
    if counted != executed:
        raise RuntimeError(f"of a loop of {executed} instructions the emulator counts {counted}")
    for name, what in (
        ("sha256", "a SHA-256 block"),
        ("seal", "sealing 200 bytes"),
        ("switch", "a task switch"),
        ("interrupt", "a soft interrupt"),
    ):
        yield Figure(SECTION, f"bridge, {what}", found[name][0], "instructions")
    for name, (size, *_) in found.items():
        if name.startswith(_SIZE):
            yield Figure(SECTION, f"bridge, size of {name.removeprefix(_SIZE).replace('_', ' ')}", size, "bytes")
    for name in ("write", "read"):
        byte = found[f"{name}_byte_100"][0] / 100
        yield Figure(SECTION, f"bridge, SoftI2C {name}", found[f"{name}_call"][0], "instructions per call")
        yield Figure(SECTION, f"bridge, SoftI2C {name}, byte", byte, "instructions per byte")
        clock = byte / _BITS
        yield Figure(SECTION, f"bridge, SoftI2C {name}, fastest", lx106.HZ / clock / 1000, "kHz")
        paused = clock + _PAUSES * lx106.HZ / 1e6
        yield Figure(SECTION, f"bridge, SoftI2C {name}, fastest with pauses", lx106.HZ / paused / 1000, "kHz")


def heap(chip, layout):
    """Returns what is free. Args: chip: Chip of that layout, its folder with PROGRAMS."""
    found = chip.run("bridge_program", "heap", MAX_FRAME, _HEAP_FRAMES)
    yield Figure(SECTION, f"bridge free heap, {layout}", found["free"][0], "bytes")
    parts = ("nothing started", "empty"), ("booted", "booted"), ("started", "imported")
    for what, name in parts:
        yield Figure(SECTION, f"bridge free heap, {layout}, {what}", found[name][0], "bytes")
    yield Figure(SECTION, f"bridge, a collection of the heap, {layout}", found["collecting"][0], "instructions")


def measure():
    """Returns all figures. Raises: BuildError, MissingTool."""
    chips = {}
    figures = []
    lx106.compiler()
    lx106.emulator()
    with tempfile.TemporaryDirectory(prefix="pb_link-lx106-") as folder:
        lx106.write_images(folder, *PROGRAMS)
        for layout in lx106.LAYOUTS:
            chips[layout] = lx106.Chip(layout, folder)
        figures += [*frames(chips["ROMFS"]), *parts(chips["ROMFS"])]
        for layout, chip in chips.items():
            figures += heap(chip, layout)
    return figures
