import unittest

from protocol.channel_session import ChannelSession
from protocol.frame import encode_data_header
from tests.protocol.channel_wire import ChannelEnd
from tests.protocol.pair import Pair
from tests.protocol.wire import End, Wire, numbered

UP = numbered("c", 6, 700)  # some in fragments
DOWN = numbered("s", 6, 300)


class Late(End):
    """A client whose application uses no channel until `begin`."""

    def __init__(self):
        self.got = []
        End.__init__(self, "client", True)

    def begin(self, wire):
        self.session = ChannelSession(self.session)
        self.session.channels.open(30).append(b"up", True)

    def hand_over(self, now):
        End.hand_over(self, now)
        if isinstance(self.session, ChannelSession):
            channel = self.session.channels.get(30)
            while channel.front(now) is not None:
                self.got.append(channel.front_data())
                self.session.channels.accept(channel, now)


def a_wire(client, faults):
    wire = Wire(client, ChannelEnd("server", False, (30,), durable=True), faults)
    for line in UP:
        client.write(line)
    for line in DOWN:
        wire.server.write(line)
    return wire


def record(pair, header):
    """Have the session receive an empty record with this header."""
    buf = bytearray(8)
    encode_data_header(buf, 0, 0, 0, 0, 160)
    return pair.say(buf + bytes((header >> 8, header & 0xFF)))


class TestTakingOver(unittest.TestCase):
    def test_lines_go_on_when_channels_begin_at_any_step(self):
        """Of lines with fragments, acknowledgements and room under way, none is lost or comes twice."""
        wire = a_wire(Late(), {})
        wire.run()
        self.assertGreater(wire.step, 12)
        for step in range(wire.step):
            with self.subTest(step=step):
                client = Late()
                wire = a_wire(client, {step: client.begin})
                wire.server.send(30, b"down")
                wire.run()
                self.assertEqual((wire.server.delivered, client.delivered), (UP, DOWN))
                self.assertEqual((client.got, wire.server.got), ([b"down"], {30: [b"up"]}))
                self.assertEqual(wire.connections, 1)

    def test_memory_of_the_peer_is_taken_over(self):
        pair = Pair().open()
        pair.data(b"one")
        before = dict(pair.session.__dict__)
        session = ChannelSession(pair.session)
        for name in before:
            if name != "_receiver":  # a LineReceiver, with the state of the former one
                self.assertIs(getattr(session, name), before[name])
        self.assertIs(session.lines, session._receiver.lines)
        self.assertEqual((session.expected, session.lines), (1, [b"one"]))

    def test_former_session_is_as_it_was_if_there_is_no_memory(self):
        class Short(ChannelSession):
            left = 0

            def __setattr__(self, name, value):
                if not Short.left:
                    raise MemoryError
                Short.left -= 1
                object.__setattr__(self, name, value)

        pair = Pair().open()
        for left in range(len(pair.session.__dict__) + 1):
            Short.left = left
            with self.assertRaises(MemoryError):
                Short(pair.session)
            self.assertIsNone(pair.data(b"line %d" % left, number=left))
        self.assertEqual(len(pair.session.lines), len(pair.session.__dict__) + 1)


class TestRecords(unittest.TestCase):
    def test_record_of_a_reserved_bit_is_a_fault_with_channels_as_without(self):
        for channels in (False, True):
            for header, words in ((0x1000, "record header 1000"), (0x3800, "record header 3800")):
                pair = Pair(channels=channels).open()
                self.assertIn(words, record(pair, header))
        self.assertIn("record header 2000", record(Pair().open(), 0x2000))

    def test_second_resume_while_the_list_is_awaited_is_a_fault(self):
        pair = Pair(channels=True)
        self.assertIsNone(pair.resume(listed=True))
        self.assertIn("unexpected frame kind 10", pair.resume())


if __name__ == "__main__":
    unittest.main()
