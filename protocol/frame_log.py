"""Session frames as lines of a log, for `verbose=2` at both ends. Loaded only then.

    < DATA seq=7 ack=3 seen=420 room=160 records=2 bytes=81     received
    > ACK 8 seen=532 room=158                                   sent

`docs/protocol.md` section 4 has the fields. seq is the number of the first numbered line, in its low 16 bits. Of lines
only count and bytes are shown, of a channel's records the channel as well; of keys, nonces, proofs and MACs nothing.
"""

from protocol import frame
from protocol.channel_records import (
    CHANNEL,
    CONTROL,
    CREDIT,
    LAST,
    LIST,
    LIST_END,
    LIST_ENTRY,
    LIST_HEADER,
    NOTICE,
    OPEN,
    TYPED,
)
from protocol.frame import (
    DATA,
    DATA_HEADER,
    DATA_MORE,
    HELLO,
    LENGTH,
    PROBE,
    PROOF,
    RECORD_HEADER,
    REFUSED,
    RESUME,
    WELCOME,
)
from protocol.handshake import EPOCH_AT, FRAME_AT, LINE_AT, NONCE_AT
from protocol.limits import HINT_BYTES, MAC_BYTES
from protocol.sequence import get16

_NAMES = {
    HELLO: "HELLO", WELCOME: "WELCOME", PROOF: "PROOF", REFUSED: "REFUSED", RESUME: "RESUME",
    DATA: "DATA", PROBE: "PROBE", DATA_MORE: "DATA_MORE", NOTICE: "NOTICE", LIST: "LIST",
    0x16: "FAREWELL",  # of server_session.py, which no board has
}  # fmt: skip
_ID_AT = LINE_AT + 2 + HINT_BYTES + 1


def describe(data):
    """A frame (bytes or memoryview, without its prefix) that need not be genuine, as a line without direction."""
    kind = data[0] if len(data) else 0
    end = len(data) - MAC_BYTES
    name = _NAMES.get(kind)
    if kind == RESUME and frame.is_resume(data, end):
        return "RESUME" + _resume(frame.Resume(data[:end]))
    if kind == LIST and end >= LIST_HEADER and not (end - LIST_HEADER) % LIST_ENTRY:
        numbers = ["%d" % data[at] for at in range(LIST_HEADER, end, LIST_ENTRY)]
        return "LIST channels=%s last=%d" % (",".join(numbers), data[1] & LIST_END)
    if kind in (DATA, DATA_MORE, NOTICE, PROBE) and end >= DATA_HEADER:
        return _data(name, data, end)
    if kind in (HELLO, WELCOME) and len(data) >= _ID_AT:
        epoch = "".join(["%02x" % byte for byte in data[EPOCH_AT:NONCE_AT]])
        text = "%s version=%d epoch=%s max_frame=%d max_line=%d" % (
            name, data[1], epoch, get16(data, FRAME_AT), get16(data, LINE_AT)
        )  # fmt: skip
        return text + " id=%r" % bytes(data[_ID_AT:]) if kind == HELLO else text
    if kind == REFUSED and len(data) == 3:
        return "REFUSED reason=%d version=%d" % (data[1], data[2])
    if kind == PROOF:
        return "PROOF"
    return "%s bytes=%d" % (name or "kind=%02x" % kind, len(data))


def _resume(resume):
    text = " base=%d ack=%d next=%d room=%d" % (resume.base, resume.ack, resume.next, resume.room)
    if not resume.remembered:
        text += " epoch is new"
    if resume.parted or resume.lost:
        text += " parted=%d lost=%d" % (resume.parted, resume.lost)
    return text


def _data(name, data, end):
    seq, ack = get16(data, 1), get16(data, 3)
    flow = "seen=%d room=%d" % (get16(data, 5), data[7])
    if end == DATA_HEADER and name == "DATA":
        return "ACK %d %s" % (ack, flow)
    at, records, channels = DATA_HEADER, 0, []
    while at + RECORD_HEADER <= end:
        header = get16(data, at)
        first = at + RECORD_HEADER
        if header & CHANNEL and first < end:
            channels.append(_of_channel(data[first], data[first + 1] if first + 1 < end else 0))
        at += RECORD_HEADER + (header & LENGTH)
        records += 1
    size = end - DATA_HEADER - records * RECORD_HEADER
    text = "%s seq=%d ack=%d %s records=%d bytes=%d" % (name, seq, ack, flow, records, size)
    return text + " channels=" + ",".join(channels) if channels else text


def _of_channel(number, kind):
    """A record of a channel: its number, and what it is if it is no message."""
    text = "%d" % (number & LAST)
    if number & TYPED and kind & CONTROL:
        text += {CREDIT: ":CREDIT", OPEN: ":OPEN"}.get(kind, ":%02x" % kind)
    return text

