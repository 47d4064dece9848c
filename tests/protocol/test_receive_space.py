import unittest

from protocol.limits import MAX_LINE, MIN_FRAGMENT, RECEIVE_BYTES, RECORD_CHARGE, ROOM_UNIT
from protocol.line_bytes import bytes_in
from protocol.receive_space import receive_bytes
from protocol.receiver import Receiver


class TestReceiveBytes(unittest.TestCase):
    def test_longest_line_in_the_smallest_fragments_fits(self):
        self.assertEqual(receive_bytes(MAX_LINE), RECEIVE_BYTES)
        for max_line in (128, 129, 500, 4096):
            receiver = Receiver(receive_bytes(max_line), max_line, line_in=bytes_in)
            sizes = [16] + [MIN_FRAGMENT] * ((max_line - 16) // MIN_FRAGMENT)
            sizes.append(max_line - sum(sizes))
            room = receiver.room() * ROOM_UNIT
            self.assertLessEqual(sum(sizes) + RECORD_CHARGE * len(sizes), room)


if __name__ == "__main__":
    unittest.main()
