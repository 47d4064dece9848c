"""The calls of SMBus: bytes as the specification shows them."""

import pytest

from remote_i2c import smbus
from remote_i2c.errors import BusError
from remote_i2c.messages import read, read_counted, write

A = 0x5A


@pytest.mark.parametrize(
    ("call", "messages", "answers", "result"),
    [
        (smbus.read_byte(A), [read(A, 1)], [b"\x07"], 7),
        (smbus.write_byte(A, 7), [write(A, b"\x07")], [], None),
        (smbus.read_byte_data(A, 6), [write(A, b"\x06"), read(A, 1)], [b"\x07"], 7),
        (smbus.write_byte_data(A, 6, 7), [write(A, b"\x06\x07")], [], None),
        (smbus.read_word_data(A, 6), [write(A, b"\x06"), read(A, 2)], [b"\x34\x12"], 0x1234),
        (smbus.write_word_data(A, 6, 0x1234), [write(A, b"\x06\x34\x12")], [], None),
        (smbus.process_call(A, 6, 0x1234), [write(A, b"\x06\x34\x12"), read(A, 2)], [b"\x78\x56"], 0x5678),
        (smbus.read_block_data(A, 6), [write(A, b"\x06"), read_counted(A)], [b"\x02ab"], b"ab"),
        (smbus.write_block_data(A, 6, b"ab"), [write(A, b"\x06\x02ab")], [], None),
        (smbus.block_process_call(A, 6, b"ab"), [write(A, b"\x06\x02ab"), read_counted(A)], [b"\x01c"], b"c"),
        (smbus.read_i2c_block_data(A, 6, 3), [write(A, b"\x06"), read(A, 3)], [b"abc"], b"abc"),
        (smbus.write_i2c_block_data(A, 6, b"abc"), [write(A, b"\x06abc")], [], None),
    ],
)
def test_call_is_these_messages(call, messages, answers, result):
    assert call.messages == messages
    assert call.result(answers) == result


def test_pec_of_known_bytes():
    # Melexis MLX90614 data sheet rev 13, 8.4.3: reading 0x07 of device 0x5a, the answer d2 3a has the PEC 30.
    assert smbus.pec_of(b"\xb4\x07\xb5\xd2\x3a") == 0x30


def test_answer_with_a_right_pec_is_taken_without_it():
    call = smbus.read_word_data(A, 7, pec=True)
    assert call.messages == [write(A, b"\x07"), read(A, 3)]
    assert call.result([b"\xd2\x3a\x30"]) == 0x3AD2


@pytest.mark.parametrize("answer", [b"\xd2\x3a\x31", b"\xd3\x3a\x30"])
def test_answer_with_a_wrong_pec_is_an_error(answer):
    with pytest.raises(BusError, match="PEC"):
        smbus.read_word_data(A, 7, pec=True).result([answer])


def test_pec_is_the_crc_of_this_name():
    assert smbus.pec_of(b"123456789") == 0xF4  # the check value of CRC-8/SMBUS in catalogues of CRCs


def test_write_ends_with_its_pec():
    data = smbus.write_word_data(A, 0x2E, 0x1234, pec=True).messages[0].data
    assert data[:3] == b"\x2e\x34\x12"
    assert smbus.pec_of(bytes((A << 1,)) + data) == 0  # nothing is left over


def test_counted_answer_has_its_pec_behind_it():
    call = smbus.read_block_data(A, 6, pec=True)
    assert call.messages[1] == read_counted(A, behind=1)
    answer = b"\x02ab"
    pec = smbus.pec_of(b"\xb4\x06\xb5" + answer)
    assert call.result([answer + bytes((pec,))]) == b"ab"


@pytest.mark.parametrize("answer", [b"\x00", b"\x21" + bytes(33), b"\x03ab"])
def test_block_of_an_impossible_length_is_an_error(answer):
    with pytest.raises(BusError, match="block of"):
        smbus.read_block_data(A, 6).result([answer])


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: smbus.write_byte(A, 256), "value 256 is not 0 to 255"),
        (lambda: smbus.read_byte_data(A, -1), "register -1"),
        (lambda: smbus.write_word_data(A, 0, 65536), "value 65536"),
        (lambda: smbus.read_i2c_block_data(A, 0, 33), "not 33"),
        (lambda: smbus.read_i2c_block_data(A, 0, 0), "not 0"),
        (lambda: smbus.write_i2c_block_data(A, 0, bytes(33)), "at most 32 bytes, not 33"),
        (lambda: smbus.write_block_data(A, 0, b""), "1 to 32 bytes, not 0"),
    ],
)
def test_what_is_no_call_is_refused_and_named(make, text):
    with pytest.raises(ValueError, match=text):
        make()
