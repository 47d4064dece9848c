"""Topics, the size of packets, and the parts of a line."""

import random

import pytest

from protocol.limits import MAX_LINE
from server.gateways.mqtt.topics import MIN_PART, MOST_DIGITS, base_topic, packet_size, payload_room, split


def test_topics_of_different_ids_are_different_and_have_one_level():
    ids = ["a", "A", "a/b", "a%2Fb", "a%2fb", "+", "#", "%", "%25", " ", "\x00", "\u00e9", "e\u0301", "\u2028", "a\t"]
    levels = [base_topic("x", one).removeprefix("x/") for one in ids]
    assert len(set(levels)) == len(ids)
    assert not any(set(level) & set("/+#\0\t\u2028") for level in levels)


def packet(topic, payload, properties):
    """The packet, written out: MQTT 5, 3.3."""

    def text(words):
        return len(words.encode()).to_bytes(2, "big") + words.encode()

    def variable(value):
        encoded = b""
        while True:
            value, low = value >> 7, value & 0x7F
            encoded += bytes((low | 0x80 if value else low,))
            if not value:
                return encoded

    listed = b"".join(b"\x26" + text(name) + text(value) for name, value in properties)
    body = text(topic) + b"\0\1" + variable(len(listed)) + listed + payload
    return b"\x32" + variable(len(body)) + body


@pytest.mark.parametrize("properties", [(), (("number", "7"),), MOST_DIGITS, (("x", "y" * 200),)])
def test_size_of_a_packet_is_what_is_sent(properties):
    topic = "pb_link/n\u00e4/up"
    for size in (0, 1, 80, 81, 100, 127, 128, 16000, 16300, 16383, 16384):
        assert packet_size(topic, size, properties) == len(packet(topic, b"x" * size, properties))


def test_room_is_the_largest_payload_that_fits():
    for limit in (20, 120, 145, 146, 150, 1000, 16400):
        room = payload_room(limit, "pb_link/a/parts", MOST_DIGITS[:1])
        if room >= 0:
            assert packet_size("pb_link/a/parts", room, MOST_DIGITS[:1]) <= limit
        assert packet_size("pb_link/a/parts", room + 1, MOST_DIGITS[:1]) > limit


def test_parts_are_the_line_and_cut_no_character():
    rng = random.Random(1)
    for _ in range(300):
        text = "".join(rng.choice("a\u00e9\u4e16\U0001f600") for _ in range(rng.randrange(1, 400)))
        size = rng.randrange(4, 100)
        parts = split(text.encode(), size)
        assert b"".join(parts) == text.encode() and max(map(len, parts)) <= size
        for part in parts:
            part.decode()


def test_line_that_is_no_text_is_cut_anywhere():
    parts = split(b"\xbf" * 1000, 64)
    assert b"".join(parts) == b"\xbf" * 1000 and max(map(len, parts)) == 64


def test_digits_of_the_properties_are_enough():
    assert len(split(b"x" * MAX_LINE, MIN_PART - 4)) <= 9999
