"""From the bytes of a sample to its values, as a record's devInfoJson says.

The order of what is done to a value: it is unpacked (t, at), XOR x, AND m, its sign bit (sb, ss), shifted (s: to the
right, if positive), / d, + a, lut. docs/sensor-bus.md, "Values", has each item. An info comes from a record that was
loaded, or was checked by info.check_info: of any other one the functions may raise what they like.
"""

from struct import calcsize, unpack_from

_ENTITIES = (
    ("&deg;", "\u00b0"), ("&micro;", "\u00b5"), ("&sup2;", "\u00b2"), ("&sup3;", "\u00b3"), ("&percnt;", "%"),
    ("&Omega;", "\u03a9"), ("&ohm;", "\u03a9"), ("&amp;", "&"),
)  # fmt: skip
SIGNED = "bhilq"
UNSIGNED = "BHILQ"
FLOATS = "fd"
# One data point of a FIFO and the next, us, if the record does not say.
_APART_US = 1000
# Larger values, and those that are no number, are in no row of a lut.
_LARGEST = 1e18


def readings(info, data):
    """Returns [(offset_us, {name: value}, invalid)] in order of time: one of a plain sample, any number, also none, of
    a device with a FIFO.

    Args: data: the bytes of a sample without its stamp, the constants behind them.
    offset_us: <= 0, from the stamp: the newest data point of a FIFO is as old as the poll. invalid: tuple of the names
    whose value is outside of its range r, or whose vft is 0, or whose checksum is wrong, or that the sample is too
    short for. The value is there all the same, None if there is no number.
    """
    resp = info.get("resp", {})
    attributes = resp.get("a", ())
    if "c" in resp:
        from sensor_bus.decoders import rows_of

        rows = [_scaled_row(attributes, row) for row in rows_of(resp["c"]["n"], data)]
    else:
        rows = [_row(attributes, data)]
    corrupt = [attribute["n"] for attribute in attributes if "crc8" in attribute and not _crc_fits(attribute, data)]
    apart, count = resp.get("us", _APART_US), len(rows)
    found = []
    for index, row in enumerate(rows):
        values = {attribute["n"]: value for attribute, value in zip(attributes, row)}
        invalid = tuple(
            attribute["n"]
            for attribute in attributes
            if attribute["n"] in corrupt
            or not _is_within(values[attribute["n"]], attribute.get("r"))
            or ("vft" in attribute and not values[attribute["vft"]])
        )
        found.append(((index + 1 - count) * apart, values, invalid))
    return found


def units(info):
    """Returns {name: unit}, "" where there is none, as text: "&deg;C" becomes the sign and C."""
    return {attribute["n"]: unit_text(attribute.get("u", "")) for attribute in _attributes(info)}


def shown(info):
    """Returns the names that are for people, in their order: a record leaves out what only serves to decode (vs)."""
    return [attribute["n"] for attribute in _attributes(info) if attribute.get("vs", True)]


def unit_text(unit):
    for entity, character in _ENTITIES:
        unit = unit.replace(entity, character)
    return unit


def type_of(text):
    """Returns (letter, byte order, count) of an attribute's t: ">h", "3H", "B[9]", "16s". Raises: ValueError."""
    order, rest, count = "<", text, ""
    if rest[:1] in ("<", ">"):
        order, rest = rest[0], rest[1:]
    if rest[1:2] == "[" and rest[-1:] == "]":
        rest, count = rest[0], rest[2:-1] or "0"
    elif len(rest) > 1:
        rest, count = rest[-1:], rest[:-1]
    if len(rest) != 1 or rest not in SIGNED + UNSIGNED + FLOATS + "s":
        raise ValueError("t must be a type as >h, 3H, B[9] or 16s, not %r" % text)
    if count and not (all("0" <= digit <= "9" for digit in count) and len(count) < 4 and int(count)):
        raise ValueError("t: the count of %r is no number" % text)
    return rest, order, int(count or 1)


def format_of(text, unsigned=False):
    """Returns the format for struct of an attribute's t."""
    letter, order, count = type_of(text)
    return "%s%d%s" % (order, count, letter.upper() if unsigned else letter)


def crc8(data, first, count):
    """Returns the checksum of Sensirion and Aosong: CRC-8 with polynomial 0x31, initial value 0xff, not reflected."""
    crc = 0xFF
    for at in range(first, first + count):
        crc ^= data[at]
        for _ in range(8):
            crc = (crc << 1 ^ 0x131) if crc & 0x80 else crc << 1
    return crc


def integer(value):
    """Returns an item that is a number, or a text of hex digits with or without 0x."""
    return int(value, 16) if isinstance(value, str) else value


def _attributes(info):
    return info.get("resp", {}).get("a", ())


def _row(attributes, data):
    """Returns the values in the order of the attributes; None: the data is too short."""
    found, at = [], 0
    for attribute in attributes:
        letter, _, count = type_of(attribute["t"])
        form = format_of(attribute["t"], "m" in attribute)
        size, source, place = calcsize(form), data, attribute.get("at", at)
        if isinstance(place, (list, tuple)):
            source = bytes(data[one] for one in place) if max(place) < len(data) else b""
            place = 0
        elif "at" not in attribute:
            at += size
        if place + size > len(source):
            found.append(None)
        elif letter == "s":
            found.append(_text(bytes(source[place : place + size])))
        else:
            values = [_transformed(attribute, letter, value) for value in unpack_from(form, source, place)]
            found.append(values[0] if count == 1 else values)
    return found


def _text(data):
    data = data.split(b"\0")[0]
    try:
        return str(data, "utf-8")
    except UnicodeError:
        return "".join(chr(byte) for byte in data)


def _transformed(attribute, letter, value):
    if "x" in attribute:
        value ^= integer(attribute["x"])
    if "m" in attribute:
        mask = integer(attribute["m"])
        value &= mask
        if letter in SIGNED and value & (mask + 1) >> 1:
            value -= mask + 1
    if "sb" in attribute:
        sign = 1 << attribute["sb"]
        if value & sign:
            # ss is the weight of the sign bit. Upstream's `ss - value` gives -255.94 for the -0.0625 of an MCP9808.
            value = (value & ~sign) - attribute["ss"] if "ss" in attribute else value - 2 * sign
    shift = attribute.get("s", 0)
    if shift:
        value = value >> shift if shift > 0 else value << -shift
    return _looked_up(attribute, _scaled(attribute, value))


def _scaled(attribute, value):
    if attribute.get("d"):
        value /= attribute["d"]
    if "a" in attribute:
        value += attribute["a"]
    return value


def _scaled_row(attributes, row):
    return [value if value is None else _scaled(attribute, value) for attribute, value in zip(attributes, row)]


def _looked_up(attribute, value):
    default = value
    for row in attribute.get("lut", ()):
        if row["r"] == "":
            default = row["v"]
        elif abs(value) < _LARGEST and _is_in(round(value), row["r"]):
            return row["v"]
    return default


def _is_in(value, ranges):
    return any(first <= value <= last for first, last in ranges_of(ranges))


def ranges_of(text):
    """Returns [(first, last)] of a lut's "42,44-45,0x30". Raises: ValueError."""
    found = []
    for part in text.split(","):
        first, separator, last = part.partition("-")
        found.append((int(first, 0), int(last if separator else first, 0)))
    return found


def _is_within(value, limits):
    if isinstance(value, list):
        return all(_is_within(one, limits) for one in value)
    if value is None:
        return False
    if isinstance(value, str):
        return True
    return value == value and (not limits or limits[0] >= limits[1] or limits[0] <= value <= limits[1])


def _crc_fits(attribute, data):
    first, count = attribute["crc8"]
    return first + count < len(data) and crc8(data, first, count) == data[first + count]
