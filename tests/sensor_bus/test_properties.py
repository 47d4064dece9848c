"""Properties of the grammar, records, decoding and publishing, for arguments that hypothesis finds."""

import copy
import json
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sensor_bus.address import address_text, join, parse_address
from sensor_bus.decode import readings
from sensor_bus.devjson import decode_devjson, encode_devjson
from sensor_bus.grammar import MAX_PROGRAM, MAX_READ, detection_program, steps_program
from sensor_bus.info import check_info
from sensor_bus.loader import entry, load
from sensor_bus.publish import MAX_DATA, decode_devbin, devbin_size, encode_devbin
from sensor_bus.steps import Steps
from tests.sensor_bus.programs import listed

MICROPYTHON = False
MICROPYTHON_REASON = "needs hypothesis"

FILE = Path(__file__).parent / "DeviceTypeRecords.json"
OWN = Path(__file__).resolve().parent.parent.parent / "sensor_bus" / "types.json"
RECORDS = [record for path in (FILE, OWN) for record in json.loads(path.read_bytes())["devTypes"].values()]

hexes = st.binary(min_size=1, max_size=30).map(bytes.hex)
step_parts = st.tuples(hexes | st.just(""), st.integers(0, 20), st.integers(0, 9999))
values = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
values |= st.lists(st.integers(), max_size=3)
samples = st.lists(st.tuples(st.integers(0, 65535), st.binary(max_size=MAX_DATA)), max_size=5)
devices = st.lists(
    st.tuples(
        st.builds(join, st.integers(4, 0x77), st.integers(0, 64)), st.integers(0, 65535), st.integers(0, 2),
        st.integers(0, 255), samples,
    ),
    max_size=4, unique_by=lambda device: device[0],
)  # fmt: skip


@given(st.lists(step_parts, max_size=8))
def test_the_steps_that_are_written_are_those_that_run(parts):
    texts, wanted = [], []
    for write, size, pause in parts:
        items = ([f"r{size}"] if size else []) + ([f"p{pause}"] if pause else [])
        texts.append((f"0x{write}" if write else "") + "=" + ",".join(items))
        wanted.append((write, size, pause))
    assert listed(steps_program("&".join(texts))) == wanted


@given(st.text(alphabet="0123456789abcdefxXrp=&;,{}$[].wW:maskinlg*/+-<>| b", max_size=60))
@example("=r1&=r{$0<<31<<31<<31*4294967295:max9}")
@settings(max_examples=500)
def test_a_text_is_refused_with_a_value_error_or_its_program_runs(text):
    for made in (detection_program, steps_program):
        try:
            program = made(text)
        except ValueError as error:
            assert text in str(error) or repr(text) in str(error)
            continue
        assert len(program) <= MAX_PROGRAM
        steps, got = Steps(program), b""
        while steps.next():
            size = steps.size(got)
            assert 0 <= size and len(got) + size <= steps.most <= MAX_READ
            data = bytes([0xA5]) * size
            steps.matches(data)
            got += data


@given(st.integers(1, 32), st.booleans(), st.binary(min_size=4, max_size=4), st.integers(1, 253))
def test_a_computed_length_is_that_of_the_bits(width, big, got, most):
    value = int.from_bytes(got[: (width + 7) // 8], "big" if big else "little") % (1 << width)
    program = steps_program("=r4&=r{$0.%s%d:max%d}" % ("W" if big else "w", width, min(most, 249)))
    assert listed(program, got)[1][1] == min(value, most, 249)


@given(st.integers(4, 0x77), st.integers(0, 64))
def test_an_address_is_read_back(address, slot):
    assert parse_address(address_text(join(address, slot))) == join(address, slot)


@given(st.data())
@settings(max_examples=500)
def test_a_changed_record_is_refused_with_a_value_error_or_decodes_any_sample(data):
    record = copy.deepcopy(data.draw(st.sampled_from(RECORDS)))
    for _ in range(data.draw(st.integers(1, 3))):
        place = record
        while isinstance(place, (dict, list)) and place:
            keys = list(place) if isinstance(place, dict) else range(len(place))
            key = data.draw(st.sampled_from(list(keys)))
            if not isinstance(place[key], (dict, list)) or not place[key] or data.draw(st.integers(0, 9)) == 0:
                place[key] = data.draw(values)
                break
            place = place[key]
    try:
        entry(record)
    except ValueError as error:
        assert "record" in str(error)
        return
    if "devInfoJson" in record:
        check_info(record["devInfoJson"])
        for _, found, invalid in readings(record["devInfoJson"], data.draw(st.binary(max_size=253))):
            assert set(invalid) <= set(found)


@given(values | st.dictionaries(st.sampled_from(("name", "resp", "type")), values))
def test_what_is_no_info_is_refused_with_a_value_error(info):
    try:
        check_info(info)
    except ValueError:
        return
    assert isinstance(info, dict)


@given(st.binary(max_size=300))
def test_any_bytes_are_records_or_refused(data):
    try:
        load(data)
    except ValueError:
        pass


@given(st.integers(0, 255), st.integers(0, 255), st.integers(0, 15), devices)
def test_devbin_is_read_back(topic, sequence, bus, found):
    data = encode_devbin(topic, sequence, bus, found)
    assert decode_devbin(data) == (topic, sequence, [(bus, *device) for device in found])
    assert len(data) == 3 + sum(devbin_size([len(sample) for _, sample in device[4]]) for device in found)


@given(st.binary(max_size=100) | st.binary(max_size=100).map(lambda data: b"\xdb" + data))
def test_bytes_that_are_devbin_are_encoded_again_to_the_same(data):
    try:
        topic, sequence, found = decode_devbin(data)
    except ValueError:
        return
    buses = {device[0] for device in found}
    if len(buses) == 1 and all(device[1] < 0x8000 for device in found):
        again = encode_devbin(topic, sequence, buses.pop(), [device[1:] for device in found])
        assert decode_devbin(again) == (topic, sequence, found)


@given(st.integers(0, 255), st.integers(0, 15), devices)
def test_devjson_is_read_back(topic, bus, found):
    sizes = {device[1]: max([0] + [len(data) for other in found for _, data in other[4]]) for device in found}
    padded = [
        (bus, address, number, status, [(stamp, data.ljust(sizes[number], b"\0")) for stamp, data in given_samples])
        for address, number, status, _, given_samples in found
    ]
    assert decode_devjson(encode_devjson(topic, bus, found, sizes), sizes) == (topic, padded)


@given(st.text(max_size=80) | st.recursive(values, lambda inner: st.dictionaries(st.text(max_size=3), inner)).map(str))
def test_any_text_is_devjson_or_refused(text):
    try:
        text.encode()
    except UnicodeError:
        return
    try:
        decode_devjson(text, {})
    except ValueError:
        pass


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record["deviceType"])
def test_no_sample_of_any_length_raises_anything(record):
    for size in range(0, 254):
        readings(record["devInfoJson"], bytes((size,)) * size)
