"""The types of devices that a bus knows: their addresses, programs and intervals.

    records = Records(sensor_types.TYPES)

A table is bytes, made by build/sensor_types.py from records in JSON, so that a board with ROMFS leaves it in its flash:

    version     1   1
    count       1   types
    types       each: length 2, then
        priority    1   0..2: of its first address in the scan
        samples     1   kept for a slow reader
        interval    4   of its polls, us; 0: it is not polled
        name, addresses, detection, init, poll, constants: each length 2, then its bytes

Numbers are little-endian. The four last fields are programs: steps.py. A type's number is its place: first the table,
then those that were added while it runs. docs/sensor-bus.md, "Records".
"""

from protocol import const
from sensor_bus.loading import load

VERSION = const(1)
MAX_TYPES = const(255)  # of a table
MAX_RUNTIME = const(20)  # types that are added while it runs
LISTS = const(3)  # of the scan

# The first is the one behind the fixed part of HEAD bytes.
NAME = const(0)
ADDRESSES = const(1)
DETECTION = const(2)
INIT = const(3)
POLL = const(4)
CONSTANTS = const(5)
HEAD = const(6)


def standard_records():
    """Returns Records of all of this project's own types, with what decodes them. For CPython: a board has a table."""
    return load("loader").own()


class Records:
    """Args: table: bytes; infos: {name: devInfoJson} of the types, which is then kept of added types too, or None, as
    on boards; runtime: how many types may be added. Raises: ValueError: the table is not of this release."""

    def __init__(self, table=b"\x01\x00", infos=None, *, runtime=MAX_RUNTIME):
        if len(table) < 2 or table[0] != VERSION:
            raise ValueError("the table of types is not of this release: make it anew with build/sensor_types.py")
        self._table = memoryview(table)
        self.infos = infos
        self.added = []  # entries
        self.most = runtime

    def __len__(self):
        return self._table[1] + len(self.added)

    def name(self, number):
        """Returns the name of a type. Raises: IndexError: there is no such number."""
        return str(bytes(self.field(number, NAME)), "utf-8")

    def number(self, name):
        """Returns the number of a type. Raises: KeyError, which says what names there are."""
        return load("catalog").number(self, name)

    def candidates(self, address):
        """Yields the numbers of the types that a device at this address may be, in the order in which they are tried:
        those that were added, then those of the table. Args: address: its slot, if it has one, does not count."""
        address &= 0x7F
        first = self._table[1]
        for number in range(first, len(self)):
            if address in bytes(self.field(number, ADDRESSES)):
                yield number
        for number in range(first):
            if address in bytes(self.field(number, ADDRESSES)):
                yield number

    def size(self, number):
        """Returns the most bytes of a sample, without its stamp and the constants."""
        poll = self.field(number, POLL)
        return poll[0] if len(poll) else 0

    def interval_us(self, number):
        """Returns the time between polls, 0: no polls."""
        entry = self.entry(number)
        return entry[2] | entry[3] << 8 | entry[4] << 16 | entry[5] << 24

    def samples(self, number):
        """Returns how many samples are kept for a slow reader."""
        return self.entry(number)[1]

    def add(self, record):
        """Add a type while it runs. Args: record: dict, as a record in JSON. Returns: its number; adding the same
        record again returns the same. Raises: ValueError: the record is bad, its name is taken, or there are too many.
        """
        return load("catalog").add(self, record)

    def info(self, number):
        """Returns the devInfoJson of a type, None where it was left out, as on boards."""
        name = self.name(number)
        return None if self.infos is None else self.infos.get(name)

    def info_by_name(self, name):
        """Returns the devInfoJson of a type, or None. Raises: KeyError: there is no such type."""
        return self.info(self.number(name))

    def entry(self, number):
        """Returns what is behind the length of a type's entry, and all that follows."""
        table = self._table
        if not 0 <= number < len(self):
            raise IndexError("there is no type %d: there are %d" % (number, len(self)))
        if number >= table[1]:
            return memoryview(self.added[number - table[1]])
        at = 2
        for _ in range(number):
            at += 2 + (table[at] | table[at + 1] << 8)
        return table[at + 2 :]

    def field(self, number, field):
        """Returns one of a type's fields, NAME to CONSTANTS: bytes or memoryview. The programs are for steps.py: that
        of a poll is empty if there are none; that of the constants reads what stands behind the bytes of each sample.
        """
        entry, at = self.entry(number), HEAD
        for _ in range(field):
            at += 2 + (entry[at] | entry[at + 1] << 8)
        return entry[at + 2 : at + 2 + (entry[at] | entry[at + 1] << 8)]
