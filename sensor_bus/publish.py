"""devbin and devjson: samples of a bus as bytes and as JSON, as raftjs reads them. Pure.

devbin:

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

Numbers are big-endian. devjson is one object; its hex samples of a device have one size, zeros behind what was read:

    {"_t": topic, "_v": 1, "1": {"76a": {"x": "hex", "_o": status, "_i": type}}}

Here a device is a tuple (address, type, status, sequence, [(stamp, bytes)]).
"""

from binascii import hexlify, unhexlify
from struct import pack, unpack_from

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
JSON_VERSION = const(1)

_STAMP = const(2)
_ONLINE_BIT = const(0x80)
_DELETION_BIT = const(0x40)
_HEAD = ">HBIHB"
_LEAST_RECORD = const(8)


def encode_devbin(topic, sequence, bus, devices):
    """Returns the bytes. Args: topic, sequence: 0..255; bus: 0..15. Raises: ValueError: a number or a sample is out of
    its bounds."""
    _check("topic", topic, 0xFF)
    _check("sequence", sequence, 0xFF)
    _check("bus", bus, MAX_BUS)
    parts = [bytes((MAGIC, topic, sequence))]
    for address, number, status, device_sequence, samples in devices:
        _check_device(address, number, status, samples)
        _check("device sequence", device_sequence, 0xFF)
        size = devbin_size([len(data) for _, data in samples]) - 2
        if size > MAX_RECORD:
            raise ValueError("the samples of device %x have %d bytes, at most %d go" % (address, size, MAX_RECORD))
        bits = bus | (_ONLINE_BIT if status == ONLINE else _DELETION_BIT if status == PENDING_DELETION else 0)
        parts.append(pack(_HEAD, size, bits, address, number, device_sequence))
        for stamp, data in samples:
            parts.append(pack(">BH", _STAMP + len(data), stamp))
            parts.append(bytes(data))
    return b"".join(parts)


def devbin_size(sizes):
    """Returns the bytes of one device's record. Args: sizes: of its samples, without their stamps."""
    return DEVICE_HEAD + sum(sizes) + SAMPLE_HEAD * len(sizes)


def decode_devbin(data):
    """Returns (topic, sequence, [(bus, address, type, status, device sequence, [(stamp, bytes)])]).

    Raises: ValueError: it is no devbin of this version; the text names the byte."""
    if len(data) < ENVELOPE or data[0] != MAGIC:
        raise ValueError("devbin begins with 0x%02x and has %d bytes at least" % (MAGIC, ENVELOPE))
    devices, at = [], ENVELOPE
    while at < len(data):
        if at + DEVICE_HEAD > len(data):
            raise ValueError("devbin at byte %d: a device's record is cut" % at)
        size, bits, address, number, sequence = unpack_from(_HEAD, data, at)
        end = at + 2 + size
        if size < _LEAST_RECORD or end > len(data):
            raise ValueError("devbin at byte %d: a device's record of %d bytes is cut" % (at, size))
        status = PENDING_DELETION if bits & _DELETION_BIT else ONLINE if bits & _ONLINE_BIT else OFFLINE
        at += DEVICE_HEAD
        samples = []
        while at < end:
            size = data[at]
            if size < _STAMP or at + 1 + size > end:
                raise ValueError("devbin at byte %d: a sample of %d bytes is cut" % (at, size))
            samples.append((data[at + 1] << 8 | data[at + 2], bytes(data[at + SAMPLE_HEAD : at + 1 + size])))
            at += 1 + size
        devices.append((bits & MAX_BUS, address, number, status, sequence, samples))
    return data[1], data[2], devices


def encode_devjson(topic, bus, devices, sizes):
    """Returns the text. Args: topic: 0..255; bus: 0..15; sizes: {type: bytes of its samples}, as resp.b: a sample that
    is shorter gets zeros. Raises: ValueError: a number or a sample is out of its bounds."""
    _check("topic", topic, 0xFF)
    _check("bus", bus, MAX_BUS)
    parts = []
    for address, number, status, _, samples in devices:
        _check_device(address, number, status, samples)
        size, text = sizes.get(number), ""
        if size is None:
            raise ValueError("the size of the samples of type %d is not known" % number)
        for stamp, data in samples:
            if len(data) > size:
                raise ValueError("a sample of device %x has %d bytes, its type %d" % (address, len(data), size))
            text += "%04x" % stamp + str(hexlify(bytes(data)), "utf-8") + "00" * (size - len(data))
        parts.append('"%x":{"x":"%s","_o":%d,"_i":%d}' % (address, text, status, number))
    return '{"_t":%d,"_v":%d,"%d":{%s}}' % (topic, JSON_VERSION, bus, ",".join(parts))


def decode_devjson(text, sizes):
    """Returns (topic, [(bus, address, type, status, [(stamp, bytes)])]).

    Args: text: str or bytes; sizes: as of encode_devjson. Raises: ValueError: it is no devjson of this version."""
    from protocol.strict_json import decode_json
    from sensor_bus.address import parse_address

    found = decode_json(text.encode() if isinstance(text, str) else text)
    if not isinstance(found, dict) or found.get("_v", JSON_VERSION) != JSON_VERSION:
        raise ValueError("devjson is an object of version %d" % JSON_VERSION)
    topic, devices = found.get("_t"), []
    _check("devjson: _t", topic, 0xFF)
    for bus, members in found.items():
        if bus[:1] == "_":
            continue
        if len(bus) > 2 or not bus.isdigit() or int(bus) > MAX_BUS or not isinstance(members, dict):
            raise ValueError("devjson: %r is no bus 0..%d" % (bus, MAX_BUS))
        for name, device in members.items():
            address = parse_address(name)
            if not isinstance(device, dict):
                raise ValueError("devjson: device %s must be an object" % name)
            number, status = device.get("_i"), device.get("_o")
            _check("devjson: _i", number, MAX_TYPE)
            _check("devjson: _o", status, PENDING_DELETION)
            samples = _hex_samples(name, device.get("x", ""), sizes.get(number))
            devices.append((int(bus), address, number, status, samples))
    return topic, devices


def _hex_samples(name, text, size):
    try:
        data = unhexlify(text.encode())
    except (ValueError, AttributeError):
        raise ValueError("devjson: x of device %s must be hex digits" % name)
    if data and (size is None or len(data) % (_STAMP + size)):
        raise ValueError("devjson: device %s has %d bytes of samples of %r each" % (name, len(data), size))
    step = _STAMP + (size or 0)
    return [(data[at] << 8 | data[at + 1], data[at + _STAMP : at + step]) for at in range(0, len(data), step)]


def _check_device(address, number, status, samples):
    _check("address", address, 0x7FFF)
    _check("type", number, MAX_TYPE)
    _check("status", status, PENDING_DELETION)
    for stamp, data in samples:
        _check("stamp", stamp, MAX_STAMP)
        _check("bytes of a sample", len(data), MAX_DATA)


def _check(item, value, highest):
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= highest:
        raise ValueError("%s must be 0..%d, not %r" % (item, highest, value))
