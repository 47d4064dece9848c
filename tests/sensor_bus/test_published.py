"""The published records decode as their `resp` says: against a decoder that is written here, after its document.

It works as the JavaScript consumer does, with numbers of 32 bits without sign, and knows nothing of sensor_bus. Where
that consumer is wrong, this says so, and compares nothing.
"""

import json
import random
from pathlib import Path

import pytest

from sensor_bus.decode import readings
from sensor_bus.loader import load
from sensor_bus.records import DETECTION
from tests.sensor_bus.programs import matching

MICROPYTHON = False
MICROPYTHON_REASON = "loads the file of all records, whose order MicroPython's dicts do not keep"

FILE = Path(__file__).parent / "DeviceTypeRecords.json"
TYPES = json.loads(FILE.read_text(encoding="utf-8"))["devTypes"]
OWN = json.loads((FILE.parent.parent.parent / "sensor_bus" / "types.json").read_text(encoding="utf-8"))["devTypes"]
SIZES = {"b": 1, "h": 2, "i": 4, "l": 4, "q": 8}
SAMPLES = 200


def plain(attribute, data, at):
    """Returns (value, place of the next attribute) of one number."""
    kind = attribute["t"].strip("<>")
    size, order = SIZES[kind.lower()], "big" if attribute["t"][0] == ">" else "little"
    start = attribute.get("at", at)
    signed = kind.islower() and "m" not in attribute
    value = int.from_bytes(data[start : start + size], order, signed=signed)
    if "x" in attribute:
        value = (value & 0xFFFFFFFF) ^ int(attribute["x"], 16)
    if "m" in attribute:
        value &= int(attribute["m"], 16)
    if "sb" in attribute and value & 1 << attribute["sb"]:
        value = attribute["ss"] - value if "ss" in attribute else value - (2 << attribute["sb"])
    if attribute.get("s"):
        value = (value & 0xFFFFFFFF) >> attribute["s"]
    if attribute.get("d"):
        value = value / attribute["d"]
    return value + attribute.get("a", 0), at if "at" in attribute else at + size


def all_of(attributes, data):
    found, at = {}, 0
    for attribute in attributes:
        found[attribute["n"]], at = plain(attribute, data, at)
    return found


def out_of_range(attributes, found):
    names = []
    for attribute in attributes:
        low, high = attribute.get("r", (0, 0))
        if low < high and not low <= found[attribute["n"]] <= high or not found.get(attribute.get("vft"), 1):
            names.append(attribute["n"])
    return tuple(names)


@pytest.fixture(scope="module")
def records():
    return load(FILE.read_bytes())


@pytest.mark.parametrize("name", [name for name in TYPES if "c" not in TYPES[name]["devInfoJson"].get("resp", {})])
def test_each_plain_record_decodes_as_it_says(name, records):
    info = TYPES[name]["devInfoJson"]
    resp = info.get("resp", {})
    generator = random.Random(name)
    size = resp.get("b", 0)
    assert records.size(records.number(name)) == size
    for _ in range(SAMPLES):
        data = generator.randbytes(size)
        ((offset, values, invalid),) = readings(info, data)
        wanted = all_of(resp.get("a", ()), data)
        if name == "MCP9808" and data[0] & 0x10:  # the consumer gives -255.94 for -0.0625; see test_decode.py
            assert values["temperature"] == (int.from_bytes(data, "big") % 0x2000 - 0x2000) / 16
            continue
        assert (offset, values, invalid) == (0, wanted, out_of_range(resp.get("a", ()), wanted))


@pytest.mark.parametrize("name", [name for name in OWN if "c" not in OWN[name]["devInfoJson"]["resp"]])
def test_the_consumer_gets_the_same_values_from_our_own_records(name):
    info, generator = OWN[name]["devInfoJson"], random.Random(name)
    attributes = [attribute for attribute in info["resp"]["a"] if "lut" not in attribute]
    for _ in range(SAMPLES):
        data = generator.randbytes(info["resp"]["b"])
        ((_, values, _),) = readings(info, data)
        at = 1 if name == "VL53L4CD" else 0  # behind the one with the lut
        assert {one["n"]: values[one["n"]] for one in attributes} == all_of(attributes, data[at:])


def test_the_published_fifo_of_the_max30101_decodes_as_its_pseudocode():
    info, generator = TYPES["MAX30101"]["devInfoJson"], random.Random(1)
    for _ in range(SAMPLES):
        points = generator.randrange(9)
        read = generator.randrange(32)
        data = bytes(((read + points) % 32, 0, read)) + generator.randbytes(48)
        rows, k = [], 3
        for _ in range(points):
            red, infrared = (int.from_bytes(data[at : at + 3], "big") for at in (k, k + 3))
            rows.append({"Red": red, "IR": infrared})
            k += 6
        found = readings(info, data)
        assert [values for _, values, _ in found] == rows
        assert [offset for offset, _, _ in found] == [-40000 * (points - 1 - index) for index in range(points)]


def test_the_published_fifo_of_the_lsm6ds_decodes_as_its_pseudocode():
    info, generator = TYPES["LSM6DS"]["devInfoJson"], random.Random(2)
    names = [attribute["n"] for attribute in info["resp"]["a"]]
    divisors = [attribute["d"] for attribute in info["resp"]["a"]]
    for _ in range(SAMPLES):
        buf = bytes((generator.randrange(256), generator.choice((0, 0x10)), generator.randrange(6), 0))
        buf += generator.randbytes(240)
        words, skip = (buf[1] & 0x0F) << 8 | buf[0], (6 - buf[2] % 6) % 6
        count = max(0, min((words - skip) // 6, (240 - skip * 2) // 12))
        k, rows = 4 + skip * 2, []
        for _ in range(count):
            raw = [int.from_bytes(buf[k + 2 * at : k + 2 * at + 2], "little", signed=True) for at in range(6)]
            rows.append({name: value / divisor for name, value, divisor in zip(names, raw, divisors)})
            k += 12
        assert [values for _, values, _ in readings(info, buf)] == rows


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("VCNL4040", ["8601"], ["8800"]), ("VCNL4040", ["860f"], ["8610"]),
        ("MCP9808", ["0054", "0400"], ["0054", "0300"]),
        ("MCP9808", ["0054", "04ff"], ["0054", "8888"]), ("M5Encoder", ["00ff"], ["1111"]),
        ("M5Encoder", ["01ff"], ["02ff"]),
        ("AS5600", ["03"], ["04"]), ("LPS25", ["bd"], ["ff"]), ("ADXL313", ["ad1d"], ["ad1c"]),
        ("TrillBar", ["0001"], ["0002"]),
        ("TrillBar", ["ff01"], ["ff03"]), ("VEML7700", ["81c4"], ["81c5"]), ("VEML7700", ["81d4"], ["81e4"]),
        ("CAP1188", ["50", "5d"], ["50", "5c"]), ("QwiicButton", ["5d"], ["5c"]),
        ("VL53L4CD", ["eb", "aa"], ["eb", "ab"]),
    ],
)  # fmt: skip
def test_published_detections_take_the_devices_that_their_text_means(name, good, bad, records):
    """Upstream's own parser takes none of a VCNL4040, an MCP9808 and an M5Encoder, and one of four AS5600s."""
    program = records.field(records.number(name), DETECTION)
    assert matching(program, *good)
    assert not matching(program, *bad)


def test_empty_detections_take_anything(records):
    empty = [name for name in TYPES if not len(records.field(records.number(name), DETECTION))]
    assert empty == ["VEML6040", "AHT20", "SHT40", "MT6701", "QwiicLEDStick", "HX711", "BLEBTHome"]
