"""How fast the link is, and what it costs: `make bench`.

    python3 -m build.bench [--json FILE] [PART ..]

Parts: wire, times (both exact, on the virtual bed), boards (counts of a 32-bit MicroPython). Without any all are
measured. Prints a table, writes FILE
(bench.json), and ends with status 1 if a bar of build/bench_bars.py is missed. docs/measurements.md has the method.
"""

import argparse
import json
import sys
import time
from pathlib import Path

from build import bench_boards, bench_times, bench_wire
from build.bench_figures import as_json, missed, table

PARTS = {"wire": bench_wire.measure, "times": bench_times.measure, "boards": bench_boards.measure}


def measure(parts):
    figures = []
    for part in parts:
        began = time.monotonic()
        figures += PARTS[part]()
        print(f" {part}: {time.monotonic() - began:.0f} s", file=sys.stderr)
    return figures


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="python3 -m build.bench", description=__doc__.split("\n")[0])
    parser.add_argument("--json", default="bench.json", metavar="FILE", help="where the figures go (bench.json)")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"what to measure: {', '.join(PARTS)}; all if none")
    options = parser.parse_args(arguments)
    unknown = set(options.parts) - set(PARTS)
    if unknown:
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    figures = measure(options.parts or PARTS)
    Path(options.json).write_text(json.dumps(as_json(figures), indent=1) + "\n")
    print(table(figures))
    wrong = missed(figures)
    print("\n" + ("\n".join(["Bars that are missed:", *wrong]) if wrong else "No bar is missed."))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
