"""devbin: samples of a bus as bytes, as raftjs reads them. Pure. JSON: devjson.py; the other way: devbin.py.

    magic       1   0xdb
    topic       1   0..254; 255: none
    sequence    1   of the envelope, wraps
    devices     each:
        length  2   of what follows, at least 8
        status  1   bit 7: online, bit 6: pending deletion, bits 0-3: number of the bus
        address 4   with its slot: address.py
        type    2
        sequence  1 of the device's records, wraps
        samples     each: length 1, then stamp 2 (units of 100 us) and the bytes that were read

Numbers are big-endian. Here a device is a tuple (address, type, status, sequence, [(stamp, bytes)]).
"""

from struct import pack

from protocol import const

MAGIC = const(0xDB)
# Status of a device, as devjson writes it.
OFFLINE = const(0)
ONLINE = const(1)
PENDING_DELETION = const(2)  # it is gone: the last that is told of it

ENVELOPE = const(3)
DEVICE_HEAD = const(10)
SAMPLE_HEAD = const(3)  # length and stamp
MAX_DATA = const(253)  # of a sample
MAX_RECORD = const(0xFFFF)
MAX_BUS = const(15)
MAX_TYPE = const(0xFFFF)
MAX_STAMP = const(0xFFFF)

STAMP = const(2)  # bytes
ONLINE_BIT = const(0x80)
DELETION_BIT = const(0x40)
HEAD = ">HBIHB"


def encode_devbin(topic, sequence, bus, devices):
    """Returns the bytes. Args: topic, sequence: 0..255; bus: 0..15. Raises: ValueError: a number or a sample is out of
    its bounds."""
    check("topic", topic, 0xFF)
    check("sequence", sequence, 0xFF)
    check("bus", bus, MAX_BUS)
    parts = [bytes((MAGIC, topic, sequence))]
    for address, number, status, device_sequence, samples in devices:
        check_device(address, number, status, samples)
        check("device sequence", device_sequence, 0xFF)
        size = devbin_size([len(data) for _, data in samples]) - 2
        if size > MAX_RECORD:
            raise ValueError("the samples of device %x have %d bytes, at most %d go" % (address, size, MAX_RECORD))
        bits = bus | (ONLINE_BIT if status == ONLINE else DELETION_BIT if status == PENDING_DELETION else 0)
        parts.append(pack(HEAD, size, bits, address, number, device_sequence))
        for stamp, data in samples:
            parts.append(pack(">BH", STAMP + len(data), stamp))
            parts.append(bytes(data))
    return b"".join(parts)


def devbin_size(sizes):
    """Returns the bytes of one device's record. Args: sizes: of its samples, without their stamps."""
    return DEVICE_HEAD + sum(sizes) + SAMPLE_HEAD * len(sizes)


def decode_devbin(data):
    """Returns what devbin.py's does; a board that only publishes does not load it. Raises: ValueError."""
    from sensor_bus.devbin import decode_devbin

    return decode_devbin(data)


def check_device(address, number, status, samples):
    check("address", address, 0x7FFF)
    check("type", number, MAX_TYPE)
    check("status", status, PENDING_DELETION)
    for stamp, data in samples:
        check("stamp", stamp, MAX_STAMP)
        check("bytes of a sample", len(data), MAX_DATA)


def check(item, value, highest):
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= highest:
        raise ValueError("%s must be 0..%d, not %r" % (item, highest, value))
