"""Measures how fast the link is, and what it costs: `make bench`.

    python3 -m build.bench [--json FILE] [PART ..]

Parts: wire, channels, beside, times, i2c (exact, on the virtual bed), boards, ram (of each module of client and
bridge), sensors (what their bus reaches, on the virtual bed, and its RAM), allocations, instructions (counts of a
32-bit MicroPython), server (depends on this machine). Without any all are measured. Prints a table, writes FILE
(bench.json), and ends with status 1 if a bar of build/bench/bars.py is missed. A part that cannot be measured on this
machine is skipped, and the reason is printed; with CI set that is an error. docs/measurements.md has the method.
"""

import argparse
import json
import sys
import time
from pathlib import Path

from build.bench import beside, boards, channels, counts, i2c, ram, sensor_bus, sensors, server, times, wire
from build.bench.figures import as_json, missed, ordered, table
from build.tools import debian
from build.tools.shell import BuildError, say

PARTS = {
    "wire": wire.measure,
    "channels": channels.measure,
    "beside": beside.measure,
    "times": times.measure,
    "i2c": i2c.measure,
    "boards": boards.measure,
    "ram": ram.measure,
    "sensors": lambda: [*sensor_bus.measure(), *sensors.measure()],
    "allocations": counts.allocations,
    "instructions": counts.instructions,
    "server": server.measure,
}


def measure(parts):
    """Returns (the figures of these parts, why others of them were not measured)."""
    figures, skipped = [], []
    for part in parts:
        began = time.monotonic()
        try:
            figures += list(PARTS[part]())
        except BuildError as error:
            if debian.in_ci():
                raise
            skipped.append(f"{part}: {error}")
        say(f" {part}: {time.monotonic() - began:.0f} s")
    return ordered(figures), skipped


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="python3 -m build.bench", description=__doc__.split("\n")[0])
    parser.add_argument("--json", default="bench.json", metavar="FILE", help="where the figures go (bench.json)")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"what to measure: {', '.join(PARTS)}; all if none")
    options = parser.parse_args(arguments)
    unknown = set(options.parts) - set(PARTS)
    if unknown:
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    try:
        figures, skipped = measure(options.parts or PARTS)
    except BuildError as error:
        say(f"bench: {error}")
        return 1
    Path(options.json).write_text(json.dumps(as_json(figures, skipped), indent=1) + "\n")
    print(table(figures))
    if skipped:
        print("\n" + "\n".join(["Parts that are not measured:", *skipped]))
    wrong = missed(figures, whole=not (options.parts or skipped))
    print("\n" + ("\n".join(["Bars that are missed:", *wrong]) if wrong else "No bar is missed."))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
