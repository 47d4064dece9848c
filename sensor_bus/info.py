"""Checks the devInfoJson of a record: what decode.py relies on. docs/sensor-bus.md, "Values"."""

from protocol import const
from sensor_bus.decode import FLOATS, format_of, integer, ranges_of, type_of

MAX_ATTRIBUTES = const(64)
MAX_NAME = const(64)
MAX_TEXT = const(200)
MAX_SAMPLE = const(253)
MAX_SHIFT = const(63)
MAX_ROWS = const(64)  # of a lut
MAX_APART_US = const(10000000)
_LARGEST = 1e30  # of a number: each may be one of 32 bits, and one with a fraction

_DECODERS = ("bme280", "max30101_fifo", "lsm6ds_fifo")
_BITWISE = ("x", "m", "sb", "ss", "s")


def check_info(info, size=None):
    """Raises ValueError, if decode.py cannot work with this devInfoJson. Args: size: bytes of the record's polls, the
    constants among them, which resp.b must be; None: not known."""
    if not isinstance(info, dict):
        raise ValueError("devInfoJson must be an object, not %r" % (info,))
    for key in ("name", "desc", "manu", "type"):
        _text("devInfoJson." + key, info.get(key, ""))
    resp = info.get("resp", {})
    if not isinstance(resp, dict):
        raise ValueError("devInfoJson.resp must be an object, not %r" % (resp,))
    if "b" in resp:
        _number("resp.b", resp["b"], 0, MAX_SAMPLE, True)
        if size is not None and resp["b"] != size:
            raise ValueError("resp.b is %r, but a poll and its constants read up to %d bytes" % (resp["b"], size))
    if "us" in resp:
        _number("resp.us", resp["us"], 1, MAX_APART_US)
    custom = resp.get("c")
    if custom is not None and (not isinstance(custom, dict) or custom.get("n") not in _DECODERS):
        raise ValueError("resp.c.n must be the name of a decoder: %s" % ", ".join(_DECODERS))
    if "c" in resp and custom is None:
        raise ValueError("resp.c must be an object")
    attributes = resp.get("a", [])
    if not isinstance(attributes, list) or len(attributes) > MAX_ATTRIBUTES:
        raise ValueError("resp.a must be a list of at most %d attributes" % MAX_ATTRIBUTES)
    names = []
    for index, attribute in enumerate(attributes):
        name = attribute.get("n") if isinstance(attribute, dict) else None
        if not isinstance(name, str) or not 0 < len(name) <= MAX_NAME or name in names:
            raise ValueError("resp.a[%d] must be an object with a name n of its own, not %r" % (index, name))
        names.append(name)
    size = resp.get("b") if custom is None else None
    for attribute in attributes:
        try:
            _check_attribute(attribute, names, size)
        except ValueError as error:
            raise ValueError("attribute %s: %s" % (attribute["n"], error))
    if custom is None:
        _check_places(attributes, size)


def _check_attribute(attribute, names, size):
    _text("t", attribute.get("t"))
    letter, _, _ = type_of(attribute["t"])
    for key in _BITWISE:
        if key in attribute and letter in FLOATS + "s":
            raise ValueError("%s does not go with the type %s" % (key, attribute["t"]))
    for key in ("x", "m"):
        if key in attribute:
            try:
                _number(key, integer(attribute[key]), 0, (1 << 64) - 1, True)
            except ValueError:
                raise ValueError("%s must be a number, or hex digits as text, not %r" % (key, attribute[key]))
    for key, lowest, highest in (("sb", 0, MAX_SHIFT), ("s", -MAX_SHIFT, MAX_SHIFT), ("ss", 0, 1 << 63)):
        if key in attribute:
            _number(key, attribute[key], lowest, highest, True)
    if "ss" in attribute and "sb" not in attribute:
        raise ValueError("ss needs sb")
    for key in ("d", "a"):
        if key in attribute:
            if letter == "s":
                raise ValueError("%s does not go with the type %s" % (key, attribute["t"]))
            _number(key, attribute[key])
    for key in ("u", "f", "o"):
        _text(key, attribute.get(key, ""))
    if "vft" in attribute and attribute["vft"] not in names:
        raise ValueError("vft must be the name of an attribute, not %r" % (attribute["vft"],))
    if "r" in attribute:
        limits = _list("r", attribute["r"], 2, 2)
        for limit in limits:
            _number("r", limit)
    if "crc8" in attribute:
        first, count = _list("crc8", attribute["crc8"], 2, 2)
        _number("crc8", first, 0, MAX_SAMPLE, True)
        _number("crc8", count, 1, MAX_SAMPLE, True)
        if size is not None and first + count >= size:
            raise ValueError("crc8: its byte is behind the %d bytes of a sample" % size)
    if "lut" in attribute:
        if letter == "s":
            raise ValueError("lut does not go with the type %s" % attribute["t"])
        for row in _list("lut", attribute["lut"], 1, MAX_ROWS):
            if not isinstance(row, dict) or not isinstance(row.get("r"), str):
                raise ValueError('lut must be a list of {"r": "1,2-3", "v": number}')
            _number("lut v", row.get("v"))
            try:
                row["r"] == "" or ranges_of(row["r"])
            except ValueError:
                raise ValueError("lut: %r are no ranges as 1,2-3" % row["r"])


def _check_places(attributes, size):
    """Attributes without `at` stand behind one another; where one ends must be within the sample."""
    from struct import calcsize

    next_at = 0
    for attribute in attributes:
        bytes_of_one = calcsize(format_of(attribute["t"]))
        place = attribute.get("at", next_at)
        if isinstance(place, list):
            _list("at", place, bytes_of_one, bytes_of_one)
            for one in place:
                _number("attribute %s: at" % attribute["n"], one, 0, MAX_SAMPLE - 1, True)
            end = max(place) + 1
        else:
            _number("attribute %s: at" % attribute["n"], place, 0, MAX_SAMPLE - 1, True)
            end = place + bytes_of_one
            if "at" not in attribute:
                next_at = end
        if end > (MAX_SAMPLE if size is None else size):
            raise ValueError(
                "attribute %s ends at byte %d of a sample that has %r" % (attribute["n"], end, size or MAX_SAMPLE)
            )


def _text(item, value):
    if not isinstance(value, str) or len(value) > MAX_TEXT:
        raise ValueError("%s must be a text of at most %d characters, not %r" % (item, MAX_TEXT, value))


def _list(item, value, least, most):
    if not isinstance(value, list) or not least <= len(value) <= most:
        count = "%d" % most if least == most else "%d..%d" % (least, most)
        raise ValueError("%s must be a list of %s, not %r" % (item, count, value))
    return value


def _number(item, value, lowest=None, highest=None, whole=False):
    kinds = (int,) if whole else (int, float)
    good = isinstance(value, kinds) and not isinstance(value, bool)
    if not good or not -_LARGEST <= value <= _LARGEST or (lowest is not None and not lowest <= value <= highest):
        bounds = "" if lowest is None else " %d..%d" % (lowest, highest)
        raise ValueError("%s must be a%s number%s, not %r" % (item, " whole" if whole else "", bounds, value))
