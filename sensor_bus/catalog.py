"""What is asked of records when a bus begins, and when a type is added. A board loads this for that, and forgets it."""

from sensor_bus.address import FIRST, LAST
from sensor_bus.loading import half_loaded
from sensor_bus.records import ADDRESSES, LISTS


def number(records, name):
    """Returns the number of a type. Raises: KeyError, which says what names there are."""
    names = [records.name(number) for number in range(len(records))]
    if name not in names:
        raise KeyError("there is no type %r, only %s" % (name, ", ".join(names) or "none"))
    return names.index(name)


def priority(records, address):
    """Returns the scan list of an address, 0..2. A type of priority 0 has its first address in list 0, and its others
    in list 1; a type that was added has all of its addresses in list 0."""
    address &= 0x7F
    found = LISTS - 1
    for number in range(len(records)):
        addresses = bytes(records.field(number, ADDRESSES))
        if address in addresses:
            own = records.entry(number)[0]
            if number >= len(records) - len(records.added):
                own = 0
            elif own == 0 and addresses[0] != address:
                own = 1
            found = min(found, own)
    return found


def scan_lists(records, boost=()):
    """Returns three bytes objects: the addresses FIRST..LAST, each in one of them. Args: records: Records; boost: 7-bit
    addresses that belong into the first. Raises: ValueError: one of them is no address."""
    for address in boost:
        if not isinstance(address, int) or not FIRST <= address <= LAST:
            raise ValueError("scanBoost: an address must be 0x%02x..0x%02x, not %r" % (FIRST, LAST, address))
    lists = [bytearray() for _ in range(LISTS)]
    for address in range(FIRST, LAST + 1):
        lists[0 if address in boost else priority(records, address)].append(address)
    return [bytes(one) for one in lists]


def add(records, record):
    """Add a type, as Records.add has it."""
    try:
        from sensor_bus.loader import entry
    except MemoryError:
        half_loaded("loader")
        raise
    made, added = entry(record, records.infos is not None), records.added
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
