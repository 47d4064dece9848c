"""The figures of a benchmark with their definition, limit and bar; the table, and the bars that are missed.

    bar     the value that must be reached, or `make bench` fails: build/bench/bars.py
    limit   the most that the wire, the layout or the costs allow (the least, for times)
"""

from collections import namedtuple

from build.bench.bars import BARS

# name: unique; value: number; unit; limit: number or None; section: key of DEFINITIONS.
Figure = namedtuple("Figure", "section name value unit limit", defaults=(None,))

DEFINITIONS = {
    "wire": "Wire utilisation: bytes of lines delivered per second, newlines included, divided by 44,444: what 400 kHz "
    "carries at 9 clocks a byte. Limit: the same of the layout (build/bench/ceiling.py). `zero`: computing and the "
    "network cost nothing; `model`: the placeholders of docs/hardware.md. Lines follow each other without a pause "
    "(`stream`, wait=False) or one waits for the acknowledgement of the other (`single`).",
    "clocked": "Bytes clocked on the bus, addresses included, for each byte of a line.",
    "transactions": "I2C transactions, from start to stop, for each line.",
    "echo": "From the call of `write` on the client to the return of `readline` with the same line of 50 bytes, which "
    "the server's application has sent back; one at a time. Limit: the exchanges that it needs.",
    "channels": "Utilisation of the wire by the bytes of messages on one channel, one way. The echo, as above, of "
    "messages or of lines, alone, and while both ends have filled another channel that nobody reads.",
    "beside": "As above, and a sensor bus on the client polls 200 samples a second, which its service sends. Lines "
    "with it; lines and messages of samples together, bytes clocked, and echoes, each divided by the same without it.",
    "requests": "From the call of `request` to its return with an answer of 50 bytes, the same that were asked; one "
    "at a time, the channel being open.",
    "i2c": "From the call at the server to its result, read_byte_data of a sensor on the client's second bus of 400 "
    "kHz, one at a time. Beyond the echo: less the median of the echo above. RAM: in a 32-bit MicroPython, compiled.",
    "wake-ups": "Looks of client and bridge by the clock that found what no edge had told of: so much waited. Of the "
    "virtual bed over all traffic above, and of a run in real MicroPython (for the bridge's free heap, below).",
    "idle": "With nothing to say, over 60 s. Limit: a beat a second, by which the client knows that the bridge lives.",
    "recovery": "From the fault to the next line of the client at the server, in parts, the slowest of eight phases. "
    "Ours: detection and resume.",
    "bridge": "In a 32-bit MicroPython, lines of 180 bytes in full frames, all that runs on the bridge, asyncio "
    "included (relay_program.py). Instructions: of x86, counted by valgrind over 100 frames; to compare, not to tell a "
    "time. Allocated: for 10,000 lines. Between two awaits: the most that is clocked on the bus, at 400 kHz, or "
    "computed. Free heap: the least after a collection, lines passing both ways, frozen or "
    "from the ROMFS image, of 38 KiB.",
    "client": "In a 32-bit MicroPython. Instructions and allocated bytes as the bridge's, application included "
    "(client_program.py). RAM: after a collection, what the import takes beyond asyncio, and what an AppBase takes "
    "that runs; compiled to .mpy, from source, or with the bytecode outside of the heap, in ROMFS or frozen. Channels: "
    "what is loaded for the first, and the state of two; until one is used they take nothing.",
    "modules": "In a 32-bit MicroPython, compiled: RAM that the import of each module takes after a collection, less "
    "what it imports itself, and with that. Asyncio and modules in C are loaded before. A table of names that is full "
    "is followed by one of twice the size, which counts to the module that came then.",
    "sensor bus": "In virtual time, 400 kHz. Jitter: most that two stamps are off the interval; a stamp counts 100 us. "
    "Until identified: slowest of five phases of the scan. Share of the scan: from a call of `rescan` on. Stuck: a "
    "device holds sda in a bit of an answer; slowest of 16 bits, with SoftI2C and I2C, until all are polled again.",
    "sensors": "In a 32-bit MicroPython, after a collection: what the import of the records of sensor types takes, the "
    "table that build/sensor_types.py makes; and a bus, compiled and joined, that has found, identified and polled its "
    "devices, with one subscriber: its modules, their table and all objects.",
    "server": "For information: lines of 42 bytes for each second of a core that the server's process used, from "
    "clients of another process by TCP. They depend on the machine and on what else it does, less so their ratios. "
    "Stores: in memory with `lines()`, durable with `lines(ahead=63)`.",
}


_SMALL_IS_GOOD = ("echo", "idle")


def ratio(figure):
    """Returns how close the value comes to its limit, 1 at best; None without a limit."""
    if not figure.limit or not figure.value:
        return None
    return figure.limit / figure.value if figure.section in _SMALL_IS_GOOD else figure.value / figure.limit


def missed(figures, whole=False):
    """Returns a line for each bar that is missed. whole: all was measured, so a bar without a figure is missed too."""
    values = {figure.name: figure.value for figure in figures}
    for figure in figures:
        if ratio(figure) is not None:
            values[figure.name + ", of the limit"] = ratio(figure)
    wrong = []
    for name, (sense, bar) in BARS.items():
        if name in values:
            value = values[name]
            if not (value >= bar if sense == ">=" else value <= bar):
                wrong.append(f"{name}: {number(value)}, the bar is {sense} {number(bar)}")
        elif whole:
            wrong.append(f"{name}: no figure has this name; build/bench/bars.py has")
    return wrong


def number(value):
    if value is None:
        return ""
    if isinstance(value, int) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3f}"


def ordered(figures, definitions=None):
    """Returns the figures in the order of their sections."""
    sections = list(definitions or DEFINITIONS)
    return sorted(figures, key=lambda figure: sections.index(figure.section))


def table(figures, definitions=None, bars=None):
    """Returns the figures as text, one table for each section. definitions, bars: those of another benchmark."""
    definitions = definitions or DEFINITIONS
    bars = BARS if bars is None else bars
    lines = []
    section = None
    for figure in figures:
        if figure.section != section:
            section = figure.section
            lines += ["", definitions[section], f"{'':58} {'value':>10} {'limit':>10} {'ratio':>6}  bar"]
        bar = bars.get(figure.name)
        of_limit = bars.get(figure.name + ", of the limit")
        said = "" if bar is None else f"{bar[0]} {number(bar[1])}"
        if of_limit:
            said += f", of the limit {of_limit[0]} {number(of_limit[1])}"
        name = f"{figure.name} [{figure.unit}]"
        values = f"{number(figure.value):>10} {number(figure.limit):>10} {number(ratio(figure)):>6}"
        lines.append(f"{name:58} {values}  {said}".rstrip())
    return "\n".join(lines)


def as_json(figures, skipped=()):
    """Returns the content of bench.json. skipped: why parts were not measured."""
    return {
        "definitions": DEFINITIONS,
        "figures": [{**figure._asdict(), "ratio": ratio(figure), "bar": BARS.get(figure.name)} for figure in figures],
        "missed": missed(figures),
        "skipped": list(skipped),
    }
