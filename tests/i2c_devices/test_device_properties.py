"""Properties of streams and packets: whatever is sent, in whatever pieces, under whatever faults, arrives as it was."""

from hypothesis import given, settings
from hypothesis import strategies as st

from i2c_devices import port_table as ports
from i2c_devices.memory_controller import MemoryController
from i2c_devices.memory_target import MemoryTarget
from primitives.fifo import Fifo
from protocol.device import (
    DEVICE_BYTES,
    PACKET,
    STREAM,
    DeviceStatusCell,
    Layout,
    decode_device,
    encode_device_into,
    encode_status_into,
)
from tests.i2c_devices.bed import ADDRESS, ModelBed
from tests.i2c_devices.bus import FAULTS
from tests.i2c_devices.exchange import PacketExchange, StreamExchange

MICROPYTHON = False
MICROPYTHON_REASON = "needs hypothesis"

faults = st.dictionaries(st.integers(0, 400), st.sampled_from(FAULTS), max_size=120)
packets = st.lists(st.binary(min_size=1, max_size=50), max_size=12)
sizes = st.tuples(st.integers(1, 100), st.integers(1, 100))


@settings(max_examples=60, deadline=None)
@given(faults, st.binary(max_size=300), st.binary(max_size=300), st.integers(1, 70), sizes)
def test_stream_delivers_what_was_written(faults, up, down, reads, sizes):
    assert StreamExchange(faults, up, down, reads, sizes).run().result() == (up, down)


@settings(max_examples=60, deadline=None)
@given(faults, packets, packets, st.tuples(st.integers(1, 5), st.integers(1, 5)))
def test_packets_are_delivered_whole_and_in_order(faults, up, down, queues):
    assert PacketExchange(faults, up, down, queues).run().result() == (up, down)


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 20), st.lists(st.one_of(st.binary(max_size=30), st.integers(0, 30)), max_size=40))
def test_fifo_is_a_queue_of_bytes(size, steps):
    fifo, model = Fifo(size), b""
    for step in steps:
        if isinstance(step, bytes):
            n = fifo.put(step)
            assert n == min(len(step), size - len(model))
            model += step[:n]
        else:
            line = fifo.line()
            assert model[:line] == (model.partition(b"\n")[0] + b"\n" if b"\n" in model else model)
            assert fifo.read(step) == model[:step]
            model = model[step:]
        assert (len(fifo), fifo.room) == (len(model), size - len(model))
        copy = bytearray(len(model))
        fifo.copy_into(copy, 0, 0, len(model))
        assert copy == model


NAMES = ("faults", "target_epoch", "controller_epoch", "next", "base", "end", "length0", "length1", "available", "room")
bits8, bits16 = st.integers(0, 255), st.integers(0, 65535)


FIELDS = st.tuples(bits8, bits16, bits16, bits8, bits8, bits8, bits16, bits16, bits16, bits16)


@given(FIELDS, st.integers(0, Layout.STATUS_BYTES * 8 - 1))
def test_status_is_read_as_it_was_written_and_not_with_a_bit_flipped(values, bit):
    status, again = DeviceStatusCell(), DeviceStatusCell()
    for name, value in zip(NAMES, values):
        setattr(status, name, value)
    buf = bytearray(Layout.STATUS_BYTES + 3)
    encode_status_into(status, memoryview(buf)[3:])
    assert again.read_from(buf, 3)
    assert [getattr(again, name) for name in NAMES] == list(values)
    buf[3 + bit // 8] ^= 1 << bit % 8
    refused = not DeviceStatusCell().read_from(buf, 3)
    assert refused or buf[3] == 0x61  # 16 bits of check: one in 65,536 passes


@given(st.sampled_from([STREAM, PACKET]), st.integers(1, 1024), bits16, bits16)
def test_device_cell_is_read_as_it_was_written(kind, max_payload, rx, tx):
    buf = bytearray(DEVICE_BYTES)
    encode_device_into(buf, 0, kind, max_payload, rx, tx)
    assert decode_device(buf) == (kind, max_payload, rx, tx)


@given(st.binary(min_size=DEVICE_BYTES, max_size=40))
def test_noise_is_no_cell(noise):
    device = decode_device(noise)
    assert device is None or 1 <= device[1] <= 1024
    DeviceStatusCell().read_from(noise + bytes(20))


SIZE = 24
KEPT = (5, 9)  # read-only
steps = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.integers(0, 255), st.binary(min_size=1, max_size=40)),
        st.tuples(st.just("read"), st.integers(0, 255), st.integers(1, 40)),
        st.tuples(st.just("select"), st.integers(0, 255), st.none()),
        st.tuples(st.just("scan"), st.none(), st.none()),
    ),
    max_size=30,
)


@given(steps, st.sampled_from([ports.STM32, ports.RP2]), st.booleans())
def test_both_engines_are_the_memory_that_the_model_is(steps, port, exact):
    bed = ModelBed(port)
    told = []
    target = MemoryTarget(
        bed.port, SIZE, None, 8, read_only=(KEPT,), exact=exact,
        memory_read=lambda offset, length: told.append(("read", offset, length)),
        memory_written=lambda offset, length: told.append(("write", offset, length)),
    )
    target.open()
    controller = MemoryController(bed, ADDRESS, 8)
    model, expected = bytearray(SIZE), []
    for what, at, data in steps:
        if what == "write":
            controller.write(at, data)
            for i, value in enumerate(data):
                if not KEPT[0] <= (at + i) % SIZE < KEPT[1]:
                    model[(at + i) % SIZE] = value
            expected.append((what, at % SIZE, len(data)))
        elif what == "read":
            buf = bytearray(data)
            controller.read_into(at, buf)
            assert buf == bytes(model[(at + i) % SIZE] for i in range(data))
            expected.append((what, at % SIZE, data))
        else:
            bed.writeto(ADDRESS, b"" if what == "scan" else bytes((at,)))
        assert target.memory == model
    if exact:
        assert told == expected
