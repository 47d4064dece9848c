"""The bytes of channel 1: as docs/remote-i2c.md records them, and what is no answer."""

import random
import re
from errno import EACCES, EIO, ENODEV, ENXIO
from pathlib import Path

import pytest

from protocol import i2c_messages
from remote_i2c.client_messages import (
    NO_LIFE,
    OtherLife,
    answer_bytes,
    decode_answer,
    encode_request,
    request_bytes,
)  # fmt: skip
from remote_i2c.errors import LINK, PLACES, BusError
from remote_i2c.messages import read, read_counted, write

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "remote-i2c.md"
LIFE = bytes.fromhex("1a2b3c4d")
TRANSFERS = [
    [write(0x48, b"\x00"), read(0x48, 2)],
    (0x49, False),
    [write(0x50, b"\x10"), read_counted(0x50, behind=1)],
]


def recorded(title):
    """Returns the bytes of a ```hex block of the document."""
    block = re.search(rf"```hex {re.escape(title)}\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    return bytes.fromhex(re.sub(r"#.*", "", block[1]))


def test_a_request_is_as_recorded():
    assert encode_request(0, LIFE, TRANSFERS) == recorded("a request of three transfers")


def test_an_answer_is_as_recorded():
    answers, error = decode_answer(recorded("its answer"), TRANSFERS)
    assert (answers, error) == ([[b"\x19\x00"], [], [b"\x02\xaa\xbb\x5c"]], None)
    answers, error = decode_answer(recorded("the answer without a device at 0x49"), TRANSFERS)
    assert answers == [[b"\x19\x00"]] and (error.errno, error.address, error.index) == (ENXIO, 0x49, None)
    with pytest.raises(OtherLife) as raised:
        decode_answer(recorded("the answer of another life"), TRANSFERS)
    assert raised.value.life == LIFE


def test_sizes_are_those_of_the_bytes():
    for transfer in TRANSFERS:
        assert len(encode_request(0, NO_LIFE, [transfer])) == i2c_messages.HEAD_BYTES + request_bytes(transfer)
    assert [answer_bytes(transfer) for transfer in TRANSFERS] == [4, 2, 2 + 1 + 32 + 1]


def test_every_code_has_its_error_and_is_documented():
    skipped = ("DONE", "OTHER_LIFE")
    codes = {name: value for name, value in vars(i2c_messages).items() if name.isupper() and value <= 12}
    codes = {name: value for name, value in codes.items() if name in CODES and name not in skipped}
    assert sorted(codes.values()) == list(range(1, 12))
    document = DOCUMENT.read_text(encoding="utf-8")
    for name, code in codes.items():
        _, error = decode_answer(bytes((code, 0)), [[read(0x48, 1)]])
        assert error.place in PLACES and error.address == 0x48 and error.index == 0
        assert re.search(rf"^\| {code} \| {name} \|", document, re.MULTILINE), name


CODES = {
    "DONE", "NO_ANSWER", "STOPPED", "HELD", "CANNOT", "NOT_ALLOWED", "NO_BUS", "BUSY", "LATE", "BARRED", "BAD_REQUEST",
    "NO_MEMORY", "OTHER_LIFE",
}  # fmt: skip


def test_errors_without_a_message_have_the_address_if_there_is_one():
    one, two = [read(0x48, 1)], [read(0x48, 1), read(0x49, 1)]
    assert decode_answer(bytes((i2c_messages.NO_BUS, 255)), [one])[1].errno == ENODEV
    assert decode_answer(bytes((i2c_messages.NOT_ALLOWED, 255)), [one])[1].address == 0x48
    error = decode_answer(bytes((i2c_messages.NOT_ALLOWED, 255)), [two])[1]
    assert (error.errno, error.address, error.index) == (EACCES, None, None)


def test_what_is_no_answer_is_an_error_of_the_link():
    good = bytes.fromhex("00 19 00 00 00 02 aa bb 5c")
    seed = random.getrandbits(30)
    chance = random.Random(seed)
    wrong = [good[:size] for size in range(len(good))]
    wrong += [good + b"\0", b"\x63\x00", b"\x01\x02", b"\x00\x19\x00\x00\x00\x21"]
    for _ in range(300):
        bad = bytearray(good)
        bad[chance.randrange(len(bad))] = chance.getrandbits(8)
        wrong.append(bytes(bad[: chance.randrange(len(bad) + 1)]))
    for data in wrong:
        try:
            decode_answer(data, TRANSFERS)
        except BusError as error:
            assert (error.errno, error.place) == (EIO, LINK), (seed, data)
        except OtherLife:
            assert len(data) == 5 and data[0] == i2c_messages.OTHER_LIFE
