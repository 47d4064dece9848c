"""Counts what bridge and client execute, in the instruction sets of their chips: `make bench-chip`.

    python3 -m build.chip [--json FILE] [PART ..]

Parts: bridge (the ESP8266's lx106), client (a Pyboard's Cortex-M4), both counted in emulators, exactly; model (speed
and delays that follow from such counts, on the virtual bed). Without any all are measured. Prints a table, writes FILE
(bench-chip.json), and ends with status 1 if the table of counts in sim/virtual/costs.py is off by more than 8 %. A part
that cannot be measured on this machine is skipped, and the reason is printed; with CI set that is an error.
docs/measurements.md has the method.
"""

import argparse
import json
import sys
import time
from pathlib import Path

from build.bench.figures import ordered, ratio, table
from build.chip import bridge, client, model
from build.tools import debian
from build.tools.shell import BuildError, say
from sim.virtual.costs import COUNTED

PARTS = {"bridge": bridge.measure, "client": client.measure, "model": model.measure}
DEFINITIONS = {bridge.SECTION: bridge.DEFINITION, client.SECTION: client.DEFINITION, **model.DEFINITIONS}
_FILE = "bench-chip.json"


def measure(parts):
    """Returns (the figures of these parts, why others of them were not measured)."""
    figures, skipped = [], []
    for part in parts:
        began = time.monotonic()
        try:
            figures += PARTS[part]()
        except BuildError as error:
            if debian.in_ci():
                raise
            skipped.append(f"{part}: {error}")
        say(f" {part}: {time.monotonic() - began:.0f} s")
    return ordered(figures, DEFINITIONS), skipped


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="python3 -m build.chip", description=__doc__.split("\n")[0])
    parser.add_argument("--json", default=_FILE, metavar="FILE", help=f"where the figures go ({_FILE})")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"what to measure: {', '.join(PARTS)}; all if none")
    options = parser.parse_args(arguments)
    unknown = set(options.parts) - set(PARTS)
    if unknown:
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    try:
        figures, skipped = measure(options.parts or PARTS)
    except BuildError as error:
        say(f"bench-chip: {error}")
        return 1
    wrong = model.outdated(figures)
    written = {
        "definitions": DEFINITIONS,
        "figures": [{**figure._asdict(), "ratio": ratio(figure)} for figure in figures],
        "outdated": wrong,
        "skipped": skipped,
    }
    Path(options.json).write_text(json.dumps(written, indent=1) + "\n")
    print(table(figures, DEFINITIONS, {name: ("table:", constant) for name, constant in COUNTED.items()}))
    if skipped:
        print("\n" + "\n".join(["Parts that are not measured:", *skipped]))
    print("\n" + ("\n".join(["Constants that are off:", *wrong]) if wrong else "The table of counts is right."))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
