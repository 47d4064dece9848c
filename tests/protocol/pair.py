"""A session whose peer is the test: what it says is sealed as a true peer's frames are."""

from protocol.channel_records import LIST, LISTED
from protocol.channel_session import ChannelSession
from protocol.frame import DATA, PARTED, REMEMBERED, FrameSeal, encode_data_header, encode_resume
from protocol.limits import MAC_BYTES, MAX_FRAME
from protocol.line_bytes import bytes_in
from protocol.sequence import get16
from protocol.server_session import ServerSession
from protocol.session import Session
from tests.protocol.wire import START, WRAP, ticks_diff

EPOCH = b"peer-one"
OTHER = b"this run\x00\x00\x00\x02"
RUN = b"run one.\x00\x00\x00\x00"


class Pair:
    """A session, and the bare channel of its peer, through which a test says what it likes."""

    def __init__(self, answers=False, channels=False):
        self.session = ServerSession(ticks_diff) if answers else Session(ticks_diff, line_in=bytes_in)
        if channels and not answers:
            self.session = ChannelSession(self.session)
        self.now = START
        self.attach()

    def attach(self, epoch=EPOCH, max_frame=MAX_FRAME):
        self.peer = FrameSeal(b"p" * 32, b"s" * 32)
        self.session.attach(FrameSeal(b"s" * 32, b"p" * 32), epoch, max_frame, self.now)

    def say(self, body):
        """Have the session receive this body, sealed."""
        buf = bytearray(body) + bytearray(MAC_BYTES)
        end = self.peer.seal(buf, 0, len(body))
        return self.session.receive(memoryview(buf)[:end], self.now)

    def resume(self, remembered=False, base=0, ack=0, next_number=0, room=160, runs=RUN, parted=False, lost=0,
               listed=False):  # fmt: skip
        buf = bytearray(120)
        flags = (REMEMBERED if remembered else 0) | (PARTED if parted else 0) | (LISTED if listed else 0)
        return self.say(buf[: encode_resume(buf, 0, flags, base, ack, next_number, lost, room, runs)])

    def data(self, *lines, **fields):
        buf = bytearray(8)
        head = {"number": 0, "ack": 0, "seen": 0, "room": 160, "kind": DATA}
        head.update(fields)
        encode_data_header(buf, 0, head["number"], head["ack"], head["seen"], head["room"])
        buf[0] = head["kind"]
        for line in lines:
            buf += bytes((len(line) >> 8, len(line) & 0xFF)) + line
        return self.say(buf)

    def list(self, *numbers, last=True, entry=bytes(18)):
        """Say a LIST with entries of a peer that has nothing."""
        return self.say(bytes((LIST, last)) + b"".join([bytes((number,)) + entry for number in numbers]))

    def heard(self):
        """The next frame of the session without its MAC, or None."""
        buf = bytearray(MAX_FRAME + 4)
        end = self.session.encode_into(buf, 2, self.now)
        if end == 2:
            return None
        assert get16(buf, 2) == end - 4
        frame = memoryview(buf)[4:end]
        assert self.peer.open(frame)
        return bytes(frame[:-MAC_BYTES])

    def open(self):
        """Exchange RESUME."""
        self.heard()
        fault = self.resume()
        assert fault is None, fault
        return self

    def later(self, ms):
        self.now = (self.now + ms) & (WRAP - 1)
