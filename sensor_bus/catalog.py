"""What is asked of records when a bus begins, and when a type is added. A board loads this for that, and forgets it."""

from sensor_bus.address import FIRST, LAST
from sensor_bus.loading import load
from sensor_bus.records import ADDRESSES, LISTS


def number(records, name):
    """Returns the number of a type. Raises: KeyError, which says what names there are."""
    names = [records.name(number) for number in range(len(records))]
    if name not in names:
        raise KeyError("there is no type %r, only %s" % (name, ", ".join(names) or "none"))
    return names.index(name)


def priorities(records):
    """Returns a bytearray: the scan list, 0..2, of each address. A type of priority 0 has its first address in list 0,
    and its others in list 1; a type that was added has all of its addresses in list 0."""
    found = bytearray(bytes((LISTS - 1,)) * (LAST + 1))  # MicroPython multiplies no bytearray
    for number in range(len(records)):
        own = records.entry(number)[0]
        if number >= len(records) - len(records.added):
            first = own = 0
        else:
            first, own = own, max(own, 1)
        for address in bytes(records.field(number, ADDRESSES)):
            found[address] = min(found[address], first)
            first = own
    return found


def scan_lists(records, boost=()):
    """Returns three bytes objects: the addresses FIRST..LAST, each in one of them. Args: records: Records; boost: 7-bit
    addresses that belong into the first. Raises: ValueError: one of them is no address."""
    for address in boost:
        if not isinstance(address, int) or not FIRST <= address <= LAST:
            raise ValueError("scanBoost: an address must be 0x%02x..0x%02x, not %r" % (FIRST, LAST, address))
    lists, priority = [bytearray() for _ in range(LISTS)], priorities(records)
    for address in range(FIRST, LAST + 1):
        lists[0 if address in boost else priority[address]].append(address)
    return [bytes(one) for one in lists]


def add(records, record):
    """Add a type, as Records.add has it."""
    made, added = load("loader").entry(record, records.infos is not None), records.added
    if made not in added:
        name = record["deviceType"]
        if name in [records.name(number) for number in range(len(records))]:
            raise ValueError("record %s: there is a type of this name" % name)
        if len(added) >= records.most:
            raise ValueError("record %s: %d types were added already, more do not go" % (name, records.most))
        added.append(made)
        if records.infos is not None and "devInfoJson" in record:
            records.infos[name] = record["devInfoJson"]
    return len(records) - len(added) + added.index(made)
