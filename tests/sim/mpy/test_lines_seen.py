"""sim/mpy/lines_seen.py: what crosses TCP, counted from the bytes alone."""

import struct

import pytest

from protocol import frame
from protocol.channel_records import CHANNEL
from protocol.framing import KEEPALIVE, PREAMBLE
from sim.mpy.lines_seen import TO_CLIENT, TO_SERVER, LinesSeen

MAC = bytes(8)
CLIENT, SERVER = b"client 1", b"server 1"  # epochs


def framed(body):
    return struct.pack(">H", len(body)) + body


def greeting(kind, epoch):
    return framed(bytes((kind, 4)) + epoch + bytes(50))


def resume(base=0, ack=0, following=0, flags=frame.REMEMBERED):
    return framed(struct.pack(">BBIIIIBB", frame.RESUME, flags, base, ack, following, 0, 100, 0) + MAC)


def data(number, ack, *records, kind=frame.DATA):
    body = struct.pack(">BHHHB", kind, number, ack, 0, 100)
    for header, payload in records:
        body += struct.pack(">H", header | len(payload)) + payload
    return framed(body + MAC)


class Link:
    """A LinesSeen with the lines that it has told of."""

    def __init__(self):
        self.told = []
        self.seen = LinesSeen(on_line=lambda way, line: self.told.append((way, line)))

    def connect(self, client=CLIENT, server=SERVER, to_server=None, to_client=None):
        self.one = self.seen.connection()
        self.one.to_server(PREAMBLE + greeting(frame.HELLO, client))
        self.one.to_client(greeting(frame.WELCOME, server))
        self.one.to_server(to_server or resume(flags=0))
        self.one.to_client(to_client or resume(flags=0))

    def counts(self, way):
        one = self.seen.ways[way]
        return one.lines, one.acknowledged, one.waiting, one.again


@pytest.fixture
def link():
    one = Link()
    one.connect()
    return one


def test_lines_and_their_acknowledgements_are_counted_both_ways(link):
    link.one.to_server(data(0, 0, (0, b"one"), (0, b"two")))
    assert link.told == [(TO_SERVER, "one"), (TO_SERVER, "two")]
    assert link.counts(TO_SERVER) == (2, 0, 2, 0)
    link.one.to_client(data(0, 2, (0, b"answer")))
    assert link.counts(TO_SERVER) == (2, 2, 0, 0) and link.counts(TO_CLIENT) == (1, 0, 1, 0)
    link.one.to_server(data(2, 1))
    assert link.counts(TO_CLIENT) == (1, 1, 0, 0) and link.seen.delivered == 3


def test_bytes_may_come_one_by_one_and_keepalives_between(link):
    for byte in KEEPALIVE + data(0, 0, (0, "grün".encode())) + KEEPALIVE + data(1, 0, (0, b"two")):
        link.one.to_server(bytes((byte,)))
    assert link.told == [(TO_SERVER, "grün"), (TO_SERVER, "two")] and link.seen.faults == 0


def test_a_line_of_several_fragments_is_one_line(link):
    link.one.to_server(data(0, 0, (frame.MORE, b"begin "), kind=frame.DATA_MORE) + data(0, 0, (0, b"end")))
    assert link.told == [(TO_SERVER, "begin end")]


def test_a_line_that_comes_again_after_an_outage_is_one_line(link):
    link.one.to_server(data(0, 0, (0, b"one"), (0, b"two")))
    link.connect(to_server=resume(0), to_client=resume(0, 1, 1))
    assert link.counts(TO_SERVER) == (2, 1, 1, 0)
    link.one.to_server(data(1, 0, (0, b"two"), (0, b"three")))
    assert [line for _, line in link.told] == ["one", "two", "three"]
    assert link.counts(TO_SERVER) == (3, 1, 2, 1)


def test_a_fragment_that_an_outage_has_cut_off_is_forgotten(link):
    link.one.to_server(data(0, 0, (frame.MORE, b"begin ")))
    link.connect(to_server=resume(0), to_client=resume(0, 0, 0))
    link.one.to_server(data(0, 0, (0, b"whole")))
    assert link.told == [(TO_SERVER, "whole")] and link.seen.faults == 0


def test_numbers_begin_anew_when_the_client_has_lost_its_memory(link):
    link.one.to_server(data(0, 0, (0, b"one")))
    link.connect(client=b"client 2", to_server=resume(7, flags=0), to_client=resume(0))
    link.one.to_server(data(7, 0, (0, b"other")))
    link.one.to_client(data(0, 8))
    assert [line for _, line in link.told] == ["one", "other"]
    assert link.counts(TO_SERVER) == (2, 1, 0, 0)


def test_messages_of_channels_are_no_lines_and_unnumbered_lines_are_told_apart(link):
    link.one.to_server(data(0, 0, (CHANNEL, b"\x15\0message"), (frame.QOS0, b"unnumbered"), (0, b"line")))
    assert [line for _, line in link.told] == ["unnumbered", "line"]
    assert link.counts(TO_SERVER) == (2, 0, 1, 0) and link.seen.ways[TO_SERVER].unnumbered == 1


@pytest.mark.parametrize("noise", [b"GET / HTTP/1.1\r\n", PREAMBLE + data(0, 0, (0x07FF, b"")), PREAMBLE + b"\0\x01x"])
def test_what_is_not_understood_ends_the_look_at_this_connection_alone(noise):
    link = Link()
    one = link.seen.connection()
    one.to_server(noise)
    one.to_server(data(0, 0, (0, b"later")))
    assert link.told == [] and link.seen.faults == 1
    link.connect()
    link.one.to_server(data(0, 0, (0, b"line")))
    assert link.told == [(TO_SERVER, "line")]
