"""The bytes of the own protocol. The recorded examples are those of docs/remote-i2c.md."""

import re
from pathlib import Path

import pytest

from remote_i2c.errors import no_answer
from remote_i2c.web import frames
from remote_i2c.web.calls import Failure, Request, failure_of

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "remote-i2c.md"


def test_the_document_has_the_recorded_bytes():
    text = DOCUMENT.read_text(encoding="utf-8").partition("Recorded, and compared")[2].partition("### CHIRIMEN")[0]
    hello, welcome, *calls, done = (bytes.fromhex(one) for one in re.findall(r"`((?:[0-9a-f]{2} ?)+)` \|$", text, re.M))
    assert frames.decode_hello(hello) == b"secret"
    assert welcome == frames.encode_welcome({1: ("1", 8192), 2: ("mast", 250)}, 64)
    assert [frames.decode_request(call) for call in calls] == [
        Request(1, 1, 0x48, b"\x01\x60", None), Request(2, 1, 0x48, None, 2), Request(3, 1, 0x48, b"\0", 2),
        Request(4, 1, 0x48, None, None),
    ]  # fmt: skip
    assert done == frames.encode_done(2, b"\x12\x34")


def test_recorded_requests():
    assert frames.decode_hello(bytes.fromhex("01 01 73 65 63 72 65 74")) == b"secret"
    decode = lambda text: frames.decode_request(bytes.fromhex(text))
    assert decode("10 00000001 0001 48 01 60") == Request(1, 1, 0x48, b"\x01\x60", None)
    assert decode("11 00000002 0001 48 0002") == Request(2, 1, 0x48, None, 2)
    assert decode("12 00000003 0001 48 0002 00") == Request(3, 1, 0x48, b"\0", 2)
    assert decode("13 00000004 0001 48") == Request(4, 1, 0x48, None, None)


def test_recorded_answers():
    welcome = frames.encode_welcome({1: ("1", 8192), 2: ("mast", 250)}, 64)
    assert welcome.hex(" ") == "81 01 00 40 02 00 01 20 00 01 31 00 02 00 fa 04 6d 61 73 74"
    assert frames.encode_done(2, b"\x12\x34").hex(" ") == "90 00 00 00 02 12 34"
    assert frames.encode_failed(3, failure_of(no_answer(0x49))).hex(" ") == (
        "91 00 00 00 03 02 03 05 45 4e 58 49 4f "
        + b"no device acknowledged the address (address 0x49)".hex(" ")
    )


@pytest.mark.parametrize(
    ("text", "id", "says"),
    [
        ("", None, "kind"),
        ("14 00000001 0001 48", None, "kind"),
        ("10 0000", None, "cut"),
        ("10 00000001 0001", 1, "cut"),
        ("11 00000001 0001 48 00", 1, "size"),
        ("11 00000001 0001 48 0000", 1, "no bytes"),
        ("11 00000001 0001 48 0001 00", 1, "too many"),
        ("12 00000001 0001 48 0001", 1, "no bytes"),
        ("10 00000001 0001 48", 1, "no bytes"),
        ("13 00000001 0001 48 00", 1, "too many"),
    ],
)
def test_what_is_no_request_says_why_and_whose_it_is(text, id, says):
    with pytest.raises(frames.BadFrame, match=says) as caught:
        frames.decode_request(bytes.fromhex(text))
    assert caught.value.id == id


@pytest.mark.parametrize("message", [b"", b"\x01", b"\x10\x01", b"\x01\x02", b"\x01\x01" + bytes(257)])
def test_what_is_no_hello(message):
    with pytest.raises(frames.BadFrame):
        frames.decode_hello(message)


def test_text_of_a_failure_is_bounded():
    failure = Failure("OperationError", "EIO", "bus", "x" * 1000)
    assert len(frames.encode_failed(1, failure)) == 5 + 3 + 3 + frames.MAX_TEXT
