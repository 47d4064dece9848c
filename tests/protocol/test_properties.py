"""What holds for any input: found by hypothesis, which MicroPython does not have."""

import unittest

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from protocol import control, frame
from protocol import mailbox as box
from protocol.config_record import encode_config
from protocol.control_client import decode_report
from protocol.frame_reader import FrameReader
from protocol.framing import MAX_BODY, MIN_BODY, FrameRelay
from protocol.limits import MAX_LINE, RECEIVE_BYTES, RECORD_CHARGE
from protocol.line_bytes import bytes_in, decode_line
from protocol.lines import encode_line
from protocol.receiver import Receiver
from protocol.sender import Sender
from protocol.sequence import diff8, diff16, get16, put16
from protocol.target_cells import decode_ack, decode_sync, encode_status_into
from tests.protocol.transfers import is_whole, sealed
from tests.protocol.wire import FAULTS, End, Wire

MICROPYTHON = False
MICROPYTHON_REASON = "needs hypothesis"

BYTE = st.integers(0, 0xFF)
WORD = st.integers(0, 0xFFFF)
LONG = st.integers(0, 2**32 - 1)
EPOCH = st.integers(1, 0xFFFF)
TEXT = st.text(max_size=60)
CHARACTERS = st.characters(exclude_characters="\n", exclude_categories=["Cs"])
LINE = st.text(alphabet=CHARACTERS, max_size=225).map(str.encode)
MANY = settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.too_slow])


class TestCodecs(unittest.TestCase):
    @given(WORD, st.integers(0, 5))
    def test_word_comes_back(self, value, at):
        buf = bytearray(8)
        put16(buf, at, value)
        self.assertEqual(get16(buf, at), value)

    @given(st.text(alphabet=CHARACTERS, max_size=200))
    def test_line_comes_back(self, text):
        self.assertEqual(decode_line(encode_line(text)), text + "\n")

    @given(st.tuples(WORD, TEXT, LONG, LONG, TEXT, TEXT))
    def test_config_comes_back(self, config):
        self.assertEqual(control.decode_config(encode_config(*config)), config)

    @given(st.tuples(LONG, LONG, LONG, LONG))
    def test_report_comes_back(self, numbers):
        buf = bytearray(control.REPORT_BYTES)
        control.encode_report_into(buf, 0, *numbers)
        self.assertEqual(decode_report(buf), list(numbers))

    @given(EPOCH, EPOCH, WORD)
    def test_sync_comes_back(self, bridge, client, payload):
        buf = bytearray(box.SYNC_BYTES)
        box.encode_sync_into(buf, 0, bridge, client, payload)
        self.assertEqual(decode_sync(buf), (bridge, client, payload))

    @given(EPOCH, EPOCH, BYTE)
    def test_ack_comes_back(self, client, bridge, number):
        buf = bytearray(box.ACK_BYTES)
        box.encode_ack_into(buf, 0, box.pack_epochs(client, bridge), number)
        self.assertEqual(decode_ack(buf, 0, box.pack_epochs(client, bridge)), number)

    @given(st.tuples(BYTE, EPOCH, WORD, BYTE, BYTE, BYTE, WORD, WORD, BYTE))
    def test_status_comes_back(self, values):
        names = "beat target_epoch controller_epoch next base end length0 length1 drop".split()
        written, read = box.StatusCell(), box.StatusCell()
        for name, value in zip(names, values, strict=True):
            setattr(written, name, value)
        buf = bytearray(box.STATUS_BYTES)
        encode_status_into(written, buf)
        self.assertTrue(read.read_from(buf))
        self.assertEqual(tuple(getattr(read, name) for name in names), values)

    @given(BYTE, BYTE, BYTE, BYTE, st.binary(min_size=1, max_size=box.PAYLOAD))
    def test_transfer_comes_back(self, number, kind, connection, next_number, payload):
        epochs = box.pack_epochs(1, 2)
        buf = sealed(box.FROM_TARGET, epochs, payload, number, kind, connection, next_number)
        self.assertTrue(is_whole(box.FROM_TARGET, epochs, buf))
        self.assertEqual(bytes(buf[:4]), bytes((number, kind, connection, next_number)))
        self.assertEqual(bytes(buf[box.HEADER :]), payload)

    @given(st.lists(st.tuples(LINE, st.booleans()), max_size=8), st.integers(130, 1000), WORD)
    def test_records_come_back(self, lines, space, number):
        sender, receiver = Sender(), Receiver(line_in=bytes_in)
        sender.start_at(number)
        receiver.start_at(number)
        for line, numbered in lines:
            sender.append(line, numbered)
        sender.grant(0, RECEIVE_BYTES)
        buf = bytearray(space)
        while sender.can_fill():
            first = sender.number()
            end = sender.fill(buf, 0, space)
            self.assertIsNone(receiver.take_records(first, memoryview(buf)[:end]))
        self.assertEqual(receiver.lines, [line for line, _ in lines])
        self.assertEqual(receiver.next, sender.number())
        self.assertEqual(receiver.seen, sender.sent)


class TestSerialNumbers(unittest.TestCase):
    @given(WORD, st.integers(-0x8000, 0x7FFF))
    def test_16_bit_distance_survives_the_wrap(self, start, distance):
        self.assertEqual(diff16((start + distance) & 0xFFFF, start), distance)

    @given(BYTE, st.integers(-0x80, 0x7F))
    def test_8_bit_distance_survives_the_wrap(self, start, distance):
        self.assertEqual(diff8((start + distance) & 0xFF, start), distance)


class TestStream(unittest.TestCase):
    bodies = st.lists(st.binary(min_size=MIN_BODY, max_size=MAX_BODY) | st.just(b""), max_size=6)

    @given(bodies, st.lists(st.integers(1, 700), min_size=1))
    def test_frames_come_out_of_any_pieces_by_reader_and_relay(self, bodies, sizes):
        data = b"".join(bytes((len(body) >> 8, len(body) & 0xFF)) + body for body in bodies)
        direct, behind, relay, got, passed = FrameReader(), FrameReader(), FrameRelay(), [], []
        at = 0
        while at < len(data):
            piece = data[at : at + sizes[0]]
            at += len(piece)
            sizes = sizes[1:] + sizes[:1]
            got.extend(bytes(body) for body in direct.feed(piece))
            buf = bytearray(b"?") + piece
            start, end = relay.strip(buf, 1, len(buf))
            passed.extend(bytes(body) for body in behind.feed(memoryview(buf)[start:end]))
        self.assertEqual(got, [body for body in bodies if body])
        self.assertEqual(passed, got)

    @given(st.binary(max_size=3000))
    def test_any_bytes_are_frames_or_a_fault(self, data):
        reader = FrameReader()
        for body in reader.feed(data):
            self.assertTrue(MIN_BODY <= len(body) <= MAX_BODY)
        self.assertTrue(reader.fault is None or isinstance(reader.fault, str))

    @given(st.binary(max_size=300))
    def test_any_bytes_are_a_config_or_none(self, data):
        config = control.decode_config(data)
        self.assertTrue(config is None or encode_config(*config)[1:] == data[1:])

    @given(WORD, st.binary(max_size=600))
    def test_any_records_are_lines_or_a_fault(self, number, data):
        receiver = Receiver(line_in=bytes_in)
        fault = receiver.take_records(number, memoryview(data))
        self.assertTrue(fault is None or isinstance(fault, str))
        self.assertLessEqual(sum(map(len, receiver.lines)) + RECORD_CHARGE * len(receiver.lines), RECEIVE_BYTES)

    @given(WORD)
    def test_record_header_is_fine_or_faulty(self, header):
        known = frame.MORE | frame.QOS0 | frame.LENGTH
        record = header.to_bytes(2, "big") + bytes(header & frame.LENGTH)
        fault = Receiver(line_in=bytes_in).take_records(0, memoryview(record))
        self.assertEqual(fault == "record header %04x" % header, header & ~known & 0xFFFF != 0)


LINES = st.lists(st.tuples(st.integers(0, 12).map(lambda n: n * n * n), st.booleans()), max_size=12)
HAPPENING = st.sampled_from(FAULTS + ("restart", "blocked"))


class TestExactlyOnce(unittest.TestCase):
    def wire(self, faults):
        server = End("server", False, durable=True)
        actions = {
            "restart": lambda wire: wire.reboot(server),
            "blocked": lambda wire: setattr(server, "reading", not server.reading),
        }
        return Wire(server=server, faults={step: actions.get(fault, fault) for step, fault in faults.items()})

    # Found by this test: a line received and not yet stored was forgotten by its sender on a resume.
    @example([(0, False)] * 4 + [(0, True)], [(0, False)] * 5, {0: "blocked", 10: "repeat", 17: "restart"}, 0)
    @MANY
    @given(LINES, LINES, st.dictionaries(st.integers(0, 60), HAPPENING, max_size=25), WORD)
    def test_any_faults_that_end_deliver_what_was_sent_once_and_in_order(self, up, down, faults, number):
        wire = self.wire(faults)
        wire.client.session._sender.start_at(number)
        up = [(b"%d " % i + bytes(size), numbered) for i, (size, numbered) in enumerate(up)]
        down = [b"%d " % i + bytes(size) for i, (size, _) in enumerate(down)]
        for i in range(12):
            for end, lines in ((wire.client, up[i : i + 1]), (wire.server, [(d, True) for d in down[i : i + 1]])):
                for line, numbered in lines:
                    end.write(line, numbered)
            wire.turn()
        wire.faults = {}
        wire.server.reading = True
        wire.run(3000)
        got = wire.server.delivered
        self.assertEqual([line for line, _ in up if line in got], got)
        self.assertEqual([line for line, numbered in up if numbered and line not in got], [])
        self.assertEqual(wire.client.delivered, down)

    @MANY
    @given(st.integers(0, MAX_LINE), st.integers(0, MAX_LINE), st.integers(0, 30))
    def test_any_two_lines_cross_after_a_cut_anywhere(self, first, second, step):
        wire = Wire(faults={step: "cut"})
        lines = [b"a" * first, b"b" * second]
        for line in lines:
            wire.client.write(line)
        wire.run()
        self.assertEqual(wire.server.delivered, lines)


if __name__ == "__main__":
    unittest.main()
