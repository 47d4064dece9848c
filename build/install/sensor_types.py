"""Writes the table of sensor types that a board installs: its own choice of records, as a Python module of bytes.

    python3 build/sensor_types.py AHT20 SHT40 > sensor_types.py
    python3 build/sensor_types.py --list                          the project's own types
    python3 build/sensor_types.py --file MORE.json --all > sensor_types.py

    from sensor_bus.records import Records
    import sensor_types
    records = Records(sensor_types.TYPES)

The order of the names is that in which types are tried. What only decoding needs is not in it: the server has that.
docs/sensor-bus.md, "Records".
"""

import argparse
import sys
from pathlib import Path

from build.tools.cache import ROOT
from sensor_bus import loader

OWN = ROOT / "sensor_bus" / "types.json"
_LINE_BYTES = 24


def source(names, files):
    """Returns the text of the module. Args: names: of types, in the order in which they are tried, None: all; files:
    paths of records in JSON; a later one's type takes the place of an earlier one's. Raises: ValueError; OSError."""
    types = {}
    for path in files:
        types.update(loader.types(path.read_bytes()))
    names = list(types) if names is None else names
    for name in names:
        if name not in types:
            raise ValueError(f"there is no type {name}, only {', '.join(types)}")
    table = loader.table([types[name] for name in names])
    lines = [f"    {table[at : at + _LINE_BYTES]!r}" for at in range(0, len(table), _LINE_BYTES)]
    head = f'"""Types of sensors: {", ".join(names)}. Made by build/sensor_types.py."""'
    return "\n".join([head, "", "TYPES = (", *lines, ")", ""])


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="sensor_types.py", description="Write a table of sensor types for boards.")
    parser.add_argument("names", nargs="*", metavar="TYPE", help="types, in the order in which they are tried")
    parser.add_argument("--all", action="store_true", help="all types of the files")
    parser.add_argument("--list", action="store_true", help="print the names that there are")
    parser.add_argument("--file", action="append", type=Path, default=[], help="more records, in JSON")
    options = parser.parse_args(arguments)
    try:
        if options.list:
            names = [name for path in [OWN, *options.file] for name in loader.types(path.read_bytes())]
            print("\n".join(dict.fromkeys(names)))
            return 0
        if bool(options.names) == options.all:
            parser.error("name the types, or say --all")
        print(source(None if options.all else options.names, [OWN, *options.file]), end="")
    except (ValueError, OSError) as error:
        print(f"sensor_types: {error}", file=sys.stderr)
        return 1
    return 0
