"""devjson: samples of a bus as JSON, as raftjs reads them. Pure.

It is one object. The hex samples of a device have one size, zeros behind what was read; each begins with its stamp:

    {"_t": topic, "_v": 1, "1": {"76a": {"x": "hex", "_o": status, "_i": type}}}

A device is the tuple of publish.py.
"""

from binascii import hexlify, unhexlify

from protocol import const
from protocol.strict_json import decode_json
from sensor_bus.address import parse_address
from sensor_bus.publish import MAX_BUS, MAX_TYPE, PENDING_DELETION, STAMP, check, check_device

JSON_VERSION = const(1)


def encode_devjson(topic, bus, devices, sizes):
    """Returns the text. Args: topic: 0..255; bus: 0..15; sizes: {type: bytes of its samples}, as resp.b: a sample that
    is shorter gets zeros. Raises: ValueError: a number or a sample is out of its bounds."""
    check("topic", topic, 0xFF)
    check("bus", bus, MAX_BUS)
    parts = []
    for address, number, status, _, samples in devices:
        check_device(address, number, status, samples)
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
    found = decode_json(text.encode() if isinstance(text, str) else text)
    if not isinstance(found, dict) or found.get("_v", JSON_VERSION) != JSON_VERSION:
        raise ValueError("devjson is an object of version %d" % JSON_VERSION)
    topic, devices = found.get("_t"), []
    check("devjson: _t", topic, 0xFF)
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
            check("devjson: _i", number, MAX_TYPE)
            check("devjson: _o", status, PENDING_DELETION)
            samples = _hex_samples(name, device.get("x", ""), sizes.get(number))
            devices.append((int(bus), address, number, status, samples))
    return topic, devices


def _hex_samples(name, text, size):
    try:
        data = unhexlify(text.encode())
    except (ValueError, AttributeError):
        raise ValueError("devjson: x of device %s must be hex digits" % name)
    if data and (size is None or len(data) % (STAMP + size)):
        raise ValueError("devjson: device %s has %d bytes of samples of %r each" % (name, len(data), size))
    step = STAMP + (size or 0)
    return [(data[at] << 8 | data[at + 1], data[at + STAMP : at + step]) for at in range(0, len(data), step)]
