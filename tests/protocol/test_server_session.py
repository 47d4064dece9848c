import unittest

from protocol.frame import Resume
from protocol.server_session import run_entry
from protocol.session import OPEN
from tests.protocol.pair import OTHER, RUN, Pair


class TestAnswer(unittest.TestCase):
    """The server's end, which says its RESUME last."""

    def test_nothing_is_said_or_taken_before_the_answer(self):
        pair = Pair(answers=True)
        pair.session.append(b"line", True)
        self.assertIsNone(pair.heard())
        self.assertIsNone(pair.resume())
        self.assertTrue(pair.session.asked)
        self.assertIsNone(pair.heard())
        self.assertIn("unexpected", pair.data(b"line"))

    def test_answer_opens_and_is_said_before_the_lines(self):
        pair = Pair(answers=True)
        pair.session.append(b"line", True)
        pair.resume(base=7)
        self.assertIsNone(pair.session.answer(pair.now, OTHER))
        self.assertEqual((pair.session.state, pair.session.asked), (OPEN, False))
        said = Resume(pair.heard())
        self.assertEqual((said.remembered, said.ack, said.next, said.runs), (True, 7, 7, OTHER))
        self.assertEqual((said.parted, said.lost), (False, 0))
        self.assertEqual(pair.heard()[8:], b"\x00\x04line")

    def test_connection_that_ended_is_not_asked_for(self):
        pair = Pair(answers=True)
        pair.resume()
        pair.session.detach()
        self.assertFalse(pair.session.asked)

    def test_lines_that_the_peer_had_acknowledged_and_are_gone_are_not_waited_for(self):
        pair = Pair(answers=True)
        pair.resume()
        pair.session.answer(pair.now, RUN)
        pair.attach()
        pair.resume(base=5)
        pair.session.answer(pair.now, RUN, lost=5)
        said = Resume(pair.heard())
        self.assertEqual((said.ack, said.next, said.lost), (5, 5, 5))
        self.assertIsNone(pair.data(b"sixth", number=5))

    def test_nothing_is_taken_from_what_a_peer_of_another_past_remembers(self):
        pair = Pair(answers=True)
        pair.session.append(b"line", True)
        pair.resume(remembered=True, ack=400, next_number=400)
        self.assertIsNone(pair.session.answer(pair.now, OTHER, parted=True))
        self.assertTrue(Resume(pair.heard()).parted)
        self.assertEqual(pair.heard()[8:], b"\x00\x04line")

    def test_second_resume_before_the_answer_is_a_fault(self):
        pair = Pair(answers=True)
        self.assertIsNone(pair.resume())
        self.assertIn("unexpected", pair.resume())


class TestStore(unittest.TestCase):
    """What the store has, and what it gets."""

    def restored(self, base=3, outbox=(b"a", b"b")):
        pair = Pair(answers=True)
        pair.session.restore(b"peer-one", 700, base, outbox)
        pair.attach()
        return pair

    def test_restored_session_goes_on_where_the_store_ends(self):
        pair = self.restored()
        self.assertIsNone(pair.resume(remembered=True, base=700, ack=4, next_number=4))
        self.assertIsNone(pair.session.answer(pair.now, RUN))
        said = Resume(pair.heard())
        self.assertEqual((said.base, said.ack, said.next), (4, 700, 700))
        self.assertEqual((pair.heard()[8:], pair.session.acknowledged), (b"\x00\x01b", 1))

    def test_line_that_an_earlier_process_may_have_sent_may_be_acknowledged(self):
        for count, fault in ((5, None), (6, "resume at lines 6, 6, held from 3, sent to 5")):
            pair = self.restored()
            pair.session.append(b"written since", True)
            pair.resume(remembered=True, ack=count, next_number=count)
            self.assertEqual(pair.session.answer(pair.now, RUN), fault)

    def test_lines_are_known_until_the_highest_number_told(self):
        session = self.restored().session
        for number, reached in ((4, 5), (6, 6), (5, 6)):
            session.known_until(number)
            self.assertEqual(session.reached, reached)

    def test_numbers_tell_what_is_acknowledged_sent_and_admitted(self):
        pair = self.restored()
        pair.session.append(b"not numbered", False)
        pair.resume(remembered=True, base=700, ack=3, next_number=3)
        pair.session.answer(pair.now, RUN)
        self.assertEqual((pair.session.base, pair.session.number, pair.session.end), (3, 3, 5))
        pair.heard()
        pair.heard()
        self.assertEqual((pair.session.base, pair.session.number, pair.session.end), (3, 5, 5))

    def test_only_accept_moves_the_acknowledgement(self):
        pair = self.restored()
        pair.resume(remembered=True, base=700, ack=3, next_number=3)
        pair.session.answer(pair.now, RUN)
        self.assertIsNone(pair.data(b"one", b"two", number=700))
        self.assertEqual((pair.session.lines, pair.session.ack, pair.session.expected), ([b"one", b"two"], 700, 702))
        pair.session.accept(2, pair.now)
        self.assertEqual((pair.session.lines, pair.session.ack), ([], 702))

    def test_store_that_was_put_right_takes_lines_out(self):
        session = self.restored().session
        session.acknowledge_until(3)
        self.assertEqual((session.base, session.acknowledged), (3, 0))
        session.acknowledge_until(4)
        self.assertEqual((session.base, session.acknowledged, session.end), (4, 1, 5))

    def test_run_in_resume_has_a_name_and_a_number(self):
        self.assertEqual(run_entry(b"this run", 0x10000), b"this run\x00\x01\x00\x00")


if __name__ == "__main__":
    unittest.main()
