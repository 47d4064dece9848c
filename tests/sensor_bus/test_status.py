"""The status of an address, from answers and failures."""

import unittest

from sensor_bus.status import OFFLINE, ONLINE, SPURIOUS, Status


def changes(results, offline_after=None):
    status = Status()
    if offline_after:
        status.offline_after = offline_after
    return [status.note(result) for result in results]


class TestStatus(unittest.TestCase):
    def test_two_answers_make_it_online_and_are_told_once(self):
        self.assertEqual(changes([True, True, True, True]), [None, ONLINE, None, None])

    def test_an_answer_and_a_failure_were_none(self):
        self.assertEqual(changes([True, False]), [None, SPURIOUS])

    def test_three_failures_in_a_row_make_it_offline(self):
        self.assertEqual(changes([True, True, False, False, False]), [None, ONLINE, None, None, OFFLINE])

    def test_an_answer_ends_a_row_of_failures(self):
        results = [True, True] + [False, False, True] * 10
        self.assertEqual(changes(results)[2:], [None] * 30)

    def test_a_multiplexer_is_offline_after_two(self):
        self.assertEqual(changes([True, True, False, False], offline_after=2)[-1], OFFLINE)


if __name__ == "__main__":
    unittest.main()
