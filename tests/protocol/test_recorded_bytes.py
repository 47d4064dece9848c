"""The bytes in section 9 of docs/protocol.md are those that the encoders give.

    python3 -m tests.protocol.test_recorded_bytes

prints the section's blocks anew, for a change of the format that is meant.
"""

import unittest
from binascii import hexlify, unhexlify

from protocol import control, framing
from protocol import mailbox as box
from protocol.channel_records import EXPIRES, REQUEST
from protocol.channel_session import ChannelSession
from protocol.config_record import encode_config
from protocol.control_client import decode_report
from protocol.frame import REFUSED_IDENTITY, FrameSeal
from protocol.handshake import Initiator
from protocol.limits import PROBE_MS
from protocol.line_bytes import bytes_in
from protocol.responder import Responder, encode_refused
from protocol.server_session import ServerSession
from protocol.session import Session
from protocol.target_cells import decode_ack, decode_sync, encode_status_into
from tests.protocol.transfers import is_whole, sealed
from tests.protocol.wire import ticks_diff

DOCUMENT = __file__[: -len("tests/protocol/test_recorded_bytes.py")] + "docs/protocol.md"
KEY = bytes(range(32))
CLIENT_EPOCH, SERVER_EPOCH = b"\x11" * 8, b"\x22" * 8
CLIENT_NONCE, SERVER_NONCE = b"\xaa" * 16, b"\xbb" * 16
RUN = b"\x33" * 8 + bytes(4)
TARGET_EPOCH, CONTROLLER_EPOCH = 0x1234, 0xABCD
EPOCHS = box.pack_epochs(TARGET_EPOCH, CONTROLLER_EPOCH)


def cells():
    sync, ack, status = bytearray(10), bytearray(4), bytearray(16)
    box.encode_sync_into(sync, 0, CONTROLLER_EPOCH, TARGET_EPOCH, box.PAYLOAD)
    box.encode_ack_into(ack, 0, EPOCHS, 1)
    cell = box.StatusCell()
    cell.beat, cell.target_epoch, cell.controller_epoch = 3, TARGET_EPOCH, CONTROLLER_EPOCH
    cell.next, cell.base, cell.end, cell.length0, cell.drop = 1, 0, 1, 36, 0
    encode_status_into(cell, status)
    return [("SYNC", sync), ("ACK", ack), ("STATUS", status)]


def transfer(direction, kind, connection, next_number, payload):
    return sealed(direction, EPOCHS, payload, 0, kind, connection, next_number)


def records():
    report = bytearray(control.REPORT_BYTES)
    control.encode_report_into(report, 0, 2, 5, 24000, 1)
    config = encode_config(8123, "10.0.0.2", 1500, 60, "net", "secret")
    return [
        ("CONFIG", config),
        ("UP", bytes((control.UP, 1))),
        ("DOWN", bytes((control.DOWN, 1, 7))),
        ("BAD_WIFI", bytes((control.BAD_WIFI, 3))),
        ("BAD_SERVER", bytes((control.BAD_SERVER, 1))),
        ("REPORT", report),
        ("SIGNAL", bytes((0x08, -67 & 0xFF))),
    ]


def next_frame(session, now=0):
    """The next frame of a session, without its prefix."""
    buf = bytearray(1024)
    end = session.encode_into(buf, 0, now)
    return bytes(buf[2:end])


def frames():
    """One connection from its first frame on."""
    client = Initiator("meter", KEY, CLIENT_EPOCH, CLIENT_NONCE, 128)
    server = Responder()
    hello = client.hello()
    server.hello(hello)
    welcome = server.challenge(KEY, SERVER_EPOCH, SERVER_NONCE, 128)
    proof, _ = client.welcome(welcome)
    server.proof(proof)
    ends = [Session(ticks_diff, line_in=bytes_in), ServerSession(ticks_diff)]
    for session, role in zip(ends, (client, server)):
        session.attach(role.seal, role.peer_epoch, 128, 0)
    resumes = [next_frame(ends[0])]
    ends[1].receive(memoryview(resumes[0]), 0)
    ends[1].answer(0, RUN)
    resumes.append(next_frame(ends[1]))
    ends[0].receive(memoryview(resumes[1]), 0)
    for line, numbered in ((b"hello", True), (b"tick", False), (b"x" * 100, True)):
        ends[0].append(line, numbered)
    data = [next_frame(ends[0]), next_frame(ends[0])]
    for body in data:
        ends[1].receive(memoryview(body), 0)
    ends[1].accept(3, 0)
    names = (
        "HELLO",
        "WELCOME",
        "PROOF",
        "REFUSED",
        "RESUME of the client",
        "RESUME of the server",
        "DATA_MORE with three records",
        "DATA with the end of the third line",
        "DATA that only acknowledges",
        "PROBE",
    )
    refused = encode_refused(REFUSED_IDENTITY, framing.VERSION)
    data.append(next_frame(ends[1], 1000))
    ends[0].receive(memoryview(data[-1]), 1000)
    ends[0].append(b"last", True)
    ends[1].receive(memoryview(next_frame(ends[0], 1000)), 1000)
    ends[0].receive(memoryview(next_frame(ends[1], 2000)), 2000)
    next_frame(ends[0], 2000)
    probe = next_frame(ends[0], 2000 + PROBE_MS)
    return list(zip(names, [hello, welcome, proof, refused] + resumes + data + [probe]))


def frames_of_channels():
    """Another connection, on which the client uses channel 20, and channel 21 later."""
    ends = [Session(ticks_diff), ServerSession(ticks_diff)]
    ends[0] = ChannelSession(ends[0])
    channel = ends[0].channels.open(20)
    keys = (b"c" * 32, b"s" * 32)
    ends[0].attach(FrameSeal(*keys), SERVER_EPOCH, 128, 0)
    ends[1].attach(FrameSeal(keys[1], keys[0]), CLIENT_EPOCH, 128, 0)
    found = []
    for name in ("RESUME that announces LIST", "LIST with channel 20"):
        found.append((name, next_frame(ends[0])))
        ends[1].receive(memoryview(found[-1][1]), 0)
    ends[1].answer(0, RUN)
    for name in ("RESUME of the server that announces LIST", "LIST of the server"):
        found.append((name, next_frame(ends[1])))
        ends[0].receive(memoryview(found[-1][1]), 0)
    ends[0].append(b"line", True)
    channel.append(b"bytes\n", True)
    channel.append(b"\x00\x00\x00\x07question", True, REQUEST)
    channel.append(bytes(2) + b"soon", True, EXPIRES, 5000)
    ends[0].channels.open(21)
    name = "DATA with OPEN of channel 21, a line, a message, a request and one that expires"
    found.append((name, next_frame(ends[0])))
    ends[1].receive(memoryview(found[-1][1]), 0)
    ends[1].channels.accept(ends[1].channels.get(20), 0)
    found.append(("NOTICE with CREDIT of channel 20 and OPEN of channel 21", next_frame(ends[1])))
    return found


def recorded():
    """(name, bytes) of every example, in the order of the document."""
    found = frames()
    hello = found[0][1]
    prefixed = bytes((0, len(hello))) + hello
    from_client = transfer(box.FROM_TARGET, box.DATA | box.FRAME_END, 1, 0, prefixed)
    from_bridge = transfer(box.FROM_CONTROLLER, box.CONTROL, 0, 1, bytes((control.UP, 1)))
    examples = cells()
    examples.append(("transfer from the client", from_client))
    examples.append(("transfer from the bridge", from_bridge))
    examples.append(("preamble", framing.PREAMBLE))
    examples.append(("keepalive", framing.KEEPALIVE))
    examples.extend(found)
    examples.extend(frames_of_channels())
    examples.extend(records())
    return [(name, bytes(data)) for name, data in examples]


def block(name, data):
    text = str(hexlify(data), "ascii")
    rows = [text[at : at + 64] for at in range(0, len(text), 64)]
    return "```hex " + name + "\n" + "\n".join(rows) + "\n```\n"


def documented():
    """(name, bytes) of every block in the document."""
    with open(DOCUMENT) as document:
        parts = document.read().split("```hex ")[1:]
    found = []
    for part in parts:
        name, _, rest = part.partition("\n")
        text = rest.split("```")[0]
        found.append((name.strip(), unhexlify("".join(text.split()))))
    return found


class TestRecordedBytes(unittest.TestCase):
    def test_every_example_is_in_the_document(self):
        self.assertEqual([name for name, _ in documented()], [name for name, _ in recorded()])

    def test_encoders_give_the_documents_bytes(self):
        known = dict(documented())
        for name, data in recorded():
            with self.subTest(name=name):
                self.assertEqual(known[name], data)

    def test_decoders_read_the_documents_bytes(self):
        known = dict(documented())
        self.assertEqual(decode_sync(known["SYNC"]), (CONTROLLER_EPOCH, TARGET_EPOCH, 1068))
        self.assertEqual(decode_ack(known["ACK"], 0, EPOCHS), 1)
        self.assertTrue(box.StatusCell().read_from(known["STATUS"]))
        for name, direction in (("client", box.FROM_TARGET), ("bridge", box.FROM_CONTROLLER)):
            buf = known["transfer from the " + name]
            self.assertTrue(is_whole(direction, EPOCHS, buf))
        self.assertEqual(control.decode_config(known["CONFIG"])[1], "10.0.0.2")
        self.assertEqual(decode_report(known["REPORT"]), [2, 5, 24000, 1])


if __name__ == "__main__":
    for example in recorded():
        print(block(*example))
